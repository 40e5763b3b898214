// `relaxed bench codecs`: what each compression costs, what it saves, and what it does to the vector.

import ArgumentParser
import Compression
import Platform
import Reporting

struct BenchCodecsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "codecs",
        abstract: "Times each codec beside memcpy, a non-temporal copy and a plain read, and measures its errors.",
        discussion: """
            Sizes are those of vectors, by default 1K to 64M, and rates are of their bytes at the median time on one worker; \
            add decodes and adds to a vector. break-even is the bandwidth below which encoding, sending the message and \
            decoding it take less time than sending the vector: size (1 - 1/ratio) / (encode + decode). \
            alpha is |Q(y) - y|^2 / |y|^2, the mean over independent draws, bound the codec's own bound on it; \
            bias^2 is |E Q(y) - y|^2 / |y|^2, estimated from pairs of draws; s.e. are standard errors, \
            which where elements are kept rarely need many times 1/probability draws; \
            sigma'^2 is the mean of |Q(y) - y|^2.
            """)

    @OptionGroup var sweep: SweepArguments

    @Option(
        help: .init(
            """
            Codecs between semicolons, such as "quantize:bits=4,bucket=512;sign"; may be repeated. By default a list of all: \
            \(CodecFacts.all.map(\.name).joined(separator: ", ")), or two with a plus sign between them.
            """, valueName: "list"))
    var codec: [String] = []

    @Option(
        help: .init(
            """
            heavy-tailed, normal, sparse, or a file of recorded numbers, such as train --gradient-out writes: raw float32 \
            or a NumPy array. By default the size is then that of the file; larger vectors repeat it.
            """, valueName: "kind"))
    var input = "heavy-tailed"

    @Option(
        parsing: .unconditional,
        help: .init("Encodings from which errors are estimated; by default 16 to 2,048, by size.", valueName: "count"))
    var draws: Int?

    @Option(parsing: .unconditional, help: "Seed of input and draws.")
    var seed: UInt64 = 1

    @Option(help: .init("compact, scatter, physical-first, none, or a CPU such as 3.", valueName: "policy"))
    var placement = "physical-first"

    @OptionGroup var output: OutputArguments

    func run() throws {
        let configurations = try named()
        if let draws, !(2...100_000).contains(draws) || !draws.isMultiple(of: 2) {
            throw InputError(at: "--draws", found: "\(draws)", expected: "an even number from 2 to 100000")
        }
        let input = try CodecInput(parsing: input)
        let sizes = try sizes(input)
        let policy = try PlacementPolicy(parsing: placement)
        try check(configurations, sizes)
        try output.check()
        let topology = try Topology.ofThisMachine()
        let placement = try Placement(policy, workers: 1, on: topology)
        for notice in placement.notices { output.note(notice) }

        let speed = RunningTable(CodecRow.speedColumns(configurations.map(\.description)))
        let running = output.showsTables ? RunningOutput() : nil
        let place = placement.workers[0].cpu.map { "on CPU \($0)" } ?? "not pinned"
        var isFirst = true
        let rows = try measure(configurations, sizes, input: input, team: WorkerTeam(placement: placement)) { row in
            if isFirst {
                running?.show("# input \(input.name.printable), seed \(seed), one worker \(place)\n" + speed.header)
                isFirst = false
            }
            running?.show(speed.line(row.speedCells))
        }
        var accuracy = CodecRow.accuracyTable
        for row in rows { accuracy.append(row.accuracyCells) }
        running?.show("\n" + accuracy.rendered())
        if let json = output.json {
            let record = CodecsRecord(input: input.name, placement: placement, rows: rows)
            try JSONOutput.write(HeadedRecord(environment: RunEnvironment(seed: seed), body: record), to: json)
        }
        running?.end()
        if rows.contains(where: { ($0.wrong ?? 0) > 0 }) { throw ExitCode(1) }
    }

    private func named() throws(InputError) -> [CodecConfiguration] {
        if codec.isEmpty { return try CodecConfiguration.examples }
        var found: [CodecConfiguration] = []
        for text in codec.flatMap({ $0.split(separator: ";", omittingEmptySubsequences: false) }) {
            found.append(try CodecConfiguration(parsing: String(text)))
        }
        return found
    }

    private func sizes(_ input: CodecInput) throws(InputError) -> [Int] {
        let recorded = input.recordedCount.flatMap { sweep.b == nil && sweep.e == nil ? "\(4 * $0)" : nil }
        let sizes = try sweep.sizes(unit: 4, smallest: recorded ?? "1K", largest: recorded ?? "64M")
        let largest = sizes.last ?? 0
        guard largest / 4 <= UInt32.max else {
            throw InputError(
                at: "-e", found: "vectors of \(largest) bytes", expected: "less than 16G, for 32 bits count the floats")
        }
        // The input, two results, a message, and what a codec keeps.
        if let available = availableMemoryBytes(), largest > available / 6 {
            throw InputError(
                at: "-e",
                found: "vectors of \(largest) bytes, for which codecs take about \(largest / 1024 * 6 / 1024) MiB",
                expected: "what \(available >> 20) MiB of free memory hold")
        }
        let floats = sizes.filter { $0 > 0 }
        guard !floats.isEmpty else {
            throw InputError(
                at: "-e", found: "vectors of up to \(sweep.e ?? "0") bytes", expected: "at least 4, one float")
        }
        return floats
    }

    /// Throws where a codec does not suit a size, or its largest message there does not fit into memory beside its workspace.
    private func check(_ configurations: [CodecConfiguration], _ sizes: [Int]) throws(InputError) {
        for configuration in configurations {
            for bytes in sizes {
                let message = try configuration.makeCodec(count: bytes / 4).maximumEncodedBytes
                guard let available = availableMemoryBytes(), message > available / 3 else { continue }
                throw InputError(
                    at: "--codec",
                    found: "\(configuration) with messages of up to \(Quantity.bytes(message))",
                    expected: "what \(Quantity.bytes(available)) of free memory hold")
            }
        }
    }

    private func measure(
        _ configurations: [CodecConfiguration], _ sizes: [Int], input: CodecInput, team: WorkerTeam,
        _ show: (CodecRow) -> Void
    ) throws -> [CodecRow] {
        let seed = seed
        let arena = try onWorker(of: team) {
            try CodecArena(count: (sizes.last ?? 0) / 4, input: input, seed: seed)
        }
        var line = ProgressLine(isQuiet: output.quiet)
        var rows: [CodecRow] = []
        for (k, configuration) in configurations.enumerated() {
            for (j, bytes) in sizes.enumerated() {
                line.update(
                    ProgressLine.State(
                        label: "\(configuration) \(Quantity.bytes(bytes))",
                        fraction: Double(k * sizes.count + j) / Double(configurations.count * sizes.count)))
                let draws = draws ?? min(max((1 << 26) / bytes, 8), 1_024) * 2
                let sweep = CodecSweep(
                    configuration: configuration, count: bytes / 4, seed: seed, rounds: sweep.n, warmups: sweep.w,
                    draws: draws, isChecked: sweep.c == 1)
                let outcome: CodecSweep.Outcome
                do {
                    outcome = try onWorker(of: team) { try sweep.run(on: arena) }
                } catch CodecError.notFinite(let index, let value) {
                    throw InputError(
                        at: "\(input.name), element \(index)", found: "\(value) in \(configuration)",
                        expected: "what stays finite there")
                } catch CodecError.tooLarge {
                    throw InputError(
                        at: input.name, found: "elements whose sums overflow in \(configuration)",
                        expected: "sums that a float holds")
                }
                let row = CodecRow(count: bytes / 4, draws: draws, outcome: outcome)
                rows.append(row)
                line.clear()
                show(row)
            }
        }
        line.clear()
        return rows
    }

    private func onWorker<Result: Sendable>(of team: WorkerTeam, _ body: @Sendable () throws -> Result) throws -> Result
    {
        let result = Locked<Swift.Result<Result, any Error>?>(nil)
        team.run { _ in
            let found = Swift.Result { try body() }
            result.withLock { $0 = found }
        }
        return try result.withLock { try $0!.get() }
    }
}

extension CodecConfiguration {
    /// Every codec with a usual setting.
    static var examples: [CodecConfiguration] {
        get throws(InputError) {
            var all: [CodecConfiguration] = []
            for text in CodecKind.builtIn.flatMap(\.facts.examples) {
                all.append(try CodecConfiguration(parsing: text))
            }
            return all
        }
    }
}
