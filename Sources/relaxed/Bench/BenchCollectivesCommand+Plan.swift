// What `relaxed bench collectives` is about to do, and whether time and memory suffice for it. On the main thread.

import Messaging
import Platform
import Reporting
import SwitchModel

extension BenchCollectivesCommand {
    /// A wall clock is never waited for longer than this, in seconds.
    private static let longestWait = 3600.0

    /// A sweep per collective, with what the switch model says of its timed iterations, the median by size; refuses what would take
    /// more memory than there is, or no end of time.
    func planned(
        _ collectives: [SweptCollective], workers: Int, sizes: [Int], clock: FabricClock, cost: NetworkCost,
        computeSeconds: Double, straggler: Straggler
    ) throws(InputError) -> [(sweep: CollectiveSweep, predicted: [Double]?)] {
        var plan: [(sweep: CollectiveSweep, predicted: [Double]?)] = []
        var messages = 0.0
        /// What the model's clock shows in the end.
        var total = 0.0
        for collective in collectives {
            let modelled = clock.isModel ? collective.pattern : nil
            let perIteration = modelled?.messageCount(workers: workers, updates: 0) ?? 0
            try requireEnd(messages: Double(perIteration * sizes.count))
            let prediction = modelled.map {
                CollectivePrediction(
                    pattern: $0, workers: workers, cost: cost, computeSeconds: computeSeconds, straggler: straggler)
            }
            let first = prediction.map { model in sizes.map { model.seconds(bytes: $0, steps: 0..<1)[0] } }
            try requireFinite(first ?? [])
            let swept = CollectiveSweep(
                collective: collective, workers: workers, clock: clock, computeSeconds: computeSeconds,
                straggler: straggler, sizes: sizes,
                iterations: sizes.indices.map { i in
                    iterations(
                        collective, bytes: sizes[i], predicted: first?[i], workers: workers, straggler)
                },
                warmups: clock.isModel ? min(sweep.w, 1) : sweep.w, isChecked: sweep.c == 1)
            try sweep.requireMemory(swept.memoryBytes, at: sizes.max() ?? 0)
            guard let prediction else {
                plan.append((swept, nil))
                continue
            }
            messages += swept.iterations.reduce(0) { $0 + Double($1 + 2) * Double(perIteration) }
            try requireEnd(messages: messages)
            var predicted: [Double] = []
            for i in sizes.indices {
                let timed = swept.steps(size: i)
                // Warm-ups compute, too, and the checked run communicates alone.
                if swept.isChecked { total += first![i] }
                if straggler.isDrawn {
                    let start = timed.lowerBound - UInt64(swept.warmups)
                    let seconds = prediction.seconds(bytes: sizes[i], steps: start..<timed.upperBound)
                    total += seconds.reduce(0, +)
                    predicted.append(Samples(Array(seconds.dropFirst(swept.warmups))).p50Seconds)
                } else {
                    total += first![i] * Double(timed.count + swept.warmups)
                    predicted.append(first![i])
                }
            }
            try requireFinite([total])
            plan.append((swept, predicted))
        }
        if case .wall = clock, total > Self.longestWait {
            throw InputError(
                at: "--clock wall", found: "a sweep that takes \(Quantity.seconds(total))",
                expected:
                    "at most \(Quantity.seconds(Self.longestWait)), so fewer iterations (-n), smaller sizes or times")
        }
        return plan
    }

    private func requireEnd(messages: Double) throws(InputError) {
        guard messages > Double(SimulateCommand.mostMessages) else { return }
        throw InputError(
            at: "--clock \(clock)", found: "about \(Quantity.count(messages)) messages",
            expected: "at most \(Quantity.grouped(SimulateCommand.mostMessages)), so fewer workers, sizes or iterations"
        )
    }

    /// Rates, microseconds and sums of such times are finite, too.
    private func requireFinite(_ seconds: [Double]) throws(InputError) {
        guard let last = seconds.max(), !(last <= 1e300) else { return }
        throw InputError(at: "--latency", found: "times beyond 1e300 seconds", expected: "smaller messages or times")
    }
}
