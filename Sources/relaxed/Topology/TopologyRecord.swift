// What `relaxed topology` says of a graph, as JSON and as text.

import Graphs
import Platform
import Reporting
import SwitchModel
import Training

/// What a round costs on the switch.
struct RoundPrice {
    let cost: NetworkCost
    let megabytes: Double
    let workers: Int

    /// Of one round, the mean over a period.
    func seconds(_ graph: any Graph) -> Double {
        let rounds = (0..<graph.period).map { round in
            let programs = NeighbourPrograms(graph, round: round, megabytes: megabytes)
            return Timeline(running: programs, cost: cost, keepingPassages: false).makespan
        }
        return rounds.reduce(0, +) / Double(rounds.count)
    }

    /// Of a ring AllReduce of the same vectors.
    var allReduceSeconds: Double {
        PatternPrograms(.ringAllReduce, workers: workers, megabytes: megabytes)
            .timeline(over: cost, keepingPassages: false).makespan
    }
}

/// One graph with its weights.
struct TopologyRecord: Encodable {
    let graph: String
    let workers: Int
    let weights: String
    /// Rounds that differ.
    let period: Int
    let degree: Int
    /// Rounds until all ranks know what one knew; null where somebody never does.
    let diameter: Int?
    let symmetric: Bool
    let rho: Double
    let gap: Double
    let smallestEigenvalue: Double?
    /// Real parts, falling; of the product of a period.
    let eigenvalues: [Double]
    /// In the same order; null where all are real.
    let imaginaryParts: [Double]?
    let roundsToConsensus: Int?
    let effectiveNeighbours: Double?
    let megabytes: Double
    let latencySeconds: Double
    let secondsPerMegabyte: Double
    let roundSeconds: Double
    let allReduceSeconds: Double
    /// W of the first round, a row a receiver; `mixingRounds` of all where they differ.
    let mixing: [[Double]]?
    let mixingRounds: [[[Double]]]?

    init(_ name: String, _ mixing: Mixing, _ price: RoundPrice, withMatrices: Bool) throws(InputError) {
        let (spectrum, graph) = (try Spectrum(mixing), mixing.graph)
        self.graph = name
        workers = mixing.workers
        weights = mixing.rule.rawValue
        period = mixing.period
        degree = graph.degree
        diameter = mixing.isConnected ? graph.diameter : nil
        symmetric = spectrum.isSymmetric
        rho = spectrum.rho
        gap = spectrum.gap
        smallestEigenvalue = spectrum.smallest
        eigenvalues = spectrum.eigenvalues.map(\.real)
        imaginaryParts =
            spectrum.eigenvalues.contains { $0.imaginary != 0 } ? spectrum.eigenvalues.map(\.imaginary) : nil
        roundsToConsensus = spectrum.roundsToConsensus
        effectiveNeighbours = spectrum.effectiveNeighbours
        megabytes = price.megabytes
        latencySeconds = price.cost.latencySeconds
        secondsPerMegabyte = price.cost.secondsPerMegabyte
        roundSeconds = price.seconds(graph)
        allReduceSeconds = price.allReduceSeconds
        self.mixing = withMatrices ? mixing.matrix().rows : nil
        mixingRounds = withMatrices && period > 1 ? (0..<period).map { mixing.matrix(round: $0).rows } : nil
    }

    /// What rounding leaves of 0 is 0.
    private static func text(_ value: Double?) -> String {
        value.map { Quantity.number(abs($0) < 1e-12 ? 0 : $0, digits: 5) } ?? ""
    }

    /// For a graph alone.
    var lines: [(String, String)] {
        [
            ("rounds that differ", "\(period)"), ("degree", "\(degree)"),
            ("diameter", diameter.map { "\($0)" } ?? "none"),
            ("weights", weights + (symmetric ? "" : ", not symmetric")), ("rho", Self.text(rho)),
            ("gap 1 - rho", Self.text(gap)), ("smallest eigenvalue", Self.text(smallestEigenvalue)),
            ("rounds to consensus, 1e-6", roundsToConsensus.map { Quantity.grouped(UInt64($0)) } ?? "none"),
            ("effective neighbours, memory \(Spectrum.memory)", Self.text(effectiveNeighbours)),
            ("a round", Quantity.seconds(roundSeconds)), ("an AllReduce (ring)", Quantity.seconds(allReduceSeconds)),
        ]
    }

    /// Of several.
    static func table(_ records: [TopologyRecord]) -> TextTable {
        var table = TextTable([
            .text("graph"), .number("rounds"), .number("degree"), .number("rho"), .number("gap"),
            .number("lambda_min"), .number("to 1e-6", unit: "rounds"), .number("effective", unit: "workers"),
            .number("a round", unit: "ms"), .number("AllReduce", unit: "ms"),
        ])
        for record in records {
            table.append([
                record.graph, "\(record.period)", "\(record.degree)", text(record.rho), text(record.gap),
                text(record.smallestEigenvalue), record.roundsToConsensus.map { "\($0)" } ?? "none",
                text(record.effectiveNeighbours), Quantity.number(record.roundSeconds * 1e3, digits: 4),
                Quantity.number(record.allReduceSeconds * 1e3, digits: 4),
            ])
        }
        return table
    }
}

struct TopologyRecords: Encodable {
    let rows: [TopologyRecord]
}
