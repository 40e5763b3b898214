// Who talks to whom in a pattern, and how much is under way: what a fabric needs memory for. Plain values; any thread.

extension Pattern {
    /// Ordered pairs of ranks of which the first sends to the second.
    public func pairCount(workers: Int) -> Int {
        guard workers > 1 else { return hasServer ? 2 : 0 }
        return switch self {
        case .parameterServer, .asgd, .ringExchange: 2 * workers
        case .ringAllReduce, .reduceScatter, .allGather, .ringUnpartitioned: workers
        case .multiServer: workers * (workers - 1)
        case .treeAllReduce: 2 * (workers - 1)
        case .broadcast: workers - 1
        case .recursiveDoubling:
            workers.floorLog2 << workers.floorLog2 + 2 * (workers - 1 << workers.floorLog2)
        case .halvingDoubling: (workers.nonzeroBitCount == 1 ? 1 : 2) * workers * workers.ceilingLog2
        }
    }

    /// The most messages that are under way at once where all ranks keep step, and about how many whole vectors these are.
    public func mostUnderWay(workers: Int) -> (messages: Int, vectors: Int) {
        switch self {
        case .parameterServer, .recursiveDoubling, .broadcast, .asgd: (workers, workers)
        case .ringAllReduce, .reduceScatter, .allGather: (workers, 1)
        case .ringUnpartitioned: (1, 1)
        case .multiServer: (workers * (workers - 1), workers)
        case .treeAllReduce, .halvingDoubling: (workers, (workers + 1) / 2)
        case .ringExchange: (2 * workers, 2 * workers)
        }
    }
}
