// `swift run -c release bench-parsing`: how fast LIBSVM text is parsed on one worker and on two, and in how much memory.

import ArgumentParser
import BenchSupport
import Datasets
import Foundation
import Platform

@main struct Parsing: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-parsing",
        abstract: "Parses the training rows of W1, beside a plain read of the same bytes, and looks at peak memory.")

    @Option(help: "Measured rounds.") var rounds = 9
    @Option(help: .init("Scratch folder with data/w1.train.libsvm; the data are made there if missing.")) var data =
        W1.defaultScratch
    @Option(help: .init("Parse the file in this process and print its peak memory.", visibility: .private))
    var peakOf: String?
    @Option(help: .init("Workers for that.", visibility: .private)) var peakWorkers = 1

    func run() throws {
        if let peakOf {
            let parsed = try LIBSVMReader(team: Self.team(peakWorkers)).read(peakOf).dataset
            print(try Self.peakBytes(), parsed.byteCount)
            return
        }
        guard let w1 = W1(scratch: data) else { return }
        let check = ResultCheck()
        let one = try Self.team(1)
        let two = try Self.team(2)
        let contest = try Contest(
            rounds: rounds, unit: "MB/s",
            [
                .init("1 worker") { try Self.parse(w1.train, one, check) },
                .init("2 workers") { try Self.parse(w1.train, two, check) },
                .init("plain read") { try Self.countLines(w1.train, one, check) },
            ])
        print(contest.rendered(reference: "plain read"))
        let peaks = try [1, 2].map { try Self.peakInChild(w1.train, workers: $0) }

        let medians = contest.figures.map { $0.quantile(0.5) }
        print(Verdict("parsing on 1 worker", figure: medians[0], reference: 300, unit: "MB/s", .atLeast(1)))
        print(
            Verdict(
                "2 workers to 1", figure: medians[1], reference: medians[0], unit: "MB/s",
                ratio: contest.ratio(of: "2 workers", to: "1 worker"), .atLeast(1.7)))
        for (workers, peak) in zip([1, 2], peaks) {
            print(
                Verdict(
                    "peak memory, \(workers) workers, to 1.3 x CSR + 64 MB", figure: peak.peak / 1e6,
                    reference: 1.3 * peak.arrays / 1e6 + 64, unit: "MB", .atMost(1)))
        }
    }

    private static func team(_ workers: Int) throws -> WorkerTeam {
        try WorkerTeam(placement: Placement(.physicalFirst, workers: workers, on: .ofThisMachine()))
    }

    /// Megabytes of 10^6 bytes per second, from the open file to the finished arrays.
    private static func parse(_ path: String, _ team: WorkerTeam, _ check: ResultCheck) throws -> Double {
        let start = monotonicNanoseconds()
        let (parsed, bytes) = try LIBSVMReader(team: team).read(path)
        let seconds = Double(monotonicNanoseconds() - start) / 1e9
        var sum = UInt64(parsed.nonzeroCount)
        let rows = unsafe parsed.rows
        for k in 0..<parsed.nonzeroCount {
            unsafe sum = sum &* 31 &+ UInt64(rows.indices[k]) &+ UInt64(rows.values[k].bitPattern) << 32
        }
        try check.same(rows: parsed.rowCount, checksum: sum)
        return Double(bytes) / seconds / 1e6
    }

    /// The limit: every byte of the mapped file is looked at once, by one pinned worker.
    private static func countLines(_ path: String, _ team: WorkerTeam, _ check: ResultCheck) throws -> Double {
        let start = monotonicNanoseconds()
        let text = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
        let lines = Locked(0)
        team.run { _ in
            var count = 0
            unsafe text.withUnsafeBytes { bytes in
                for i in bytes.indices where unsafe bytes[i] == 0x0A { count += 1 }
            }
            lines.withLock { $0 = count }
        }
        let seconds = Double(monotonicNanoseconds() - start) / 1e9
        try check.same(rows: lines.withLock { $0 })
        return Double(text.count) / seconds / 1e6
    }

    /// Parses in a process of its own, whose peak is its own alone.
    private static func peakInChild(_ path: String, workers: Int) throws -> (peak: Double, arrays: Double) {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["--peak-of", path, "--peak-workers", "\(workers)"]
        process.standardOutput = pipe
        try process.run()
        let text = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        let numbers = text.split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
        guard process.terminationStatus == 0, numbers.count == 2 else {
            throw WrongResult("the process that looks at its memory printed \"\(text)\"")
        }
        return (numbers[0], numbers[1])
    }

    /// The largest resident set of this program so far; unlike `ru_maxrss` it leaves out that of the process that started it.
    private static func peakBytes() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        guard let kilobytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) }) else {
            throw WrongResult("no VmHWM in /proc/self/status")
        }
        return kilobytes * 1024
    }
}

/// All runs must find the same rows, and all parses the same nonzeros.
private final class ResultCheck {
    private var rows: Int?
    private var checksum: UInt64?

    func same(rows found: Int, checksum foundSum: UInt64? = nil) throws {
        if let rows, rows != found { throw WrongResult("\(found) rows, before \(rows)") }
        if let checksum, let foundSum, checksum != foundSum { throw WrongResult("other nonzeros than before") }
        rows = found
        checksum = foundSum ?? checksum
    }
}
