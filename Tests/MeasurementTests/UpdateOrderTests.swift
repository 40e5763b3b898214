import Measurement
import Testing

@Suite struct UpdateOrderTests {
    /// Updates of random workers with random staleness, some of which reaches back over the ends of segments.
    private func random(_ count: Int, workers: Int, seed: UInt64) -> [(worker: Int, tau: Int)] {
        var state = seed
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        return (0..<count).map { t in (next(workers), next(min(t, next(10) == 0 ? 200 : 5) + 1)) }
    }

    @Test(arguments: [1, 2, 5, 256]) func `segments put together are the whole run`(workers: Int) throws {
        let updates = random(3_000, workers: workers, seed: UInt64(workers))
        let order = UpdateOrder(workers: workers)
        let traces = try (0..<workers).map { _ in try UpdateTrace(capacity: 3_000) }
        for end in [0, 1, 500, 501, 2_000, 2_999, 3_000] {
            for t in Int(traces[0].start)..<end {
                traces[updates[t].worker].append(t: UInt64(t), tau: UInt64(updates[t].tau))
            }
            order.merge(traces, end: UInt64(end))
        }
        var expected = [[UInt64]](repeating: Array(repeating: 0, count: workers), count: workers)
        var underWay = [Int](repeating: 0, count: 3_000)
        for (t, update) in updates.enumerated() {
            for version in t - update.tau..<t { expected[update.worker][updates[version].worker] += 1 }
            for version in t - update.tau...t { underWay[version] += 1 }
        }
        #expect(order.delayedBy == expected && order.covered == 3_000)
        #expect(order.mostUnderWay == underWay.max())
    }

    @Test func `what has no room is not in the matrix, and what is in it is right`() throws {
        let updates = random(1_000, workers: 2, seed: 9)
        let order = UpdateOrder(workers: 2)
        let traces = try (0..<2).map { _ in try UpdateTrace(capacity: 100) }
        for end in [150, 1_000] {
            for t in Int(traces[0].start)..<end {
                traces[updates[t].worker].append(t: UInt64(t), tau: UInt64(updates[t].tau))
            }
            #expect(traces.allSatisfy(\.isComplete) == (end == 150))
            order.merge(traces, end: UInt64(end))
        }
        // Until the first of the two had no more room: one of them has a hundred of the second segment.
        var last = [150, 150]
        var known = 1_000
        for worker in 0..<2 {
            let own = (150..<1_000).filter { updates[$0].worker == worker }
            last[worker] = own[99] + 1
            known = min(known, last[worker])
        }
        var expected = [[UInt64]](repeating: [0, 0], count: 2)
        for t in 0..<known {
            for version in t - updates[t].tau..<t { expected[updates[t].worker][updates[version].worker] += 1 }
        }
        #expect(order.covered == UInt64(known) && order.delayedBy == expected)
        // A later segment begins anew.
        traces[1].append(t: 1_000, tau: 0)
        traces[0].append(t: 1_001, tau: 1)
        order.merge(traces, end: 1_002)
        expected[0][1] += 1
        #expect(order.covered == UInt64(known) + 2 && order.delayedBy == expected)
    }

    @Test func `what went over time stays within some hundreds of parts`() {
        let recorder = StalenessRecorder()
        var course = StalenessOverTime()
        for part in 0..<3_000 {
            recorder.record(UInt64(part % 2), count: 2)
            course.note(updates: UInt64(2 * part + 2), [recorder])
        }
        let periods = course.summary
        #expect((256...512).contains(periods.count) && periods.reduce(0) { $0 + $1.count } == 6_000)
        #expect(periods[periods.count - 1].updates == 6_000)
        #expect(periods.dropLast().allSatisfy { $0.mean == 0.5 })
    }
}
