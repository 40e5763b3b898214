import Foundation
import Measurement
import Testing

@Suite struct StalenessTests {
    @Test func `a summary has the mean, the percentiles and the counts of what was recorded`() {
        let first = StalenessRecorder()
        let second = StalenessRecorder()
        for tau in 0..<100 as Range<UInt64> { first.record(tau) }
        second.record(1_000_000, count: 1)
        let summary = StalenessSummary(method: .exact, every: 1, recorders: [first, second])
        #expect(summary.all.count == 101)
        #expect(summary.all.mean == (4_950.0 + 1_000_000) / 101)
        #expect(summary.all.p50 == 50 && summary.all.p90 == 90 && summary.all.p99 == 99)
        #expect(summary.all.max == 1_000_000)
        #expect(summary.all.histogram.prefix(100).map { $0 } == (0..<100).map { [$0, 1] })
        #expect(summary.all.histogram.count == 101)
        #expect(summary.perWorker.map(\.count) == [100, 1] && summary.perWorker.map(\.rank) == [0, 1])
        #expect(summary.perWorker[1].p50 == 1_000_000)
    }

    @Test func `nothing recorded is a summary of zeros, which a record does not take for figures`() throws {
        let summary = StalenessSummary(method: .sampled, every: 61, recorders: [StalenessRecorder()])
        #expect(summary.all == .init(StalenessRecorder()) && summary.all.histogram.isEmpty && summary.all.max == 0)
        let data = try JSONEncoder().encode(summary)
        let record = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(record["count"] as? Int == 0)
        for key in ["mean", "p50", "p90", "p99", "max"] { #expect(record[key] is NSNull) }
        #expect(try JSONDecoder().decode(StalenessSummary.self, from: data) == summary)
    }

    @Test func `large values are told apart to three digits, by one recorder as by several`() {
        let together = StalenessRecorder()
        let parts = (0..<3).map { _ in StalenessRecorder() }
        for i in 0..<3_000 as Range<UInt64> {
            let tau = i * i
            together.record(tau, count: 1 + i % 2)
            parts[Int(i % 3)].record(tau, count: 1 + i % 2)
        }
        let merged = StalenessRecorder()
        for part in parts { merged.merge(part) }
        let (one, other) = (StalenessSummary.Distribution(together), StalenessSummary.Distribution(merged))
        #expect(one == other && one.count == 4_500 && one.max == 2_999 * 2_999)
        #expect(abs(Double(one.p50) / (1_500 * 1_500) - 1) < 2e-3 && abs(Double(one.p99) / (2_970 * 2_970) - 1) < 2e-3)
        #expect(one.histogram.reduce(0) { $0 + $1[1] } == 4_500)
    }

    @Test func `values beyond the trackable range keep their maximum and their sum`() {
        let largest: UInt64 = 1 << 40
        let recorder = StalenessRecorder()
        recorder.record(largest + 5, count: 2)
        #expect(recorder.maximum == largest + 5)
        #expect(recorder.sum == 2 * (largest + 5) && recorder.count == 2)
    }

    @Test func `the keys of the distribution stand beside the others and survive a round trip`() throws {
        let recorder = StalenessRecorder()
        recorder.record(3)
        var summary = StalenessSummary(method: .sampled, every: 61, recorders: [recorder], readSpans: [recorder])
        summary.lostUpdateRate = 0.25
        summary.delayedBy = [[0, 3], [1, 0]]
        summary.shareReadToWrite = 0.5
        summary.clock = "monotonic clock"
        summary.measurementCost = MeasurementCost(secondsWith: [4, 2, 8], secondsWithout: [3, 3, 4])
        let json = try JSONEncoder().encode(summary)
        let object = try #require(JSONSerialization.jsonObject(with: json) as? [String: Any])
        #expect(object["mean"] as? Double == 3 && object["p99"] as? Int == 3)
        #expect(object["histogram"] as? [[Int]] == [[3, 1]])
        #expect(try JSONDecoder().decode(StalenessSummary.self, from: json) == summary)
        #expect(summary.measurementCost!.shareOfThroughput == 0.25)
    }

    @Test func `a cost that noise hides is not telling`() {
        func cost(_ noise: Double) -> MeasurementCost {
            MeasurementCost(
                secondsWith: (0..<9).map { 1.02 + noise * Double($0 % 3 - 1) },
                secondsWithout: Array(repeating: 1, count: 9))
        }
        #expect(cost(0.001).isTelling && !cost(0.3).isTelling)
    }
}
