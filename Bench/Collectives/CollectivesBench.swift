// `swift run -c release bench-collectives`: AllReduce and mailboxes of two threads, in turns with the C yardsticks, and the virtual
// clock with many workers. Each side is a process of its own.

import ArgumentParser
import BenchSupport
import Collectives
import Foundation
import Messaging
import Platform
import Reporting
import SwitchModel

@main struct CollectivesBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-collectives",
        abstract:
            "AllReduce and mailboxes of two threads beside the C yardsticks, workers in virtual time, and the cost of waiting.",
        discussion: """
            Ours and the C programs run in turns. An AllReduce's figure is the lower quartile of the means of batches, as seen by \
            thread 0, on both sides; the ratio is the median over the rounds.
            """)

    @Option(help: "Measured rounds.") var rounds = 5
    @Option(help: "Largest vector in bytes.") var largest = 64 << 20
    @Option(help: "Scratch folder for the C programs.") var scratch = NSTemporaryDirectory() + "relaxed-yardsticks"

    func run() throws {
        let relaxed = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
            .appendingPathComponent("relaxed")
        let ours = RelaxedBench(program: relaxed)
        var verdicts = try collectives()
        verdicts += try mailboxes(ours)
        verdicts += try virtualTime()
        verdicts += try WaitingShare(seconds: 0.4).verdicts()
        for verdict in verdicts { print(verdict) }
    }

    /// The sizes at which the C program measures.
    private var sizes: [Int] {
        Array(sequence(first: 4) { $0 * ($0 < 4_096 ? 8 : 4) }.prefix { $0 <= largest })
    }

    private func collectives() throws -> [Verdict] {
        let yardstick = Yardstick(
            "collectives", sources: ["collectives.c"], options: ["-O3", "-march=native", "-pthread"], scratch: scratch)
        guard let yardstick else { return [] }
        let topology = try Topology.ofThisMachine()
        let team = try WorkerTeam(placement: Placement(.physicalFirst, workers: 2, on: topology))
        let pingPong = PingPong()
        let timed = TimedAllReduces(algorithms: [.direct, .ring], sizes: sizes, batchSeconds: 0.04 / 41)
        var found = Rounds()
        var kept = 0
        // A virtual machine's cores may lie near each other in one minute and far apart in the next, which changes every figure
        // fivefold: rounds in which the two sides' ping-pongs differ compare nothing.
        for round in 0..<3 * rounds where kept < rounds {
            var figures = Rounds()
            var pingPongs: [Double] = []
            let sides: [() throws -> Void] = [
                {
                    pingPongs.append(2 * (pingPong.nanoseconds(team) ?? .nan))
                    for figure in try timed.run(placement: team.placement) {
                        figures.note("\(figure.algorithm.rawValue) \(figure.bytes)", 1e6 * figure.seconds)
                    }
                    pingPongs.append(2 * (pingPong.nanoseconds(team) ?? .nan))
                },
                {
                    for line in try yardstick.run(["2", "0.04", "\(max(largest, 1 << 15))", "1"]).split(separator: "\n")
                    {
                        let words = line.split(whereSeparator: { $0.isWhitespace || $0 == "/" })
                        if line.hasPrefix("ping-pong 2 lines, pause"), let place = words.firstIndex(of: "p25"),
                            let time = Double(words[place + 1])
                        {
                            pingPongs.append(time)
                        }
                        guard let bytes = words.first.flatMap({ Int($0) }) else { continue }
                        for (name, column) in [("direct", "direct"), ("ring-allreduce", "ring")] {
                            guard let place = words.firstIndex(where: { $0 == column }),
                                let time = Double(words[place + 1])
                            else { throw WrongResult("the C yardstick printed \"\(line)\"") }
                            figures.note("C \(name) \(bytes)", time)
                        }
                    }
                },
            ]
            for side in round.isMultiple(of: 2) ? sides : sides.reversed() { try side() }
            let texts = pingPongs.map { Quantity.number($0, digits: 3) }.joined(separator: ", ")
            let isAlike = pingPongs.max()! < 2 * pingPongs.min()!
            print("round \(round): ping-pongs \(texts) ns\(isAlike ? "" : ", left out")")
            if !isAlike { continue }
            found.append(figures)
            kept += 1
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

    /// Real worker programs on the virtual clock: how long they take in real time, and that two runs agree to the last bit.
    private func virtualTime() throws -> [Verdict] {
        let cost = try NetworkCost(latencySeconds: 50e-6, secondsPerMegabyte: 8e-4)
        func measure(
            _ what: String, workers: Int, _ program: @Sendable (Communicator, FloatVector) throws -> Void
        ) throws -> Verdict {
            var times: [[Double]] = []
            var seconds = 0.0
            for _ in 0..<2 {
                let start = monotonicNanoseconds()
                let fabric = try Fabric(
                    count: workers, clock: .virtual(cost), straggler: .lognormal(sigma: 0.5, seed: 1))
                times.append(
                    try fabric.run { communicator in
                        try communicator.compute(seconds: 1e-3) {}
                        var vector = [Float](repeating: Float(communicator.rank), count: 4_096)
                        try unsafe vector.withUnsafeMutableBufferPointer { try unsafe program(communicator, $0) }
                        return communicator.now
                    })
                seconds = max(seconds, Double(monotonicNanoseconds() - start) / 1e9)
            }
            guard times[0] == times[1] else { throw WrongResult("\(what): two runs differ") }
            return Verdict("virtual time, \(what)", figure: seconds, reference: 10, unit: "s", .atMost(1))
        }
        return [
            try unsafe measure("ring AllReduce of 4,096 floats by 256 workers", workers: 256) {
                try unsafe $0.ringAllReduce($1)
            },
            try unsafe measure("ring exchange of 4,096 floats by 1,024 workers", workers: 1_024) {
                try unsafe $0.ringExchange(UnsafeBufferPointer($1)) { _, _ in }
            },
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

    mutating func append(_ others: Rounds) {
        for name in others.names { for figure in others.figures[name]! { note(name, figure) } }
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

    struct MailboxRow: Decodable {
        let mailbox: String
        let seconds: Samples
    }

    private struct Mailboxes: Decodable { let rows: [MailboxRow] }

    let program: URL

    func mailboxes() throws -> [MailboxRow] {
        try JSONDecoder().decode(
            Mailboxes.self,
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
