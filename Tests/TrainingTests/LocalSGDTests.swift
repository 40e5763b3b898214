import Collectives
import Datasets
import Measurement
import Messaging
import Platform
import SwitchModel
import Testing

@testable import Training

/// local-sgd against its iteration in a plain loop, and what it sends, takes, shows and refuses.
@Suite struct LocalSGDTests {
    static let cost = try! NetworkCost(latencySeconds: 1e-3, secondsPerMegabyte: 2)
    static let clocks: [FabricClock] = [.native, .virtual(cost)]

    private func run(
        _ problem: any MinibatchProblem, period: Int, workers: Int, clock: FabricClock = .virtual(cost),
        stop: StopRequest = StopRequest(), _ change: (inout TrainingOptions) -> Void = { _ in }
    ) throws -> TrainingRun {
        let algorithm = Algorithm(LocalSGD.self, settings: "period=\(period)")
        return try dataParallelRun(problem, algorithm, workers: workers, stop: stop) {
            $0.clock.kind = clock
            if clock.isModel { $0.clock.computeSeconds = 1e-3 }
            $0.exchange.collective = nil
            change(&$0)
        }
    }

    @Test(arguments: 1...8, 0..<2) func `with a period of 1 it is model aggregation, bit for bit`(
        workers: Int, clock: Int
    ) throws {
        let problem = TargetProblem(rows: 20 * workers + workers / 2, width: 7)
        func change(_ options: inout TrainingOptions) {
            options.clock.kind = Self.clocks[clock]
            if options.clock.kind.isModel { options.clock.computeSeconds = 1e-3 }
            options.stepRule.momentum = 0.5
            options.stepRule.weightDecay = 0.01
        }
        let local = try run(problem, period: 1, workers: workers) {
            change(&$0)
            $0.exchange.collective = "multi-server"
        }
        let models = try dataParallelRun(problem, .modelAggregation, workers: workers, change)
        let (a, b) = (try local.run(), try models.run())
        #expect(a.parameters == b.parameters && local.replicas == models.replicas)
        #expect(a.record.points.map(\.loss) == b.record.points.map(\.loss))
        #expect(a.record.exchange?.messagesPerIteration == b.record.exchange?.messagesPerIteration)
        if clock == 1 { #expect(a.record.seconds == b.record.seconds) }
        #expect(a.record.staleness.all.max == 0)
    }

    @Test(arguments: 1...8, [2, 3, 5]) func `models are those of the iteration as it is written, on every clock`(
        workers: Int, period: Int
    ) throws {
        // Partitions differ by a row, and 24 steps end between two averages of 5.
        let problem = TargetProblem(rows: 24 * workers + workers / 2, width: 6)
        let samplers = try (0..<workers).map { rank in
            try RowSampler(
                .shuffled, rowCount: problem.rowCount, rank: rank, workers: workers, seed: 1, batchSize: 2,
                name: "targets")
        }
        var x = [[Double]](repeating: problem.start.map(Double.init), count: workers)
        func mean() -> [Double] { x[0].indices.map { i in x.reduce(0) { $0 + $1[i] } / Double(workers) } }
        for t in 1...24 {
            for (n, sampler) in samplers.enumerated() {
                sampler.advance()
                x[n] = x[n].indices.map { i in
                    let sum = sampler.chosen.reduce(0) { $0 + problem.gradient(of: $1, at: x[n], i) }
                    return x[n][i] - 0.2 * sampler.weight * sum / 2
                }
            }
            if t.isMultiple(of: period) { x = .init(repeating: mean(), count: workers) }
        }
        let distance = x.reduce(0) { sum, x in zip(x, mean()).reduce(sum) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } }
        for clock in Self.clocks {
            let training = try run(problem, period: period, workers: workers, clock: clock) { $0.epochs = 2 }
            let result = try training.run()
            #expect(result.record.updates == 24 && result.record.status == .completed)
            for (found, expected) in zip(training.replicas, x) {
                for (a, b) in zip(found, expected) { #expect(abs(Double(a) - b) < 1e-5) }
            }
            for (a, b) in zip(result.parameters, mean()) { #expect(abs(Double(a) - b) < 1e-5) }
            let apart = try #require(result.record.points.last?.consensusDistance)
            #expect(abs(apart - distance / Double(workers)) < 1e-5)
            #expect((apart > 1e-3) == (workers > 1 && period == 5))
            // Before step t each of the others has made t mod H steps that are unseen.
            let unseen = (0..<24).map { (workers - 1) * ($0 % period) }
            #expect(abs(result.record.staleness.all.mean - Double(unseen.reduce(0, +)) / 24) < 1e-9)
        }
    }

    @Test(arguments: [1, 3, 8, 12, 25])
    func `an average in every H steps is all that is sent, and takes what is predicted of it`(period: Int) throws {
        // 24 steps of 4 workers, 4,000 bytes of a model.
        let messages = [
            "ring-allreduce": 24, "ring-unpartitioned": 6, "multi-server": 24, "parameter-server": 8,
            "tree-allreduce": 6, "recursive-doubling": 8, "halving-doubling": 16,
        ]
        for (collective, count) in messages.sorted(by: { $0.key < $1.key }) {
            let record = try run(TargetProblem(rows: 4 * 48, width: 1_000), period: period, workers: 4) {
                $0.exchange.collective = collective
            }.run().record
            let exchange = try #require(record.exchange)
            let averages = 24 / period
            #expect(exchange.messagesPerIteration * 24 == Double(averages * count), "\(collective)")
            let predicted = try #require(exchange.predictedSecondsPerIteration)
            #expect(abs(exchange.secondsPerIteration - predicted) <= 1e-9 * predicted, "\(collective)")
            if collective == "ring-allreduce" {
                let ring = 2 * 3 * (1e-3 + 2 * 0.004 / 4)
                #expect(abs(record.seconds - (24e-3 + Double(averages) * ring)) < 1e-12)
            }
        }
    }

    @Test(arguments: [Straggler.none, .constant(rank: 1, factor: 10), .lognormal(sigma: 0.5, seed: 3)])
    func `evaluations move nobody`(straggler: Straggler) throws {
        func result(_ evaluations: Int) throws -> TrainingResult {
            try run(TargetProblem(rows: 5 * 46, width: 9), period: 4, workers: 5) {
                $0.clock.straggler = straggler
                $0.epochs = 2
                $0.evaluationsPerEpoch = evaluations
            }.run()
        }
        let (one, twenty) = (try result(1), try result(20))
        #expect(one.parameters == twenty.parameters && one.record.seconds == twenty.record.seconds)
        #expect(one.record.points.count == 3 && twenty.record.points.count == 41)
        #expect(one.record.points.last?.loss == twenty.record.points.last?.loss)
    }

    @Test(arguments: AllReduceAlgorithm.allCases.filter { $0 != .direct })
    func `an evaluation while ranks exchange sees their models, and no sums`(collective: AllReduceAlgorithm) throws {
        // Steps are too short to move anyone: whenever it is, the mean is the start.
        let record = try run(TargetProblem(rows: 4 * 60, width: 8), period: 7, workers: 4) {
            $0.exchange.collective = collective.rawValue
            $0.stepSize = StepSize(1e-30)
            $0.clock.straggler = .constant(rank: 2, factor: 30)
            $0.evaluationsPerEpoch = 30
        }.run().record
        #expect(record.points.count == 31)
        for point in record.points {
            #expect(abs(point.loss - record.points[0].loss) < 1e-6 && (point.consensusDistance ?? 1) < 1e-12)
        }
    }

    @Test(arguments: [1, 2, 5, 9], ["ring-allreduce", "parameter-server", "recursive-doubling"])
    func `ranks end together when the time is over, whoever is late`(period: Int, collective: String) throws {
        for (straggler, limit) in zip(0..<16, stride(from: 0.0505, to: 1, by: 0.0311)) {
            let training = try run(TargetProblem(rows: 4 * 20, width: 4), period: period, workers: 4) {
                $0.exchange.collective = collective
                $0.clock.straggler = .constant(rank: straggler % 4, factor: 6)
                $0.epochs = 1_000
                $0.maxSeconds = limit
            }
            let record = try training.run().record
            let workers = training.ranks.filter { !$0.isServer }
            #expect(record.status == .timeLimit && record.seconds >= limit)
            #expect(workers.allSatisfy { $0.ended == record.updates } && record.updates > 0)
            // Whoever sees the limit makes H steps more, and waits for a worker who takes 6 ms for each.
            let step = 6e-3 + 12 * 1.1e-3 / Double(period)
            #expect(record.seconds < limit + Double(2 * period + 1) * step)
        }
    }

    @Test(arguments: 0..<10) func `a wish to end and a gradient that is not finite end all ranks alike`(t: Int) throws {
        for isWish in [true, false] {
            let stop = StopRequest()
            let problem = ObservedProblem(TargetProblem(rows: 3 * 200, width: 4))
            let training = try run(problem, period: 4, workers: 3, clock: .native, stop: stop)
            if isWish {
                problem.observers[1].beforeGradient = { if $0 == t { stop.request() } }
            } else {
                problem.observers[1].faultyGradient = t
            }
            let record = try training.run().record
            #expect(record.status == (isWish ? .interrupted : .diverged))
            #expect(Set(training.ranks.map(\.ended)).count == 1)
            #expect(isWish ? training.ranks[0].ended <= UInt64(t) + 9 : training.ranks[0].ended == UInt64(t) + 4)
        }
    }

    @Test func `settings and options that cannot be meant are refused`() throws {
        func refusal(_ text: String, _ change: (inout TrainingOptions) -> Void = { _ in }) throws -> InputError? {
            var options = TrainingOptions(try Algorithm(parsing: text))
            change(&options)
            return #expect(throws: InputError.self, "\(text)") {
                try TrainingRun.check(
                    problem: TargetProblem(rows: 90, width: 2), workers: 2, evaluators: 1, options: options)
            }
        }
        for value in ["0", "-1", "1.5", "ten", "", "1000001", "99999999999999999999"] {
            let error = try refusal("local-sgd:period=\(value)")
            #expect(value.isEmpty || error?.found == "period=\(value)")
            #expect(value.isEmpty || error?.expected == "period to be a whole number in 1...1000000")
        }
        #expect(try refusal("local-sgd:perod=3")?.expected.contains("period") == true)
        #expect(try refusal("local-sgd:period=3,group=2")?.found.contains("group") == true)
        #expect(try refusal("local-sgd") { $0.exchange.collective = "rung" }?.found.contains("rung") == true)
    }
}
