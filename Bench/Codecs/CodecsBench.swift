// `swift run -c release bench-codecs`: our codecs and the C yardsticks in turns, on the same vector, in one process on one pinned
// worker.

import ArgumentParser
import BenchSupport
import Compression
import Foundation
import Kernels
import Platform
import Reporting

@main struct CodecsBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-codecs",
        abstract: "Encoding and decoding beside the C yardsticks with AVX2 and with AVX-512, at 64 MB and 256 KB.",
        discussion: """
            Rates are GB of floats per second, medians over the rounds; ratios are medians of the ratios within a round. \
            Both sides must come to the same squared error.
            """)

    @Option(help: "Measured rounds.") var rounds = 15
    @Option(help: "Scratch folder for the C libraries.") var scratch = NSTemporaryDirectory() + "relaxed-yardsticks"
    @Option(help: "Only contests whose name contains this.") var only = ""
    @Option(help: "Only one size, 64M or 256K.") var size: String?

    func run() throws {
        let counts = ["64M": 16 << 20, "256K": 64 << 10]
        if let size, counts[size] == nil {
            throw ValidationError("--size: found \"\(size)\", expected 64M or 256K")
        }
        let team = try WorkerTeam(placement: Placement(.physicalFirst, workers: 1, on: .ofThisMachine()))
        let yardsticks = Yardsticks(scratch: scratch)
        var verdicts: [Verdict] = []
        for count in size.map({ [counts[$0]!] }) ?? [16 << 20, 64 << 10] {
            let field = try onWorker(of: team) { try Field(count: count) }
            print("\(Quantity.bytes(4 * count)): " + (try limits(field, team)))
            var table = TextTable([
                .text("contest"), .number("ours", unit: "GB/s"), .number("C AVX2", unit: "GB/s"), .number("ratio"),
                .number("C AVX-512", unit: "GB/s"), .number("ratio"),
            ])
            for duel in Duel.all where only.isEmpty || duel.name.contains(only) {
                let found = try run(duel, field, team, yardsticks)
                for line in found.lines { table.append(line) }
                verdicts += found.verdicts
            }
            print(table.rendered())
        }
        for verdict in verdicts { print(verdict) }
    }

    /// What memory gives on this machine in this run.
    private func limits(_ field: Field, _ team: WorkerTeam) throws -> String {
        func contestant(_ name: String, _ body: @escaping @Sendable () -> Void) -> Contest.Contestant {
            .init(name) { try onWorker(of: team) { field.rate(body) } }
        }
        let contest = try Contest(
            rounds: rounds, unit: "GB/s",
            [
                contestant("memcpy") {
                    unsafe UnsafeMutableRawPointer(field.output.pointer).copyMemory(
                        from: field.input.pointer, byteCount: 4 * field.count)
                },
                contestant("non-temporal copy") {
                    unsafe copyPastCaches(into: field.output.pointer, from: field.input.pointer, count: field.count)
                },
                contestant("read") {
                    let total = unsafe sum(field.input.pointer, count: field.count)
                    precondition(total.isFinite, "the input sums to \(total)")
                },
            ])
        return contest.figures.map { "\($0.name) \(Quantity.number($0.quantile(0.5), digits: 3)) GB/s" }
            .joined(separator: ", ")
    }

    /// What error feedback cannot do without; where vectors do not fit the caches it is the limit.
    private static let addition = "adding the gradient to the residual"

    private func run(_ duel: Duel, _ field: Field, _ team: WorkerTeam, _ yardsticks: Yardsticks) throws -> (
        lines: [[String]], verdicts: [Verdict]
    ) {
        let sides = try onWorker(of: team) { try duel.sides(field, yardsticks) }
        var contestants = sides.flatMap { side in
            side.operations.map { operation in
                Contest.Contestant("\(side.name) \(operation.name)") {
                    try onWorker(of: team) { field.rate(operation.run) }
                }
            }
        }
        if duel.isFused && duel.limit != nil && field.count >= StreamingStore.leastCount {
            contestants.append(
                Contest.Contestant(Self.addition) {
                    try onWorker(of: team) {
                        field.rate {
                            unsafe addScaled(
                                to: field.residual.pointer, scale: 0.5, field.input.pointer, count: field.count)
                        }
                    }
                })
        }
        let contest = try Contest(rounds: rounds, unit: "GB/s", contestants)
        try onWorker(of: team) { try checkErrors(sides, field, duel) }

        func median(_ name: String) -> Double? {
            contest.figures.first { $0.name == name }?.quantile(0.5)
        }
        var lines: [[String]] = []
        var verdicts: [Verdict] = []
        for operation in sides[0].operations.map(\.name) {
            let ours = median("ours \(operation)") ?? .nan
            var line = ["\(duel.name), \(operation)", Quantity.number(ours, digits: 3)]
            for side in [Side.Name.avx2, .avx512] {
                let name = "\(side) \(operation)"
                line.append(median(name).map { Quantity.number($0, digits: 3) } ?? "-")
                let ratio = contest.ratio(of: "ours \(operation)", to: name)
                line.append(ratio.map { Quantity.fixed($0, decimals: 2) } ?? "-")
                if let ratio, let theirs = median(name), let limit = duel.limit, side == duel.reference,
                    operation == "encode" || operation == "decode"
                {
                    verdicts.append(
                        Verdict(
                            "\(duel.name), \(operation), \(Quantity.bytes(4 * field.count))", figure: ours,
                            reference: theirs, unit: "GB/s", ratio: ratio, .atLeast(limit)))
                }
            }
            lines.append(line)
        }
        if duel.limit != nil, let ratio = contest.ratio(of: "ours encode", to: "ours fused") {
            let size = Quantity.bytes(4 * field.count)
            func milliseconds(_ name: String) -> Double { field.gigabytes / (median(name) ?? .nan) * 1e3 }
            // Alone a vector is read and a message written; feedback reads the residual as well, and writes it.
            let message = try CodecConfiguration(parsing: duel.codec).makeCodec(count: field.count).maximumEncodedBytes
            let moved = Quantity.fixed(
                Double(12 * field.count + message) / Double(4 * field.count + message), decimals: 2)
            verdicts.append(
                Verdict(
                    "\(duel.name), error feedback fused (moves \(moved) times the memory), to the codec alone, \(size)",
                    figure: milliseconds("ours fused"), reference: milliseconds("ours encode"), unit: "ms",
                    ratio: ratio, .atMost(1.6)))
            if let ratio = contest.ratio(of: Self.addition, to: "ours fused") {
                verdicts.append(
                    Verdict(
                        "\(duel.name), error feedback fused, to \(Self.addition), \(size)",
                        figure: milliseconds("ours fused"), reference: milliseconds(Self.addition), unit: "ms",
                        ratio: ratio, .atMost(1.4)))
            }
        }
        return (lines, verdicts)
    }

    /// The same work has the same squared error, but for the draws.
    private func checkErrors(_ sides: [Side], _ field: Field, _ duel: Duel) throws {
        // Of few floats a few large ones make most of the error: the mean over draws.
        let draws = max(1, (4 << 20) / field.count)
        var errors: [(name: Side.Name, error: Double)] = []
        for side in sides {
            var sum = 0.0
            for _ in 0..<draws {
                for operation in side.operations where operation.name != "fused" { operation.run() }
                sum += field.squaredError
            }
            errors.append((side.name, sum / Double(draws)))
        }
        for (name, error) in errors.dropFirst() where !(abs(error - errors[0].error) <= duel.slack * error) {
            throw WrongResult("\(duel.name): squared error \(errors[0].error), that of \(name) \(error)")
        }
    }
}

/// Runs `body` on the team's first worker.
func onWorker<Result: Sendable>(of team: WorkerTeam, _ body: @Sendable () throws -> Result) throws -> Result {
    let result = Locked<Swift.Result<Result, any Error>?>(nil)
    team.run { _ in
        let found = Swift.Result { try body() }
        result.withLock { $0 = found }
    }
    return try result.withLock { try $0!.get() }
}
