// The ports: the book's first two examples, and what a reservation promises.

import Platform
import SwitchModel
import Testing

@Suite struct SwitchTests {
    /// Example 1.3.1 as corrected: M3 sends to M1. Machines M1 to M3 are ranks 0 to 2.
    private static func example(compression: Double) -> [Posting] {
        [(5, 0, 1), (6, 1, 0), (6, 2, 0)].map {
            Posting(at: $0, from: $1, to: $2, megabytes: 1 / compression)
        }
    }

    @Test(arguments: [
        (PortSemantics.occupied, 1.0, [5.0, 6, 12.5], [11.5, 12.5, 19], 14.0),
        (.occupied, 2, [5, 6, 10], [9, 10, 14], 9),
        (.pipelined, 1, [5, 6, 11], [11.5, 12.5, 17.5], 12.5),
        (.pipelined, 2, [5, 6, 8.5], [9, 10, 12.5], 7.5),
    ])
    func `examples 1.3.1 and 1.3.2 start, end and last as in the book`(
        ports: PortSemantics, compression: Double, starts: [Double], ends: [Double], makespan: Double
    ) throws {
        let cost = try NetworkCost(latencySeconds: 1.5, secondsPerMegabyte: 5, ports: ports)
        let timeline = Timeline(of: Self.example(compression: compression), ranks: 3, cost: cost)
        #expect(timeline.passages.map(\.from) == [0, 1, 2])
        #expect(timeline.passages.map(\.start) == starts)
        #expect(timeline.passages.map(\.end) == ends)
        #expect(timeline.makespan == makespan)
    }

    @Test func `messages known in advance take their ports by time, then sender, then place`() throws {
        let cost = try NetworkCost(latencySeconds: 1, secondsPerMegabyte: 1)
        let timeline = Timeline(
            of: [
                Posting(at: 3, from: 2, to: 0, megabytes: 1), Posting(at: 3, from: 1, to: 0, megabytes: 2),
                Posting(at: 3, from: 1, to: 0, megabytes: 1), Posting(at: 0, from: 3, to: 0, megabytes: 0),
            ], ranks: 4, cost: cost)
        #expect(timeline.passages.map(\.from) == [3, 1, 1, 2])
        #expect(timeline.passages.map(\.megabytes) == [0, 2, 1, 1])
        #expect(timeline.passages.map(\.start) == [0, 3, 6, 8])
    }

    @Test func `a later message does not overtake an earlier one on an idle port`() throws {
        let cost = try NetworkCost(latencySeconds: 0, secondsPerMegabyte: 1)
        var ports = Switch(ranks: 4, cost: cost)
        #expect(ports.reserve(at: 0, from: 0, to: 1, megabytes: 10) == .init(start: 0, end: 10))
        #expect(ports.reserve(at: 1, from: 2, to: 1, megabytes: 1) == .init(start: 10, end: 11))
        // The send port of rank 2 is idle until 10, but promised.
        #expect(ports.reserve(at: 2, from: 2, to: 3, megabytes: 1) == .init(start: 11, end: 12))
        #expect(ports.sendPortFree(of: 2) == 12)
        #expect(ports.reserve(at: 2, from: 3, to: 0, bytes: 500_000) == .init(start: 2, end: 2.5))
    }

    @Test func `no messages take no time`() throws {
        let cost = try NetworkCost(latencySeconds: 1, secondsPerMegabyte: 1)
        let timeline = Timeline(of: [], ranks: 0, cost: cost)
        #expect(timeline.makespan == 0 && timeline.passages.isEmpty)
    }

    @Test(arguments: [(-1.0, 1.0), (.nan, 1), (.infinity, 1), (1, -1), (1, .nan), (1, .infinity)])
    func `a cost that is no finite time is refused`(latency: Double, perMegabyte: Double) {
        #expect(throws: InputError.self) {
            try NetworkCost(latencySeconds: latency, secondsPerMegabyte: perMegabyte)
        }
    }

    @Test(
        arguments: [
            ("10Gbps", 1.25e9), ("10gbps", 1.25e9), ("800Mbit/s", 1e8), ("1GB/s", 1e9), ("1 GBps", 1e9),
            ("1.5e3B/s", nil),
            ("2MiB/s", 2_097_152), ("8bps", 1), ("64 kb/s", 8000), ("3TB/s", 3e12), ("10G", nil), ("Gbps", nil),
            ("0Gbps", nil), ("-1Gbps", nil), ("nanGbps", nil), ("10Gbps!", nil), ("", nil),
        ] as [(String, Double?)])
    func `bandwidths are read with their units`(text: String, bytesPerSecond: Double?) {
        #expect((try? Bandwidth(parsing: text))?.bytesPerSecond == bytesPerSecond)
    }
}
