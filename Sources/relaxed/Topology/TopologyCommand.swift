// `relaxed topology`: communication graphs of section 5.1, how fast they mix and what a round costs.

import ArgumentParser
import Graphs
import Platform
import Reporting
import SwitchModel

struct TopologyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topology",
        abstract: "Shows a communication graph: W, its eigenvalues, and the cost of a round.",
        discussion: """
            Without a name it compares all graphs that N workers can have. rho is the second-largest modulus of the eigenvalues of W, \
            which LAPACK finds; where rounds differ it is that of the product of a period, by round.
            """)

    @Argument(help: .init(allNames + ", with settings such as torus:rows=4.", valueName: "graph"))
    var graph: String?

    @Option(parsing: .unconditional, help: .init("N (default 8).", valueName: "count"))
    var workers = 8

    @Option(
        help: .init(
            """
            standard (the graph's own; else uniform where degrees are equal, else metropolis), uniform, metropolis, lazy or fastest.
            """, valueName: "rule"))
    var weights = MixingRule.standard.rawValue

    @Option(
        parsing: .unconditional, help: .init("Of graphs that are drawn at random (default 1).", valueName: "number"))
    var seed: UInt64 = 1

    @Option(
        parsing: .unconditional,
        help: .init("What each message carries, in 10^6 bytes (default 1).", valueName: "megabytes"))
    var megabytes = 1.0

    @OptionGroup var network: NetworkArguments

    @Option(help: .init("Draw the graph to this file.", valueName: "file"))
    var svg: String?

    @OptionGroup var output: OutputArguments

    private static let mostWorkers = 1_024

    static var allNames: String {
        let names = GraphChoice.builtIn.map { $0.facts.name }
        return names.dropLast().joined(separator: ", ") + " or \(names[names.count - 1])"
    }

    func run() throws {
        let cost = try network.cost()
        let rule: MixingRule = try choice(named: weights, at: "--weights")
        guard (1...Self.mostWorkers).contains(workers) else {
            throw InputError(at: "--workers", found: "\(workers)", expected: "1 to \(Self.mostWorkers)")
        }
        guard megabytes >= 0, megabytes.isFinite else {
            throw InputError(at: "--megabytes", found: "\(megabytes)", expected: "a size, finite and not negative")
        }
        try output.check()
        if let svg { try JSONOutput.check(svg, option: "--svg") }
        try OutputTargets.requireDistinct([("--json", output.json), ("--svg", svg)])
        let price = RoundPrice(cost: cost, megabytes: megabytes, workers: workers)
        if let graph {
            let choice = try GraphChoice(parsing: graph, at: "relaxed topology")
            let made = try choice.make(workers: workers, seed: seed, at: "relaxed topology")
            try show(choice.description, Mixing(made, rule), price)
        } else {
            if svg != nil { throw InputError(at: "--svg", found: "it without a graph", expected: "the name of one") }
            try compare(rule, price)
        }
    }

    private func show(_ name: String, _ mixing: Mixing, _ price: RoundPrice) throws {
        let record = try TopologyRecord(name, mixing, price, withMatrices: true)
        let drawing = GraphDrawing(mixing)
        if output.showsTables {
            var table = TextTable([.text("\(name), N = \(workers)"), .number("")])
            for (what, value) in record.lines { table.append([what, value]) }
            print(table.rendered(), drawing.text(width: Terminal.width), separator: "\n", terminator: "")
        }
        if let svg { try AtomicFile.write(drawing.svg(title: "\(name), \(workers) workers"), to: svg, option: "--svg") }
        if let json = output.json {
            try JSONOutput.write(HeadedRecord(environment: RunEnvironment(seed: seed), body: record), to: json)
        }
    }

    private func compare(_ rule: MixingRule, _ price: RoundPrice) throws {
        var records: [TopologyRecord] = []
        for type in GraphChoice.builtIn {
            // Those that N workers cannot have, or that have no such weights, are left out.
            guard let graph = try? GraphChoice(type).make(workers: workers, seed: seed),
                let mixing = try? Mixing(graph, rule)
            else { continue }
            records.append(try TopologyRecord(graph.name, mixing, price, withMatrices: false))
        }
        if output.showsTables { print(TopologyRecord.table(records).rendered(), terminator: "") }
        if let json = output.json {
            try JSONOutput.write(
                HeadedRecord(environment: RunEnvironment(seed: seed), body: TopologyRecords(rows: records)), to: json)
        }
    }
}

extension GraphDrawing {
    init(_ mixing: Mixing) {
        let (graph, ranks) = (mixing.graph, 0..<mixing.workers)
        self.init(
            ranks: mixing.workers,
            own: (0..<mixing.period).map { round in ranks.map { mixing.own($0, round: round) } },
            rounds: (0..<mixing.period).map { round in
                ranks.flatMap { rank in
                    zip(graph.sources(of: rank, round: round), mixing.incoming(of: rank, round: round)).map {
                        Edge(from: $0, to: rank, weight: $1)
                    }
                }
            })
    }
}
