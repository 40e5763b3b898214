// How stale the gradients of a run were whose workers exchange messages. The coordinator, in pauses and at the end.

internal import Measurement
internal import Messaging
internal import SwitchModel

extension FabricRunner {
    /// Puts the order of a segment's updates together.
    func noteStaleness(updates: UInt64) {
        for (index, order) in orders.enumerated() {
            order.merge(computing.compactMap { $0.observers[index].trace }, end: version(ofChunk: index))
        }
        if plan.options.staleness != .off {
            overTime.note(updates: updates, computing.flatMap { $0.observers.map(\.staleness) })
        }
    }

    private var gradientsPerUpdate: Int {
        plan.options.algorithm.facts.evaluates == .window ? algorithm.gradientsPerUpdate : 1
    }

    private var computing: [RankWorker] { workers.filter { !$0.isServer } }

    func staleness(updates: UInt64) -> StalenessSummary {
        let recorders = computing.map { worker in StalenessRecorder(all: worker.observers.map(\.staleness)) }
        let sawNone = recorders.allSatisfy { $0.count == 0 }
        let isMean = plan.options.algorithm.facts.evaluates == .mean
        let isAlone =
            plan.workers == 1 && !plan.options.algorithm.facts.isSerial
            && (exchange.servers?.pipelined ?? 1) == 1
        // Models of their own are not all the newest, whether or not somebody counts by how much.
        if isAlone || sawNone && !isMean && !exchange.isAsynchronous { return .serial(updates: updates) }
        if plan.options.staleness == .off || sawNone && isMean {
            return StalenessSummary(method: .off, every: 0, recorders: recorders)
        }
        var summary = StalenessSummary(method: .exact, every: 1, recorders: recorders)
        // What is written down is a gradient; all of an update's are under way until it is applied.
        summary.concurrencyMean = summary.concurrencyMean.map { $0 * Double(gradientsPerUpdate) }
        summary.overTime = overTime.summary
        let chunks = workers[0].chunks
        if !orders.isEmpty {
            // One after the other: of many windows and workers all at once would be hundreds of megabytes.
            var sum = orders[0].delayedBy
            for order in orders.dropFirst() {
                for (i, row) in order.delayedBy.enumerated() {
                    for (j, count) in row.enumerated() { sum[i][j] += count }
                }
            }
            summary.delayedBy = sum
            summary.delayedByCount = orders.reduce(0) { $0 + $1.covered }
            summary.concurrencyMax = orders.map(\.mostUnderWay).max()
        }
        if chunks.count > 1 {
            summary.perServer = (0...chunks[chunks.count - 1].server).map { server in
                let own = chunks.indices.filter { chunks[$0].server == server }
                let all = StalenessRecorder(
                    all: computing.flatMap { worker in own.map { worker.observers[$0].staleness } })
                var distribution = StalenessSummary.Distribution(all)
                distribution.server = server
                return distribution
            }
            let spans = StalenessRecorder(all: computing.map(\.readSpan))
            summary.readSpan = StalenessSummary.Distribution(spans)
            summary.reads = spans.count
            summary.tornReads = spans.count - spans.count(of: 0)
        }
        let secondsUnderWay = computing.flatMap(\.observers).reduce(0) { $0 + $1.secondsUnderWay }
        if plan.options.clock.kind.isModel, summary.all.count > 0 {
            summary.meanSecondsUnderWay = secondsUnderWay / Double(summary.all.count)
        }
        let waits = LockWaits.summary(of: computing.map(\.lockWaits))
        if !waits.isEmpty { summary.lockWaits = waits }
        return summary
    }
}
