// Measures contestants in turn, round after round, so that a machine that slows down slows all of them alike. Main thread.

import Reporting

/// Contestants that do the same work, and their figures of each round; a figure may be a rate or a time.
public struct Contest {
    /// One that is measured: `run` does the work once, checks its result, and returns its figure.
    public struct Contestant {
        public let name: String
        let run: () throws -> Double

        public init(_ name: String, run: @escaping () throws -> Double) {
            self.name = name
            self.run = run
        }
    }

    /// The figures of one contestant, by round.
    public struct Figures {
        public let name: String
        public let rounds: [Double]

        /// The smallest figure that at least `share` of the rounds do not exceed.
        public func quantile(_ share: Double) -> Double {
            let sorted = rounds.sorted()
            return sorted[min(sorted.count - 1, max(0, Int((share * Double(sorted.count)).rounded(.up)) - 1))]
        }
    }

    public let unit: String
    public let figures: [Figures]

    /// Runs every contestant once unmeasured, then `rounds` times in an order that turns round each time.
    public init(rounds: Int, unit: String, _ contestants: [Contestant]) throws {
        precondition(rounds > 0, "\(rounds) rounds")
        for contestant in contestants { _ = try contestant.run() }
        var rows = [[Double]](repeating: [], count: contestants.count)
        for round in 0..<rounds {
            let order = Array(contestants.indices)
            for index in round.isMultiple(of: 2) ? order : order.reversed() {
                rows[index].append(try contestants[index].run())
            }
        }
        self.unit = unit
        figures = zip(contestants, rows).map { Figures(name: $0.name, rounds: $1) }
    }

    /// The median over the rounds of one contestant's figure divided by another's in the same round.
    public func ratio(of name: String, to other: String) -> Double? {
        guard let above = figures.first(where: { $0.name == name }),
            let below = figures.first(where: { $0.name == other })
        else { return nil }
        return Figures(name: name, rounds: zip(above.rounds, below.rounds).map(/)).quantile(0.5)
    }

    /// A line per contestant: min, p50, p99, and its ratio to `reference`, `-` where that did not run.
    public func rendered(reference: String) -> String {
        var table = TextTable([
            .text("contestant"), .number("min", unit: unit), .number("p50", unit: unit), .number("p99", unit: unit),
            .number("ratio to \(reference)"),
        ])
        for figure in figures {
            let quantiles = [0, 0.5, 0.99].map { Quantity.number(figure.quantile($0)) }
            table.append(
                [figure.name] + quantiles
                    + [ratio(of: figure.name, to: reference).map { Quantity.fixed($0, decimals: 3) } ?? "-"])
        }
        return table.rendered()
    }
}
