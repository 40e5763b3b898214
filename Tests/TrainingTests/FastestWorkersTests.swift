import Collectives
import Datasets
import Kernels
import Measurement
import Messaging
import Objectives
import Platform
import SwitchModel
import Testing

@testable import Training

/// backup-workers and gradient-coding: which gradients make a step, what an iteration takes, and how such runs end.
@Suite struct FastestWorkersTests {
    static let free = try! NetworkCost(latencySeconds: 0, secondsPerMegabyte: 0)
    static let cost = try! NetworkCost(latencySeconds: 1e-4, secondsPerMegabyte: 2)

    private func run(
        _ problem: any MinibatchProblem, _ algorithm: String, workers: Int, clock: FabricClock = .virtual(free),
        stop: StopRequest = StopRequest(), _ change: (inout TrainingOptions) -> Void = { _ in }
    ) throws -> TrainingRun {
        try dataParallelRun(problem, try Algorithm(parsing: algorithm), workers: workers, stop: stop) {
            $0.clock.kind = clock
            if clock.isModel { $0.clock.computeSeconds = 1e-3 }
            $0.exchange.collective = nil
            change(&$0)
        }
    }

    private func reference(
        _ problem: any MinibatchProblem, workers: Int, _ change: (inout TrainingOptions) -> Void = { _ in }
    ) throws -> [Float] { try dataParallelRun(problem, .serialReference, workers: workers, change).run().parameters }

    /// A trace in which the ranks of `slow` take a thousand times as long as the others, who are not quite alike.
    private func trace(_ slow: Set<Int>, of workers: Int) throws -> Straggler {
        let seconds = (0..<workers).map { [slow.contains($0) ? 1.0 : 1e-3 * (1 + Double($0) / 100)] }
        return .trace(try ComputeTrace(TextLines(ComputeTrace.text(of: seconds), name: "trace"), ranks: workers))
    }

    /// All sets of `count` numbers below `limit`.
    private func subsets(of limit: Int, _ count: Int) -> [Set<Int>] {
        (0..<1 << limit).filter { $0.nonzeroBitCount == count }
            .map { bits in Set((0..<limit).filter { bits >> $0 & 1 == 1 }) }
    }

    private func expectEqual(_ found: [Float], _ expected: [Float], within limit: Double, _ comment: String) {
        let difference = zip(found, expected).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
        let norm = expected.reduce(0.0) { $0 + Double($1 * $1) }
        #expect(difference <= limit * limit * norm && norm > 0, "\(comment)")
    }

    // MARK: backup-workers

    @Test(arguments: 1...6, [FabricClock.native, .virtual(cost), .wall(free)])
    func `who waits for all steps as data-parallel SGD does`(workers: Int, clock: FabricClock) throws {
        let problem = TargetProblem(rows: 20 * workers + workers / 2, width: 7)
        func change(_ options: inout TrainingOptions) {
            options.stepRule.momentum = 0.5
            options.stepRule.weightDecay = 0.01
            options.epochs = 2
            options.evaluationsPerEpoch = 3
        }
        let training = try run(problem, "backup-workers:take=\(workers)", workers: workers, clock: clock) {
            change(&$0)
            if clock.isModel { $0.clock.computeSeconds = 1e-5 }
        }
        let result = try training.run()
        #expect(result.record.updates == 20 && result.record.points.count == 7)
        expectEqual(result.parameters, try reference(problem, workers: workers, change), within: 1e-5, "")
        #expect(training.replicas.allSatisfy { $0 == training.replicas[0] })
        #expect(result.record.staleness.all.max == 0)
    }

    @Test(arguments: [2, 5, 8]) func `the fastest alone are heard, and the others follow them`(workers: Int) throws {
        let problem = TargetProblem(rows: 40 * workers, width: 6)
        let slow = Set([0, workers - 1].prefix(workers / 2))
        let training = try run(problem, "backup-workers:take=\(workers - slow.count)", workers: workers) {
            $0.clock.straggler = try! trace(slow, of: workers)
        }
        let record = try training.run().record
        let samplers = try (0..<workers).map { rank in
            try RowSampler(
                .shuffled, rowCount: problem.rowCount, rank: rank, workers: workers, seed: 1, batchSize: 2,
                name: "targets")
        }
        var x = problem.start.map(Double.init)
        for _ in 0..<20 {
            var sum = x.map { _ in 0.0 }
            for (n, sampler) in samplers.enumerated() where !slow.contains(n) {
                sampler.advance()
                for i in x.indices {
                    sum[i] += sampler.chosen.reduce(0) { $0 + problem.gradient(of: $1, at: x, i) } / 2
                }
            }
            for i in x.indices { x[i] -= 0.2 * sum[i] / Double(workers - slow.count) }
        }
        #expect(record.updates == 20)
        expectEqual(training.replicas[0], x.map { Float($0) }, within: 1e-5, "")
        #expect(training.replicas.allSatisfy { $0 == training.replicas[0] })
        let slowest = (0..<workers).filter { !slow.contains($0) }.max()!
        #expect(abs(record.seconds - 20e-3 * (1 + Double(slowest) / 100)) < 1e-12)
    }

    @Test(arguments: [(8, 1), (8, 5), (8, 8), (20, 15)])
    func `an iteration takes the m-th shortest of the computations`(workers: Int, take: Int) throws {
        let (iterations, mean) = (200, 2.0)
        let record = try run(
            TargetProblem(rows: 2 * workers * iterations, width: 1), "backup-workers:take=\(take)", workers: workers
        ) {
            $0.clock.straggler = .exponential(mean: mean, seed: 9)
        }.run().record
        #expect(record.updates == UInt64(iterations))
        // To the draw, iteration by iteration.
        let straggler = Straggler.exponential(mean: mean, seed: 9)
        let times = (0..<iterations).map { t in
            1e-3 * (0..<workers).map { straggler.factor(rank: $0, step: UInt64(t)) }.sorted()[take - 1]
        }
        #expect(abs(record.seconds - times.reduce(0, +)) < 1e-9 * record.seconds)
        // And in the mean: 1 + mean times the sum of 1/i, with the variance mean^2 times that of 1/i^2.
        let orders = (workers - take + 1)...workers
        let expected = 1e-3 * (1 + mean * orders.reduce(0) { $0 + 1 / Double($1) })
        let variance = 1e-6 * mean * mean * orders.reduce(0) { $0 + 1 / Double($1 * $1) }
        let found = try #require(record.exchange).secondsPerIteration
        #expect(abs(found - expected) < 4 * (variance / Double(iterations)).squareRoot(), "\(found) for \(expected)")
    }

    @Test func `in virtual time the exchange is paid, evaluations move nobody and equal seeds give equal bits`() throws
    {
        let workers = 5
        func result(_ algorithm: String, evaluations: Int) throws -> TrainingResult {
            try run(
                TargetProblem(rows: 46 * workers, width: 9), algorithm, workers: workers, clock: .virtual(Self.cost)
            ) {
                $0.clock.straggler = .lognormal(sigma: 1, seed: 3)
                $0.epochs = 2
                $0.evaluationsPerEpoch = evaluations
            }.run()
        }
        for algorithm in ["backup-workers:take=3", "gradient-coding:tolerate=2", "gradient-coding:tolerate=4"] {
            let (one, many) = (try result(algorithm, evaluations: 1), try result(algorithm, evaluations: 20))
            #expect(one.parameters == many.parameters && one.record.seconds == many.record.seconds)
            #expect(one.record.deterministic && many.record.points.count == 41)
            #expect(one.record.points.last?.loss == many.record.points.last?.loss)
        }
        // All alike: N gradients through the server's port, then as many models, of which the last is the last one's.
        let record = try run(
            TargetProblem(rows: 2 * workers, width: 1_000), "backup-workers:take=5", workers: workers,
            clock: .virtual(Self.cost)
        ) { _ in }.run().record
        let (gradient, model) = (1e-4 + 2 * 0.004008, 1e-4 + 2 * 0.004)
        #expect(abs(record.seconds - (1e-3 + 5 * gradient + 5 * model)) < 1e-12)
        #expect(record.exchange?.messagesPerIteration == 10)
    }

    @Test func `real threads of which many are late all come to the end`() throws {
        for algorithm in ["backup-workers:take=1", "backup-workers:take=3", "gradient-coding:tolerate=3"] {
            let training = try run(
                TargetProblem(rows: 7 * 200, width: 300), algorithm, workers: 7, clock: .native
            ) {
                $0.evaluationsPerEpoch = 9
                $0.epochs = 2
            }
            let record = try training.run().record
            #expect(record.updates == 200 && record.status == .completed && !record.deterministic)
            #expect(training.ranks.allSatisfy { $0.ended == 200 })
            #expect(training.replicas.allSatisfy { $0 == training.replicas[0] })
            #expect((record.points.last?.loss ?? .nan) < record.points[0].loss)
        }
    }

    @Test(arguments: 0..<8) func `limits, wishes and gradients that are not finite end all ranks alike`(seed: Int)
        throws
    {
        for algorithm in ["backup-workers:take=2", "backup-workers:take=5", "gradient-coding:tolerate=2"] {
            let limit = 0.0203 + 0.0171 * Double(seed)
            let limited = try run(
                TargetProblem(rows: 5 * 20, width: 4), algorithm, workers: 5, clock: .virtual(Self.cost)
            ) {
                $0.clock.straggler = .exponential(mean: 1, seed: UInt64(seed))
                $0.epochs = 1_000
                $0.maxSeconds = limit
            }
            let record = try limited.run().record
            #expect(record.status == .timeLimit && record.seconds >= limit && record.seconds < limit + 0.3)
            #expect(Set(limited.ranks.map(\.ended)) == [record.updates] && record.updates > 0)
            for isWish in [true, false] {
                let stop = StopRequest()
                let problem = ObservedProblem(TargetProblem(rows: 5 * 400, width: 4))
                let training = try run(problem, algorithm, workers: 5, clock: .native, stop: stop)
                // Of a worker whom the server hears in any case there are none but where it takes all.
                if isWish {
                    problem.observers[1].beforeGradient = { if $0 == seed { stop.request() } }
                } else {
                    for observer in problem.observers { observer.faultyGradient = seed }
                }
                let record = try training.run().record
                #expect(Set(training.ranks.map(\.ended)).count == 1)
                #expect(record.status == (isWish ? .interrupted : .diverged) || record.updates == 200)
            }
        }
    }

    // MARK: gradient-coding

    /// The relative error of the sum of all gradients, without `missing`, as float32 travels.
    private func error(_ code: GradientCode, without missing: Set<Int>, _ gradients: [[Float]]) -> Double {
        let width = gradients[0].count
        func sum(_ n: Int) -> [Float] {
            zip(code.partitions(of: n), code.coefficients(of: n)).reduce([Float](repeating: 0, count: width)) {
                sum, part in
                sum.indices.map { sum[$0] + part.1 * gradients[part.0][$0] }
            }
        }
        var decoded = [Float](repeating: 0, count: width)
        func add(_ number: Float, _ n: Int) { for (i, value) in sum(n).enumerated() { decoded[i] += number * value } }
        let received = (0..<code.workers).filter { !missing.contains($0) }
        var groups: Set<Int> = []
        for n in received where n < code.repeated && groups.insert(code.group(of: n)).inserted { add(1, n) }
        let cycle = received.filter { $0 >= code.repeated }.prefix(max(0, code.cyclic - code.tolerated))
        if !cycle.isEmpty {
            for (n, number) in zip(cycle, code.decoding(of: Array(cycle)) ?? []) { add(Float(number), n) }
        }
        let whole = (0..<width).map { i in gradients.reduce(0.0) { $0 + Double($1[i]) } }
        let difference = zip(decoded, whole).reduce(0) { $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1) }
        return (difference / whole.reduce(0) { $0 + $1 * $1 }).squareRoot()
    }

    @Test(arguments: 1...7) func `whoever is missing, codes give the sum of all gradients`(workers: Int) {
        for tolerated in 0..<workers {
            let code = GradientCode(workers: workers, tolerated: tolerated)
            // Cycles as short as these are well conditioned.
            #expect((code.cyclic == 0) == (workers % (tolerated + 1) == 0))
            var computed = [Int](repeating: 0, count: workers)
            for j in (0..<workers).flatMap(code.partitions) { computed[j] += 1 }
            #expect(computed.allSatisfy { $0 == tolerated + 1 })
            var stream = RandomStream(seed: 8)
            let gradients = (0..<workers).map { _ in (0..<20).map { _ in Float(stream.nextNormal()) } }
            for missing in subsets(of: workers, tolerated) {
                let error = error(code, without: missing, gradients)
                #expect(error < 1e-5, "N = \(workers), k = \(tolerated), without \(missing)")
            }
            let worst = code.cyclic == 0 ? 1 : GradientCode.worstCondition(cyclic: code.cyclic, tolerated: tolerated)
            #expect(code.largestCondition >= 1 && code.largestCondition <= 1.000001 * (worst ?? 0))
        }
    }

    @Test(arguments: 0..<8) func `every code is exact to float32 for up to 64 workers`(part: Int) {
        for workers in 8...64 where workers % 8 == part {
            for tolerated in 0..<workers {
                let code = GradientCode(workers: workers, tolerated: tolerated)
                let most = (0..<workers).map { code.partitions(of: $0).count }.max()!
                #expect(most <= 2 * tolerated + 1)
                #expect(code.cyclic == 0 || most == tolerated + 1)
                var stream = RandomStream(seed: UInt64(workers * 64 + tolerated))
                let gradients = (0..<workers).map { _ in (0..<16).map { _ in Float(stream.nextNormal()) } }
                var drawn = Array(0..<workers)
                drawn.shuffle(using: &stream)
                // Side by side, at both ends of a cycle, and anywhere.
                let first = code.repeated % workers
                for order in [Array(0..<workers), (0..<workers).map { ($0 + first) % workers }, drawn] {
                    let error = error(code, without: Set(order.suffix(tolerated)), gradients)
                    #expect(error < 1e-5, "N = \(workers), k = \(tolerated), without \(order.suffix(tolerated))")
                }
            }
        }
    }

    @Test func `where float32 does not hold a cycle its workers repeat all of its gradients`() throws {
        for (workers, tolerated, groups) in [(45, 29, 1), (256, 200, 1), (32, 8, 3)] {
            let code = GradientCode(workers: workers, tolerated: tolerated)
            #expect(code.cyclic == 0 && code.groups == groups)
            #expect(code.partitions(of: workers - 1).count == workers - (groups - 1) * (tolerated + 1))
            #expect(code.partitions(of: 0).count == (groups == 1 ? workers : tolerated + 1))
        }
        // What was off by 1.9e-5 in one cycle of all.
        let code = GradientCode(workers: 40, tolerated: 5)
        #expect(try #require(GradientCode.worstCondition(cyclic: code.cyclic, tolerated: 5)) < 20)
    }

    @Test(arguments: [(1, 0), (3, 2), (4, 1), (4, 2), (5, 1), (5, 3), (6, 2)])
    func `without any k workers a run is that of all of them`(workers: Int, tolerated: Int) throws {
        let problem = TargetProblem(rows: 12 * workers + workers / 2, width: 6)
        let expected = try reference(problem, workers: workers)
        for slow in subsets(of: workers, tolerated) {
            let training = try run(problem, "gradient-coding:tolerate=\(tolerated)", workers: workers) {
                $0.clock.straggler = try! trace(slow, of: workers)
            }
            let record = try training.run().record
            expectEqual(training.replicas[0], expected, within: 1e-5, "without \(slow)")
            // Nobody waits for the slow, and each computes k + 1 minibatches.
            #expect(record.seconds < Double(record.updates) * Double(tolerated + 1) * 1.1e-3 && record.updates > 0)
            let condition = try #require(record.exchange).decodingCondition
            #expect((1..<100).contains(condition ?? 0))
        }
    }

    @Test func `sparse rows of unequal partitions are coded as they are weighed`() throws {
        let rows = try fewRows(83, features: 30)
        let problem = LinearProblem(objective: LinearObjective(loss: .logistic, l2: 0.01), train: rows)
        for algorithm in ["gradient-coding:tolerate=1", "gradient-coding:tolerate=2", "backup-workers:take=5"] {
            let found = try run(problem, algorithm, workers: 5).run().parameters
            expectEqual(found, try reference(problem, workers: 5), within: 1e-5, algorithm)
        }
    }

    // MARK: What is asked

    @Test(arguments: ["backup-workers", "gradient-coding", "gradient-coding:tolerate=2", "delayed-sgd:law=constant:9"])
    func `the estimate has what is laid out`(algorithm: String) throws {
        let problem = TargetProblem(rows: 40, width: 60_000)
        for workers in [1, 5, 8] where !(workers == 1 && algorithm.hasSuffix("=2")) {
            for clock in [FabricClock.native, .virtual(Self.free)] {
                var options = TrainingOptions(try Algorithm(parsing: algorithm))
                options.batchSize = 2
                options.order = .shuffled
                options.clock.kind = clock
                let plan = try RunPlan.checked(problem, workers: workers, options)
                let made = try options.algorithm.make(for: plan) as! any MessageAlgorithm
                let estimate = try FabricRunner.memoryEstimate(made, plan, evaluators: 1)
                let before = threadPageBytes()
                let training = try trainingRun(problem, workers: workers, options)
                let vectors = training.ranks.flatMap { [$0.x, $0.gradient] + $0.kept }.count
                #expect(threadPageBytes() - before <= estimate.bytes)
                #expect(vectors * Vector.byteCount(of: 60_000) <= estimate.bytes)
                #expect(estimate.bytes < (vectors + 12 + 9 * workers) * Vector.byteCount(of: 60_000) + 60_000_000)
            }
        }
    }

    @Test func `settings that cannot be meant are refused`() throws {
        for (text, found) in [
            ("backup-workers:take=0", "take=0"), ("backup-workers:take=5", "take=5"), ("backup-workers:tkae=2", "tkae"),
            ("gradient-coding:tolerate=4", "tolerate=4"), ("gradient-coding:tolerate=-1", "tolerate=-1"),
            ("gradient-coding:tolerates=1", "tolerates"),
        ] {
            let error = #expect(throws: InputError.self, "\(text)") {
                try TrainingRun.check(
                    problem: TargetProblem(rows: 90, width: 2), workers: 4, evaluators: 1,
                    options: TrainingOptions(try Algorithm(parsing: text)))
            }
            #expect(error?.found.contains(found) == true, "\(text): \(error?.description ?? "")")
        }
    }

    // MARK: Traces

    @Test func `a run writes the trace that another reads`() throws {
        let problem = TargetProblem(rows: 60, width: 6)
        let native = try run(problem, "gradient-aggregation", workers: 3, clock: .native) {
            $0.keepsComputeTrace = true
        }.run()
        #expect(native.computeTrace.map(\.count) == [10, 10, 10])
        #expect(native.computeTrace.joined().allSatisfy { $0 > 0 && $0 < 60 })
        let text = TextLines(ComputeTrace.text(of: native.computeTrace), name: "trace")
        let trace = try ComputeTrace(text, ranks: 3)
        let replayed = try run(problem, "gradient-aggregation", workers: 3) {
            $0.clock.straggler = .trace(trace)
        }.run().record
        let slowest = (0..<10).map { t in native.computeTrace.map { $0[t] }.max()! }.reduce(0, +)
        #expect(abs(replayed.seconds - slowest) < 1e-9 * slowest)
        #expect(replayed.exchange?.straggler == "trace:trace" && replayed.exchange?.computeSeconds == nil)
        // Nobody looks at the clock who was not asked to.
        #expect(
            try run(problem, "gradient-aggregation", workers: 3, clock: .native).run().computeTrace.allSatisfy(
                \.isEmpty))
    }
}
