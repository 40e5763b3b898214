// The communication patterns of the book, by name. Plain values; any thread.

/// Who sends what to whom. N is the number of workers, ranks 0..<N; a dedicated server is rank N.
public enum Pattern: String, Sendable, CaseIterable, Encodable {
    /// A dedicated server gathers the vectors of N workers and sends the sum to each (1.3.2).
    case parameterServer = "parameter-server"
    /// A ring of N partitions: reduce-scatter, then all-gather (Example 1.3.3).
    case ringAllReduce = "ring-allreduce"
    /// The first half of `ringAllReduce`: rank n ends with partition n + 1 (mod N) of the sum.
    case reduceScatter = "reduce-scatter"
    /// The second half of `ringAllReduce`: rank n begins with partition n + 1 (mod N).
    case allGather = "all-gather"
    /// The ring without partitions: the whole vector goes round, and round again (1.3.3).
    case ringUnpartitioned = "ring-unpartitioned"
    /// Each worker is the server of one partition (Example 1.3.4).
    case multiServer = "multi-server"
    /// Binomial reduction to rank 0, then binomial broadcast: the textbook reduction tree of section 5.
    case treeAllReduce = "tree-allreduce"
    /// In round k, ranks whose numbers differ in bit k exchange whole vectors. Where N is no power of two, N - 2^p ranks
    /// first hand their vectors to a neighbour, and get the sum from it at the end.
    case recursiveDoubling = "recursive-doubling"
    /// Reduce-scatter by handing on half of what is left, in ceil(log2 N) rounds, then all-gather the way back. Pairs exchange
    /// where N is a power of two; else each rank sends to one and receives from another, as far apart.
    case halvingDoubling = "halving-doubling"
    /// Each worker sends its model to its right and then to its left neighbour (5.1). With N = 2 both are the same one,
    /// which gets two messages, as the book's "mod N" has it.
    case ringExchange = "ring-exchange"
    /// Rank 0's vector along a binomial tree.
    case broadcast
    /// N workers pull the model from a passive server, compute and push, each in its own time (4.1).
    case asgd

    /// Whether rank N is a dedicated server.
    public var hasServer: Bool { self == .parameterServer || self == .asgd }

    /// How many ranks N workers and their server are.
    public func ranks(workers: Int) -> Int { workers + (hasServer ? 1 : 0) }

    /// Into how many partitions the vector is cut.
    public func partitions(workers: Int) -> Int {
        switch self {
        case .ringAllReduce, .reduceScatter, .allGather, .multiServer, .halvingDoubling: workers
        default: 1
        }
    }

    /// How many messages the pattern sends; `updates` counts those of `asgd`.
    public func messageCount(workers: Int, updates: Int) -> Int {
        let doubling = workers.floorLog2
        let folded = workers - 1 << doubling
        return switch self {
        case .parameterServer: 2 * workers
        case .ringAllReduce, .multiServer: 2 * workers * (workers - 1)
        case .reduceScatter, .allGather: workers * (workers - 1)
        case .ringUnpartitioned, .treeAllReduce: 2 * (workers - 1)
        case .recursiveDoubling: doubling << doubling + 2 * folded
        case .halvingDoubling: 2 * workers * workers.ceilingLog2
        case .ringExchange: workers == 1 ? 0 : 2 * workers
        case .broadcast: workers - 1
        case .asgd: 2 * updates
        }
    }
}

extension Int {
    /// The largest p with 2^p <= self; self is positive.
    var floorLog2: Int { Int.bitWidth - 1 - leadingZeroBitCount }

    /// The smallest p with 2^p >= self; self is positive.
    var ceilingLog2: Int { self == 1 ? 0 : (self - 1).floorLog2 + 1 }
}
