// `swift run -c release bench-collectives`: AllReduce and mailboxes of two threads, in turns with the C yardsticks, and the virtual
// clock with many workers. Each side is a process of its own.

import ArgumentParser
import BenchSupport
import Foundation
import Reporting

@main struct CollectivesBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-collectives",
        abstract: "AllReduce and mailboxes of two threads beside the C yardsticks, and many workers in virtual time.",
        discussion: """
            `relaxed bench` and the C programs run in turns. Ours is the median of single operations, C's the lower quartile of \
            the means of batches, as each prints it; the ratio is the median over the rounds.
            """)

    @Option(help: "Measured rounds.") var rounds = 5
    @Option(help: "Largest vector in bytes.") var largest = 64 << 20
    @Option(help: "Scratch folder for the C programs.") var scratch = NSTemporaryDirectory() + "relaxed-yardsticks"

    func run() throws {
        let relaxed = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
            .appendingPathComponent("relaxed")
        let ours = RelaxedBench(program: relaxed)
        var verdicts = try collectives(ours)
        verdicts += try mailboxes(ours)
        verdicts += try virtualTime(ours)
        for verdict in verdicts { print(verdict) }
    }

    /// The sizes at which the C program measures.
    private var sizes: [(first: Int, last: Int, factor: Int)] {
        largest < 16_384 ? [(4, min(2_048, largest), 8)] : [(4, 2_048, 8), (16_384, largest, 4)]
    }

    private func collectives(_ ours: RelaxedBench) throws -> [Verdict] {
        let yardstick = Yardstick(
            "collectives", sources: ["collectives.c"], options: ["-O3", "-march=native", "-pthread"], scratch: scratch)
        guard let yardstick else { return [] }
        var found = Rounds()
        for round in 0..<rounds {
            let sides: [() throws -> Void] = [
                {
                    for part in sizes {
                        for row in try ours.collectives(first: part.first, last: part.last, factor: part.factor) {
                            guard row.wrong == 0 else { throw WrongResult("\(row.algorithm) at \(row.bytes) bytes") }
                            found.note("\(row.algorithm) \(row.bytes)", 1e6 * row.seconds.p50Seconds)
                        }
                    }
                },
                {
                    for line in try yardstick.run(["2", "0.04", "\(largest)", "1"]).split(separator: "\n") {
                        let words = line.split(whereSeparator: { $0.isWhitespace || $0 == "/" })
                        guard let bytes = words.first.flatMap({ Int($0) }) else { continue }
                        for (name, column) in [("direct", "direct"), ("ring-allreduce", "ring")] {
                            guard let place = words.firstIndex(where: { $0 == column }),
                                let time = Double(words[place + 1])
                            else { throw WrongResult("the C yardstick printed \"\(line)\"") }
                            found.note("C \(name) \(bytes)", time)
                        }
                    }
                },
            ]
            for side in round.isMultiple(of: 2) ? sides : sides.reversed() { try side() }
        }
        return ["direct", "ring-allreduce"].flatMap { name in
            found.names.compactMap { entry -> Verdict? in
                guard entry.hasPrefix(name + " "), let bytes = Int(entry.dropFirst(name.count + 1)) else { return nil }
                let limit = name == "direct" ? (bytes >= 16_384 ? 1.15 : 1.3) : 1
                return found.verdict(
                    "\(name), \(Quantity.bytes(bytes))", entry, to: "C \(entry)", unit: "us", .atMost(limit))
            }
        }
    }

    private func mailboxes(_ ours: RelaxedBench) throws -> [Verdict] {
        let yardstick = Yardstick(
            "queues", compiler: "g++", sources: ["queues.cpp"],
            options: ["-std=c++20", "-O3", "-march=native", "-pthread"], scratch: scratch)
        guard let yardstick else { return [] }
        var found = Rounds()
        for round in 0..<rounds {
            let sides: [() throws -> Void] = [
                {
                    for row in try ours.mailboxes() {
                        let isStream = row.mailbox == "ring"
                        let nanoseconds = 1e9 * row.seconds.p50Seconds
                        found.note(row.mailbox, isStream ? 1e6 / nanoseconds : nanoseconds)
                    }
                },
                {
                    for line in try yardstick.run([]).split(separator: "\n") {
                        let medians = line.split(separator: " ").enumerated().filter { $0.element == "median" }
                        let words = line.split(separator: " ")
                        guard medians.count == 2, let rate = Double(words[medians[0].offset + 1]),
                            let trip = Double(words[medians[1].offset + 1])
                        else { throw WrongResult("the C yardstick printed \"\(line)\"") }
                        if line.contains("one-slot") { found.note("C one-slot-round-trip", trip) }
                        if line.contains("1024") {
                            found.note("C ring", rate)
                            found.note("C ring-round-trip", trip)
                        }
                    }
                },
            ]
            for side in round.isMultiple(of: 2) ? sides : sides.reversed() { try side() }
        }
        return [
            found.verdict("ring, throughput", "ring", to: "C ring", unit: "ops/ms", .atLeast(0.9)),
            found.verdict("ring, round trip", "ring-round-trip", to: "C ring-round-trip", unit: "ns", .atMost(1.2)),
            found.verdict(
                "one slot, round trip", "one-slot-round-trip", to: "C one-slot-round-trip", unit: "ns", .atMost(1.2)),
        ].compactMap { $0 }
    }

    private func virtualTime(_ ours: RelaxedBench) throws -> [Verdict] {
        let start = Date()
        _ = try ours.run([
            "collectives", "--clock", "virtual", "--workers", "256", "--algorithm", "ring-allreduce", "-b", "16384",
            "-e",
            "16384", "-w", "0", "-n", "1", "-c", "0", "--quiet", "--json", "-",
        ])
        return [
            Verdict(
                "virtual time, ring AllReduce of 4,096 floats by 256 workers", figure: Date().timeIntervalSince(start),
                reference: 10, unit: "s", .atMost(1))
        ]
    }
}

/// Figures by name, one for each round.
struct Rounds {
    private(set) var names: [String] = []
    private var figures: [String: [Double]] = [:]

    mutating func note(_ name: String, _ figure: Double) {
        if figures[name] == nil { names.append(name) }
        figures[name, default: []].append(figure)
    }

    func verdict(_ what: String, _ name: String, to other: String, unit: String, _ limit: Verdict.Limit) -> Verdict? {
        guard let ours = figures[name], let theirs = figures[other] else { return nil }
        return Verdict(
            what, figure: median(ours), reference: median(theirs), unit: unit, ratio: median(zip(ours, theirs).map(/)),
            limit)
    }

    private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}

/// `relaxed bench`, run as users run it.
struct RelaxedBench {
    struct Samples: Decodable { let p50Seconds: Double }

    struct CollectiveRow: Decodable {
        let algorithm: String
        let bytes: Int
        let seconds: Samples
        let wrong: Int
    }

    struct MailboxRow: Decodable {
        let mailbox: String
        let seconds: Samples
    }

    private struct Record<Row: Decodable>: Decodable { let rows: [Row] }

    let program: URL

    func collectives(first: Int, last: Int, factor: Int) throws -> [CollectiveRow] {
        try JSONDecoder().decode(
            Record<CollectiveRow>.self,
            from: run([
                "collectives", "--workers", "2", "--algorithm", "direct,ring-allreduce", "-b", "\(first)", "-e",
                "\(last)",
                "-f", "\(factor)", "--quiet", "--json", "-",
            ])
        ).rows
    }

    func mailboxes() throws -> [MailboxRow] {
        try JSONDecoder().decode(
            Record<MailboxRow>.self,
            from: run([
                "mailboxes", "-e", "4", "--mailbox", "ring,ring-round-trip,one-slot-round-trip", "-n", "60", "--quiet",
                "--json", "-",
            ])
        ).rows
    }

    func run(_ arguments: [String]) throws -> Data {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = program
        process.arguments = ["bench"] + arguments
        process.standardOutput = pipe
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw WrongResult("\(program.path) ended with code \(process.terminationStatus)")
        }
        return data
    }
}
