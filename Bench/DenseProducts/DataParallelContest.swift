// What a second worker gains: data-parallel SGD by one worker and by two, each with minibatches of its own. Main thread.

import BenchSupport
import Collectives
import Datasets
import Kernels
import Measurement
import Messaging
import Objectives
import Platform
import Training

/// Iterations of gradient-aggregation on synthetic images.
struct DataParallelContest {
    let images: SyntheticImages
    let batch: Int
    let rounds: Int

    /// Prints the times of an iteration and of the exchange alone; the speed-up in rows a second, and what one worker's iteration adds to
    /// its matrix products, which took `productsMicroseconds`.
    func run(_ name: String, hidden: [Int], productsMicroseconds: Double) throws -> [Verdict] {
        let data = try images.dataset()
        let network = try MultilayerPerceptron(
            inputs: images.width, hidden: hidden, outputs: images.classes, loss: .softmax)
        let problem = try DenseProblem(network: network, train: data)
        let teams = try (1...2).map { workers in
            try WorkerTeam(placement: Placement(.physicalFirst, workers: workers, on: .ofThisMachine()))
        }
        let (one, two, exchange) = ("1 worker", "2 workers", "AllReduce alone, 2 workers")
        let contest = try Contest(
            rounds: rounds, unit: "us/iteration",
            [
                .init(one) { try iteration(problem, teams[0]) },
                .init(two) { try iteration(problem, teams[1]) },
                .init(exchange) { try allReduce(elements: problem.parameterCount, teams[1]) },
            ])
        print("\n\(name), \(batch) rows a worker\n" + contest.rendered(reference: one))
        let medians = contest.figures.map { $0.quantile(0.5) }
        let perIteration = contest.ratio(of: one, to: two)
        return [
            Verdict(
                "\(name): products alone to one worker's iteration", figure: productsMicroseconds,
                reference: medians[0], unit: "us", .atLeast(0.8)),
            Verdict(
                "\(name): two workers to one, in rows a second", figure: 2e6 * Double(batch) / medians[1],
                reference: 1e6 * Double(batch) / medians[0], unit: "rows/s", ratio: perIteration.map { 2 * $0 },
                .atLeast(1.7)),
        ]
    }

    /// Microseconds of an iteration: an epoch by the workers of `team`.
    private func iteration(_ problem: DenseProblem, _ team: WorkerTeam) throws -> Double {
        var options = TrainingOptions()
        options.algorithm = Algorithm(GradientAggregation.self)
        options.batchSize = batch
        options.epochs = 1
        options.order = .shuffled
        options.stepSize = StepSize(1e-3)
        options.exchange.collective = AllReduceAlgorithm.direct.rawValue
        let record = try TrainingRun(problem: problem, workers: team.count, team: team, options: options).run().record
        guard record.status == .completed, let figures = record.exchange else {
            throw WrongResult("\(team.count) workers ended as \(record.status.rawValue)")
        }
        return 1e6 * figures.secondsPerIteration
    }

    /// Microseconds of the exchange that an iteration makes, workers coming to it together.
    private func allReduce(elements: Int, _ team: WorkerTeam) throws -> Double {
        let repeats = 200
        let seconds = try Fabric(count: team.count, placement: team.placement).run(on: team) { communicator in
            let vector = try PageBuffer<Float>(count: elements, hugePages: true)
            let buffer = unsafe FloatVector(start: vector.pointer, count: elements)
            var seconds = 0.0
            for _ in 0..<repeats {
                // As a gradient would: the vector comes from this worker's own cache.
                unsafe buffer.update(repeating: 1)
                try communicator.barrier()
                let start = communicator.now
                try unsafe communicator.allReduce(buffer, by: .direct)
                seconds += communicator.now - start
            }
            return seconds
        }
        return 1e6 * (seconds.max() ?? 0) / Double(repeats)
    }
}

extension SyntheticImages {
    /// The same rows as a data set.
    func dataset() throws -> DenseDataset {
        let columns = (0..<width).map { DenseColumn(name: "\($0)", kind: .numeric) }
        return try DenseDataset(
            columns: columns, classNames: (0..<classes).map { "\($0)" },
            rows: (0..<order.count).map { row in
                unsafe (
                    labels.pointer[row],
                    Array(UnsafeBufferPointer(start: values.pointer + row * width, count: width))
                )
            })
    }
}
