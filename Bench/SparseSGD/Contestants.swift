// The two sides of the contest: our runs and the C program. The main thread runs both; the work is on their own threads.

import BenchSupport
import Datasets
import Foundation
import Measurement
import Objectives
import Platform
import Training

/// What one run of either side came to.
struct Outcome {
    /// Million samples per second in the median epoch.
    let rate: Double
    /// Mean logistic loss on the test rows after the last epoch.
    let loss: Double
}

/// Our runs on one team: logistic loss, no intercept, no penalty, constant step 1, as the yardstick.
struct TrainingRuns {
    let train: SparseDataset
    let test: SparseDataset
    let team: WorkerTeam
    let epochs: Int

    func run(
        _ algorithm: Algorithm, _ order: RowOrder, staleness: StalenessRecording, stepSize: StepSize = StepSize(1)
    ) throws -> Outcome {
        var options = TrainingOptions()
        options.algorithm = algorithm
        options.order = order
        options.epochs = epochs
        options.stepSize = stepSize
        options.staleness = staleness
        let problem = LinearProblem(
            objective: LinearObjective(loss: .logistic, l2: 0, intercept: false), train: train, test: test)
        let record = try TrainingRun(problem: problem, workers: team.count, team: team, options: options).run().record
        // The yardstick lays out the order of an epoch outside its clock; laying out takes about the same in every epoch.
        let layout = record.orderSeconds / Double(epochs)
        let rates = zip(record.points.dropFirst(), record.points)
            .map { Double(train.rowCount) / ($0.seconds - $1.seconds - layout) / 1e6 }.sorted()
        return Outcome(rate: rates[rates.count / 2], loss: record.points.last!.loss)
    }
}

/// The C yardstick, compiled here.
struct CSparseSGD {
    /// How its inner loops are written; the raw value is its argument.
    enum Layout: Int, CaseIterable, CustomStringConvertible {
        case split = 0
        case interleaved = 1
        case gather = 2
        case gatherHoisted = 4

        var description: String {
            switch self {
            case .split: "split"
            case .interleaved: "interleaved"
            case .gather: "AVX-512 gather"
            case .gatherHoisted: "AVX-512 gather, 8 hoisted"
            }
        }
    }

    private let program: Yardstick

    init?(scratch: String) {
        let program = Yardstick(
            "sparse_sgd", sources: ["sparse_sgd.c"], options: ["-O3", "-march=native", "-ffast-math", "-pthread"],
            scratch: scratch)
        guard let program else { return nil }
        self.program = program
    }

    func run(_ layout: Layout, _ order: RowOrder, epochs: Int, threads: Int) throws -> Outcome {
        let permutation =
            switch order {
            case .sequential: "0"
            case .shuffled, .withReplacement: "1"
            case .blocks: "2"
            }
        let text = try program.run(["sgd", "1", "1", "\(layout.rawValue)", "\(epochs)", permutation, "\(threads)"])
        guard let seconds = Self.lastNumber(after: "median_epoch_sec", in: text), seconds > 0,
            let loss = Self.lastNumber(after: "test_logloss", in: text)
        else { throw WrongResult("the C yardstick printed \"\(text)\"") }
        return Outcome(rate: Self.rows / seconds / 1e6, loss: loss)
    }

    /// Its figures with no lock, a mutex and a spin lock around each row, as it prints them.
    func locks() throws -> String {
        let lines = try program.run(["locks", "3"]).split(separator: "\n")
        return lines.filter { !$0.hasPrefix("W1") }.joined(separator: "\n") + "\n"
    }

    private static let rows = 200_000.0

    private static func lastNumber(after name: String, in text: String) -> Double? {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard let place = words.lastIndex(where: { $0 == name }), place + 1 < words.count else { return nil }
        return Double(words[place + 1])
    }
}

/// The C yardstick of replicas that meet, compiled here: two threads, blocks of rows, a step that halves with each epoch.
struct CReplicas {
    private let program: Yardstick

    init?(scratch: String) {
        let program = Yardstick(
            "replicas", sources: ["replicas.c"], options: ["-O3", "-march=native", "-ffast-math", "-pthread"],
            scratch: scratch)
        guard let program else { return nil }
        self.program = program
    }

    /// Its table, from one round of its own.
    func table() throws -> String { try program.run(["1"]) }

    /// Million samples per second in the best epoch, by the name of a line.
    static func rate(_ name: String, in table: String) throws -> Double {
        guard let line = table.split(separator: "\n").first(where: { $0.hasPrefix(name) }),
            let word = line.components(separatedBy: "median ").last?.split(separator: " ").first,
            let rate = Double(word)
        else { throw WrongResult("the C yardstick printed \"\(table)\"") }
        return rate
    }
}

/// Compares the losses of both sides: nearly equal where the order of all updates is the same, near each other where it is not.
final class LossCheck {
    private let tolerance: Double
    private var ours: [Double] = []
    private var theirs: [Double] = []

    init(isDeterministic: Bool) { tolerance = isDeterministic ? 0.000_5 : 0.02 }

    func check(_ outcome: Outcome) -> Double {
        ours.append(outcome.loss)
        return outcome.rate
    }

    func checkC(_ outcome: Outcome) -> Double {
        theirs.append(outcome.loss)
        return outcome.rate
    }

    var summary: String {
        func range(_ losses: [Double]) -> String { losses.isEmpty ? "-" : "\(losses.min()!) to \(losses.max()!)" }
        return "\(range(ours)), C \(range(theirs))"
    }

    func throwIfWrong() throws {
        let wrong = ours.contains { !$0.isFinite || $0 > 0.5 }
        let apart = zip(ours, theirs).contains { abs($0 - $1) > tolerance }
        if wrong || apart { throw WrongResult("test losses differ by more than \(tolerance): \(summary)") }
    }
}
