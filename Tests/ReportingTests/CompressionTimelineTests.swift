import SwitchModel
import Testing

@testable import Reporting

/// Figures 3.4 and 3.5: what compression does to the timeline of an exchange.
@Suite struct CompressionTimelineTests {
    @Test(arguments: [Pattern.ringAllReduce, .multiServer], [2.0, 8])
    func `compression sends the same messages with the same latency, and divides each transfer`(
        pattern: Pattern, factor: Double
    ) throws {
        for workers in 2...5 {
            let cost = try NetworkCost(latencySeconds: 1.5, secondsPerMegabyte: 5)
            let megabytes = 16 * Double(workers)
            let plain = PatternPrograms(pattern, workers: workers, megabytes: megabytes).timeline(over: cost)
            let compressed = PatternPrograms(pattern, workers: workers, megabytes: megabytes / factor).timeline(
                over: cost)
            #expect(plain.messageCount == 2 * workers * (workers - 1))
            #expect(compressed.messageCount == plain.messageCount)
            for (before, after) in zip(plain.passages, compressed.passages) {
                #expect((after.from, after.to) == (before.from, before.to))
                #expect(after.megabytes == before.megabytes / factor)
                #expect(after.end - after.start - 1.5 == (before.end - before.start - 1.5) / factor)
            }
            // 2 (N-1) t_latency stay, and 2 (N-1)/N t_transfer are divided.
            let latency = 1.5 * Double(2 * (workers - 1))
            #expect(compressed.makespan - latency == (plain.makespan - latency) / factor)
        }
    }

    @Test func `the lanes show shorter transfers behind the same latency`() throws {
        let cost = try NetworkCost(latencySeconds: 1, secondsPerMegabyte: 1)
        func lanes(megabytes: Double, width: Int) -> [String] {
            PatternPrograms(.ringAllReduce, workers: 3, megabytes: megabytes).timeline(over: cost)
                .lanes(width: width) { "w\($0)" }.split(separator: "\n").prefix(6).map(String.init)
        }
        #expect(
            lanes(megabytes: 6, width: 46) == [
                "w0 send |░░░>1████░░░>1████░░░>1████░░░>1████|",
                "w0 recv |░░░<2▓▓▓▓░░░<2▓▓▓▓░░░<2▓▓▓▓░░░<2▓▓▓▓|",
                "w1 send |░░░>2████░░░>2████░░░>2████░░░>2████|",
                "w1 recv |░░░<0▓▓▓▓░░░<0▓▓▓▓░░░<0▓▓▓▓░░░<0▓▓▓▓|",
                "w2 send |░░░>0████░░░>0████░░░>0████░░░>0████|",
                "w2 recv |░░░<1▓▓▓▓░░░<1▓▓▓▓░░░<1▓▓▓▓░░░<1▓▓▓▓|",
            ])
        #expect(
            lanes(megabytes: 3, width: 34) == [
                "w0 send |░░░>1█░░░>1█░░░>1█░░░>1█|",
                "w0 recv |░░░<2▓░░░<2▓░░░<2▓░░░<2▓|",
                "w1 send |░░░>2█░░░>2█░░░>2█░░░>2█|",
                "w1 recv |░░░<0▓░░░<0▓░░░<0▓░░░<0▓|",
                "w2 send |░░░>0█░░░>0█░░░>0█░░░>0█|",
                "w2 recv |░░░<1▓░░░<1▓░░░<1▓░░░<1▓|",
            ])
    }
}
