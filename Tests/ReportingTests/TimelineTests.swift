// Timelines as text, drawing, trace and JSON.

import Foundation
import Platform
import SwitchModel
import Testing

@testable import Reporting

#if canImport(FoundationXML)
    import FoundationXML
#endif

@Suite struct TimelineTests {
    /// Example 1.3.1.
    private func example(_ ports: PortSemantics = .occupied) throws -> Timeline {
        let cost = try NetworkCost(latencySeconds: 1.5, secondsPerMegabyte: 5, ports: ports)
        let postings = [(5, 0, 1), (6, 1, 0), (6, 2, 0)].map { Posting(at: $0, from: $1, to: $2, megabytes: 1) }
        return Timeline(of: postings, ranks: 3, cost: cost)
    }

    /// Many ranks, waiting, messages without latency or size.
    private func others() throws -> [Timeline] {
        var timelines: [Timeline] = []
        for ports in PortSemantics.allCases {
            for (latency, perMegabyte) in [(50e-6, 8e-4), (0, 1), (1, 0), (0, 0)] {
                let cost = try NetworkCost(latencySeconds: latency, secondsPerMegabyte: perMegabyte, ports: ports)
                for pattern in [Pattern.parameterServer, .multiServer, .broadcast] {
                    timelines.append(PatternPrograms(pattern, workers: 5, megabytes: 0.3).timeline(over: cost))
                }
                timelines.append(Timeline(of: [], ranks: 0, cost: cost))
            }
        }
        return timelines
    }

    @Test func `text lanes show latency, transfer and waiting as the book's figure does`() throws {
        #expect(
            try example().lanes(width: 38) { "r\($0)" } == """
                r0 send |░░░>1████████               |
                r0 recv |  ░░░<1▓▓▓▓▓▓▓▓░░░<2▓▓▓▓▓▓▓▓|
                r1 send |  ░░░>0████████             |
                r1 recv |░░░<0▓▓▓▓▓▓▓▓               |
                r2 send |  ·············░░░>0████████|
                         ^5 s      ^10       ^15
                         waiting ·  latency ░  sending █>to  receiving ▓<from

                """)
        #expect(
            try example(.pipelined).lanes(width: 35) { "r\($0)" } == """
                r0 send |>1████████               |
                r0 recv |  ░░░<1▓▓▓▓▓▓▓▓<2▓▓▓▓▓▓▓▓|
                r1 send |  >0████████             |
                r1 recv |░░░<0▓▓▓▓▓▓▓▓            |
                r2 send |  ··········>0████████   |
                         ^5 s      ^10       ^15
                         waiting ·  latency ░  sending █>to  receiving ▓<from

                """)
    }

    @Test func `text stays within its width and says what it leaves out`() throws {
        for timeline in try others() {
            let lines = timeline.lanes(width: 90) { "rank \($0)" }.split(separator: "\n")
            #expect(lines.allSatisfy { $0.count <= 90 })
        }
        let cost = try NetworkCost(latencySeconds: 1, secondsPerMegabyte: 1)
        let large = PatternPrograms(.parameterServer, workers: 40, megabytes: 1).timeline(over: cost)
        let text = large.lanes(maximumRanks: 3) { "rank \($0)" }
        #expect(text.contains("rank 40 recv") && !text.contains("rank 3 "))
        #expect(text.hasSuffix("\n74 more ports are busy, too\n"))
    }

    @Test func `the drawing is well-formed XML with a block per piece of a message`() throws {
        for timeline in try [example(), example(.pipelined)] + others() {
            let svg = timeline.svg(title: "a < b & c") { "rank <\($0)>" }
            let counter = ElementCounter()
            let parser = XMLParser(data: Data(svg.utf8))
            parser.delegate = counter
            #expect(parser.parse(), "\(String(describing: parser.parserError))")
            if timeline.messageCount == 3 {
                #expect(counter.styles["send"] == 3 + 1 && counter.styles["receive"] == 3 + 1)
                #expect(counter.styles["waiting"] == 1 + 1)
            }
        }
    }

    @Test(arguments: [
        (0, "0"), (3.004, "3"), (12.5, "12.5"), (0.05, "0.05"), (1e6 + 0.25, "1000000.25"), (-0.001, "0"),
    ])
    func `a place in a drawing has at most two digits after the point`(value: Double, text: String) {
        #expect(Timeline.hundredths(value) == text)
    }

    /// What the tests read of a trace; slices have a duration, other events have none.
    private struct Trace: Decodable {
        struct Event: Decodable {
            let ph: String
            let name: String
            let cat: String?
            let pid: Int
            let tid: Int
            let ts: Double?
            let dur: Double?
            let id: Int?
        }
        let traceEvents: [Event]
    }

    @Test func `the trace is JSON whose slices follow one another on their thread`() throws {
        for timeline in try [example(), example(.pipelined)] + others() {
            let text = timeline.chromeTrace { "rank \($0)" }
            let events = try JSONDecoder().decode(Trace.self, from: Data(text.utf8)).traceEvents
            var ends: [Int: Double] = [:]
            for event in events where event.ph == "X" {
                let (start, duration) = (try #require(event.ts), try #require(event.dur))
                let thread = 2 * event.pid + event.tid
                #expect((start * 1000).rounded() >= ends[thread, default: 0] && duration >= 0)
                ends[thread] = ((start + duration) * 1000).rounded()
            }
            for (phase, thread) in [("s", 0), ("f", 1)] {
                let transfers = events.filter { $0.ph == "X" && $0.cat == "transfer" && $0.tid == thread }
                #expect(events.filter { $0.ph == phase }.map(\.ts) == transfers.map(\.ts))
            }
        }
        let events = try JSONDecoder().decode(
            Trace.self, from: Data(try example().chromeTrace { "M\($0 + 1)" }.utf8)
        ).traceEvents
        let slice = try #require(events.first { $0.name == "waiting to M1" })
        #expect(slice.pid == 2 && slice.tid == 0 && slice.ts == 1e6 && slice.dur == 6.5e6)
        #expect(Set(events.compactMap(\.id)) == [0, 1, 2])
    }

    private struct Head: Codable, Equatable {
        var schema = 1
        var makespan: Double
    }

    private struct Record: Decodable {
        struct Event: Decodable, Equatable {
            let from: Int
            let to: Int
            let megabytes: Double
            let at: Double
            let start: Double
            let end: Double
        }
        let schema: Int
        let makespan: Double
        let events: [Event]
    }

    @Test func `the messages stand in the record with every digit, the same bytes each time`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("timeline-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for timeline in try [example()] + others() {
            let paths = ["a", "b"].map { folder.appendingPathComponent($0).path }
            for path in paths { try timeline.writeJSON(head: Head(makespan: timeline.makespan), to: path) }
            let contents = try paths.map { try Data(contentsOf: URL(fileURLWithPath: $0)) }
            #expect(contents[0] == contents[1])
            let record = try JSONDecoder().decode(Record.self, from: contents[0])
            #expect(record.schema == 1 && record.makespan == timeline.makespan)
            #expect(
                record.events
                    == timeline.passages.map {
                        Record.Event(
                            from: $0.from, to: $0.to, megabytes: $0.megabytes, at: $0.at, start: $0.start, end: $0.end)
                    })
        }
    }
}

/// Counts elements by their class.
private final class ElementCounter: NSObject, XMLParserDelegate {
    private(set) var styles: [String: Int] = [:]

    func parser(
        _ parser: XMLParser, didStartElement element: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String]
    ) {
        if let style = attributes["class"] { styles[style, default: 0] += 1 }
    }
}
