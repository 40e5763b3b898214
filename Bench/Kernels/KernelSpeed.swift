// `swift run -c release bench-kernels`: the sparse kernels and the sigmoid, beside plain loops and a plain read of the same bytes.

import ArgumentParser
import BenchSupport
import Platform

@main struct KernelSpeed: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-kernels",
        abstract: "Nanoseconds per nonzero or element of the hot kernels on one pinned worker.")

    @Option(help: "Measured rounds.") var rounds = 9
    @Option(help: "Rows of 73 nonzeros over 47,236 features.") var rows = 200_000

    func run() throws {
        let team = try WorkerTeam(placement: Placement(.physicalFirst, workers: 1, on: .ofThisMachine()))
        let rows = try SyntheticRows(count: rows)
        var verdicts: [Verdict] = []
        for kernel in Kernel.allCases {
            let results = Results()
            func contestant(_ name: String, _ body: @escaping @Sendable (SyntheticRows) -> Double) -> Contest.Contestant
            {
                .init(name) {
                    let sum = Locked(0.0)
                    let seconds = team.run { _ in
                        let result = body(rows)
                        sum.withLock { $0 = result }
                    }
                    results.add(sum.withLock { $0 }, of: name)
                    return seconds * 1e9 / Double(kernel == .sigmoid ? rows.values.count : rows.indices.count)
                }
            }
            let contest = try Contest(
                rounds: rounds, unit: kernel == .sigmoid ? "ns/element" : "ns/nonzero",
                [
                    contestant(kernel.rawValue) { kernel.run($0) },
                    contestant("plain loop") { kernel.runPlain($0) },
                    contestant("plain read") { $0.read(indices: kernel != .sigmoid) },
                ])
            print(contest.rendered(reference: "plain loop"))
            try results.check(kernel.rawValue, against: "plain loop")
            let medians = contest.figures.map { $0.quantile(0.5) }
            verdicts.append(
                Verdict(
                    "\(kernel.rawValue) to a plain loop", figure: medians[0], reference: medians[1], unit: "ns",
                    ratio: contest.ratio(of: kernel.rawValue, to: "plain loop"), .atMost(1.1)))
        }
        for verdict in verdicts { print(verdict) }
    }
}

/// What each contestant came to, run by run.
private final class Results {
    private var values: [String: [Double]] = [:]

    func add(_ value: Double, of name: String) { values[name, default: []].append(value) }

    /// The same within float rounding, in every run.
    func check(_ name: String, against other: String) throws {
        for (a, b) in zip(values[name]!, values[other]!) where !(abs(a - b) <= 1e-4 * abs(b)) {
            throw WrongResult("\(name) came to \(a), \(other) to \(b)")
        }
    }
}
