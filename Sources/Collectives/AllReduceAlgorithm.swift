// The AllReduce algorithms by name. Plain values; any thread.

public import Messaging
public import SwitchModel

/// The ways to leave the sum of all ranks' vectors in each of them; the names are those of the switch model's patterns.
public enum AllReduceAlgorithm: String, Sendable, CaseIterable, Encodable {
    case direct
    case ring = "ring-allreduce"
    case ringUnpartitioned = "ring-unpartitioned"
    case multiServer = "multi-server"
    case parameterServer = "parameter-server"
    case tree = "tree-allreduce"
    case recursiveDoubling = "recursive-doubling"
    case halvingDoubling = "halving-doubling"

    /// What the switch model prices; nil for `direct`, which sends no messages.
    public var pattern: Pattern? { Pattern(rawValue: rawValue) }

    /// How many ranks N workers need: one more where there is a dedicated server.
    public func ranks(workers: Int) -> Int { pattern?.ranks(workers: workers) ?? workers }
}

extension Communicator {
    /// Leaves the sum of the workers' vectors in each of them, by the algorithm given; see the function of each.
    public func allReduce(_ vector: FloatVector, by algorithm: AllReduceAlgorithm) throws {
        switch algorithm {
        case .direct: try unsafe directAllReduce(vector)
        case .ring: try unsafe ringAllReduce(vector)
        case .ringUnpartitioned: try unsafe ringAllReduceUnpartitioned(vector)
        case .multiServer: try unsafe multiServerAllReduce(vector)
        case .parameterServer: try unsafe parameterServerAllReduce(vector)
        case .tree: try unsafe treeAllReduce(vector)
        case .recursiveDoubling: try unsafe recursiveDoublingAllReduce(vector)
        case .halvingDoubling: try unsafe halvingDoublingAllReduce(vector)
        }
    }
}
