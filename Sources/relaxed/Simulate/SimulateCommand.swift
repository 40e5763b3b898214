// `relaxed simulate`: the switch model in virtual time, for a pattern by name or messages from a file.

import ArgumentParser
import Platform
import Reporting
import SwitchModel

struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Sends messages through the logical switch of section 1.3 and shows when each travels.",
        discussion: """
            Either a pattern by name, with its closed form, or a file of messages. Nothing is trained and nothing waits: \
            the time is that of the model.
            """)

    @Option(help: .init(names(of: Pattern.self) + ".", valueName: "name"))
    var pattern: String?

    @Option(
        help: .init(
            """
            Messages as a JSON array of {"at": 5, "from": 1, "to": 2, "megabytes": 1}, or - for standard input.
            """, valueName: "file"))
    var events: String?

    @Option(parsing: .unconditional, help: .init("Workers of the pattern, beside its server.", valueName: "count"))
    var workers: Int?

    @Option(
        parsing: .unconditional, help: .init("Size of the pattern's vector, in 10^6 bytes.", valueName: "megabytes"))
    var megabytes: Double?

    @OptionGroup var network: NetworkArguments

    @Option(
        parsing: .unconditional,
        help: .init("Divides what is transferred, and never the latency.", valueName: "factor"))
    var compression = 1.0

    @Option(
        parsing: .unconditional,
        help: .init("asgd, parameter-server: time to compute one gradient (default 0).", valueName: "time"))
    var compute: TimeArgument?

    @Option(
        parsing: .unconditional,
        help: .init(
            "asgd: updates of all workers together, by turns; parameter-server: gradients, N an iteration. By default one each.",
            valueName: "count"))
    var updates: Int?

    @Option(
        parsing: .unconditional,
        help: .init(
            "asgd: servers with equal chunks of the vector, or their sizes, such as 4:2:1:1.",
            valueName: "count or sizes"))
    var servers: String?

    @Option(
        parsing: .unconditional,
        help: .init("asgd: gradients of a worker that may be under way (default 1).", valueName: "count"))
    var pipelined: Int?

    @Option(help: .init("Draw the timeline to this file.", valueName: "file"))
    var svg: String?

    @Option(help: .init("Write the timeline as a Chrome trace, which Perfetto opens.", valueName: "file"))
    var trace: String?

    @Flag(help: "Makespan and closed form alone: keeps no messages, for patterns with very many.")
    var summary = false

    @OptionGroup var output: OutputArguments

    func run() throws {
        let cost = try network.cost()
        try require(compression > 0 && compression.isFinite, "--compression", compression, "a positive number")
        try output.check()
        for (option, path) in [("--svg", svg), ("--trace", trace)] {
            guard let path else { continue }
            if summary { throw InputError(at: option, found: "it beside --summary", expected: "one of them") }
            try JSONOutput.check(path, option: option)
        }
        try OutputTargets.requireDistinct([("--json", output.json), ("--svg", svg), ("--trace", trace)])
        switch (pattern, events) {
        case (let pattern?, nil): try simulate(pattern: pattern, over: cost)
        case (nil, let events?): try simulate(events: events, over: cost)
        case (nil, nil):
            throw InputError(at: "simulate", found: "nothing to simulate", expected: "--pattern or --events")
        case (_?, _?):
            throw InputError(at: "--events", found: "it beside --pattern", expected: "one of them")
        }
    }

    private func simulate(pattern name: String, over cost: NetworkCost) throws {
        let pattern: Pattern = try choice(named: name, at: "--pattern")
        guard let workers else { throw InputError(at: "--workers", found: "no number", expected: "at least 1") }
        guard let megabytes else {
            throw InputError(at: "--megabytes", found: "no size", expected: "10^6 bytes, such as 1")
        }
        try require(
            (1...EventFile.maximumRanks).contains(workers), "--workers", workers, "1 to \(EventFile.maximumRanks)")
        try require(megabytes >= 0 && megabytes.isFinite, "--megabytes", megabytes, "a size, finite and not negative")
        let computes = pattern == .asgd || pattern == .parameterServer
        for (option, isGiven, isUsed) in [
            ("--compute", compute != nil, computes), ("--updates", updates != nil, computes),
            ("--servers", servers != nil, pattern == .asgd), ("--pipelined", pipelined != nil, pattern == .asgd),
        ] where isGiven && !isUsed {
            throw InputError(at: option, found: "it beside --pattern \(name)", expected: "--pattern asgd")
        }
        let computeSeconds = try compute?.seconds(at: "--compute") ?? 0
        let updates = updates ?? workers
        try require((1...1_000_000_000_000).contains(updates), "--updates", updates, "1 to 10^12")

        if pattern == .parameterServer {
            try require(updates.isMultiple(of: workers), "--updates", updates, "a multiple of --workers \(workers)")
        }

        let travelling = megabytes / compression
        let loads = pattern == .asgd ? try serverLoads(megabytes: travelling) : nil
        let count =
            (loads?.megabytes.count ?? 1)
            * (computes ? 2 * updates : pattern.messageCount(workers: workers, updates: updates))
        try require(
            count <= Self.mostMessages, "simulate", "\(count) messages",
            "at most \(Quantity.grouped(Self.mostMessages))")
        let isKept = !summary && (isDrawn || count <= Self.mostInText)
        if isKept { try requireMemory(messages: count) }
        let timeline: Timeline
        let closed: ClosedForm?
        if let loads {
            let programs = loads.programs(workers: workers, updates: updates) { _, _ in computeSeconds }
            timeline = simulated(programs, messages: count, over: cost, keepingPassages: isKept)
            closed = loads.closedForm(workers: workers, over: cost, updates: updates, computeSeconds: computeSeconds)
        } else {
            if pattern == .parameterServer {
                let programs = ServerIterations(
                    workers: workers, megabytes: travelling, iterations: updates / workers,
                    computeSeconds: computeSeconds)
                timeline = simulated(programs, messages: count, over: cost, keepingPassages: isKept)
            } else {
                let programs = PatternPrograms(pattern, workers: workers, megabytes: travelling)
                timeline = simulated(programs, messages: count, over: cost, keepingPassages: isKept)
            }
            closed = pattern.closedForm(
                workers: workers, megabytes: travelling, over: cost, updates: updates, computeSeconds: computeSeconds)
        }
        var record = SimulationRecord(timeline: timeline, compression: compression)
        record.pattern = pattern
        record.workers = workers
        record.megabytes = megabytes
        record.predicted = closed?.seconds
        record.formula = closed?.formula
        if computes {
            record.computeSeconds = computeSeconds
            record.updates = updates
        }
        let title = "\(name), \(workers) \(workers == 1 ? "worker" : "workers"), \(Quantity.plain(megabytes)) MB"
        try write(timeline, record, title: title, isKept: isKept) { $0 >= workers ? "server \($0)" : "rank \($0)" }
    }

    /// What the servers of asgd have, and how many gradients a worker has under way.
    private func serverLoads(megabytes: Double) throws(InputError) -> ServerLoads {
        let pipelined = pipelined ?? 1
        try require((1...1_024).contains(pipelined), "--pipelined", pipelined, "1 to 1024")
        guard let servers else { return ServerLoads(megabytes: [megabytes], pipelined: pipelined) }
        let numbers = servers.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
        let isCount = numbers.count == 1
        guard numbers.allSatisfy({ (1...(isCount ? 1_024 : 1_000_000)).contains($0 ?? 0) }), numbers.count <= 1_024
        else {
            throw InputError(at: "--servers", found: "\"\(servers)\"", expected: "1 to 1024, or sizes such as 4:2:1:1")
        }
        let sizes = isCount ? Array(repeating: 1, count: numbers[0]!) : numbers.map { $0! }
        let whole = Double(sizes.reduce(0, +))
        return ServerLoads(megabytes: sizes.map { megabytes * Double($0) / whole }, pipelined: pipelined)
    }

    private func simulated(
        _ programs: some RankPrograms, messages count: Int, over cost: NetworkCost, keepingPassages: Bool
    ) -> Timeline {
        var progress = ProgressLine(isQuiet: output.quiet)
        return Timeline(running: programs, cost: cost, keepingPassages: keepingPassages) { messages in
            progress.update(.init(label: "messages", fraction: Double(messages) / Double(count)))
        }
    }

    private func simulate(events path: String, over cost: NetworkCost) throws {
        for (option, isGiven) in [
            ("--workers", workers != nil), ("--megabytes", megabytes != nil), ("--compute", compute != nil),
            ("--updates", updates != nil), ("--servers", servers != nil), ("--pipelined", pipelined != nil),
        ] where isGiven {
            throw InputError(at: option, found: "it beside --events", expected: "--pattern")
        }
        let postings = try EventFile.read(path).map {
            Posting(at: $0.at, from: $0.from, to: $0.to, megabytes: $0.megabytes / compression)
        }
        try requireMemory(messages: postings.count)
        let ranks = postings.reduce(0) { max($0, $1.from + 1, $1.to + 1) }
        let timeline = Timeline(of: postings, ranks: ranks, cost: cost)
        let record = SimulationRecord(timeline: timeline, compression: compression)
        let title = "\(postings.count) \(postings.count == 1 ? "event" : "events")"
        try write(timeline, record, title: title, isKept: true) { "rank \($0)" }
    }

    /// So many take minutes; many more would never end.
    static let mostMessages = 1_000_000_000

    /// Beyond so many messages a text shows nothing that could be read.
    private static let mostInText = 100_000

    /// Refuses messages for which the kernel would end the process: an array traps where it cannot grow.
    private func requireMemory(messages: Int) throws(InputError) {
        // While they grow and are sorted, messages take up to three times their size; a drawing, one text in memory,
        // takes about 900 bytes for each, again up to three times.
        let bytes = 3 * MemoryLayout<Passage>.stride + (svg != nil || trace != nil ? 3 * 900 : 0)
        guard let available = availableMemoryBytes(), messages > available / bytes else { return }
        throw InputError(
            at: "simulate", found: "\(messages) messages, which take about \((messages * bytes) >> 20) MiB of memory",
            expected: "what \(available >> 20) MiB of free memory hold"
                + (pattern == nil ? "" : ", or --summary, which keeps none"))
    }

    private var isDrawn: Bool { output.json != nil || svg != nil || trace != nil }

    private func write(
        _ timeline: Timeline, _ record: SimulationRecord, title: String, isKept: Bool, rank name: (Int) -> String
    ) throws {
        guard timeline.makespan.isFinite else {
            throw InputError(at: "simulate", found: "times beyond 1e308 seconds", expected: "smaller messages or times")
        }
        // What goes to standard output has it alone.
        if output.showsTables, ![output.json, svg, trace].contains(where: OutputTargets.isStandardOutput) {
            print(record.text(title: title), terminator: "")
            if isKept, !summary, timeline.messageCount <= Self.mostInText {
                print("\n" + timeline.lanes(rank: name), terminator: "")
                if (1...40).contains(timeline.messageCount) { print("\n" + timeline.table(), terminator: "") }
            }
        }
        let head = title + ": makespan " + Quantity.plain(timeline.makespan) + " s"
        if let svg { try AtomicFile.write(timeline.svg(title: head, rank: name), to: svg, option: "--svg") }
        if let trace { try AtomicFile.write(timeline.chromeTrace(rank: name), to: trace, option: "--trace") }
        if let json = output.json {
            let record = HeadedRecord(
                environment: RunEnvironment(seed: nil, isReproducible: true), body: record)
            if summary {
                try JSONOutput.write(record, to: json)
            } else {
                try timeline.writeJSON(head: record, to: json)
            }
        }
    }

    private func require(
        _ condition: Bool, _ option: String, _ found: some CustomStringConvertible, _ expected: String
    ) throws(InputError) {
        if !condition { throw InputError(at: option, found: "\(found)", expected: expected) }
    }
}
