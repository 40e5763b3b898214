import Collectives
import Compression
import Datasets
import Measurement
import Messaging
import Objectives
import RateExperiments
import SwitchModel
import Testing

@testable import Training

/// Section 2.1.2: the three implementations of data-parallel SGD and the serial minibatch of the same samples are one algorithm.
@Suite struct DataParallelEquivalenceTests {
    static let parallel: [Algorithm] = [.gradientAggregation, .modelAggregation, .globalReplica]
    static let workerCounts = [1, 2, 3, 4, 7, 8]
    static let cost = try! NetworkCost(latencySeconds: 1e-4, secondsPerMegabyte: 8)

    /// How x is stepped.
    enum Variant: String, CaseIterable {
        case plain
        case heavyBall
        case nesterov
        case decayClipWarmUp

        func set(_ options: inout TrainingOptions) {
            switch self {
            case .plain: break
            case .heavyBall:
                options.stepRule.momentum = 0.8
                options.stepSize = StepSize(0.05)
            case .nesterov:
                options.stepRule.momentum = 0.8
                options.stepRule.isNesterov = true
                options.stepSize = StepSize(0.05)
            case .decayClipWarmUp:
                options.stepRule.weightDecay = 0.02
                options.stepRule.clipNorm = 0.5
                options.stepRule.warmUpEpochs = 3
                options.stepSize = StepSize(0.3, power: .inverseSquareRoot, growth: 0.01)
            }
        }

        /// What rounding errors of single steps are multiplied by in a velocity: 1/(1 - mu).
        var amplification: Float { self == .heavyBall || self == .nesterov ? 5 : 1 }
    }

    enum Rows: String, CaseIterable {
        case sparse, dense

        /// Rows for 25 iterations of 2 N. Both are convex with L below 3.
        func problem(workers: Int) throws -> any MinibatchProblem {
            let rows = 50 * workers
            switch self {
            case .sparse:
                return LinearProblem(
                    objective: LinearObjective(loss: .logistic, l2: 0, intercept: true),
                    train: try classificationRows(rows, features: 12))
            case .dense:
                let network = try MultilayerPerceptron(inputs: 3, outputs: 3, loss: .softmax, l2: 0.01)
                return try DenseProblem(network: network, train: denseRows(rows))
            }
        }
    }

    /// The iterates of a run of `iterations`, a multiple of 25.
    private func iterates(
        _ rows: Rows, _ algorithm: Algorithm, workers: Int, iterations: Int, _ variant: Variant = .plain,
        _ change: (inout TrainingOptions) -> Void = { _ in }
    ) throws -> [[Float]] {
        let problem = try ObservedProblem(rows.problem(workers: workers))
        let training = try dataParallelRun(problem, algorithm, workers: workers) {
            $0.epochs = iterations / 25
            $0.clock.computeSeconds = 1e-3
            variant.set(&$0)
            change(&$0)
        }
        let result = try training.run()
        #expect(result.record.updates == UInt64(iterations) && result.record.status == .completed)
        // Replicas stay equal, to the bit.
        #expect(training.replicas.allSatisfy { $0 == result.parameters })
        let seen = problem.iterates
        let all = algorithm == .serialReference ? stride(from: 0, to: seen.count, by: workers).map { seen[$0] } : seen
        #expect(all.count == iterations)
        return all + [result.parameters]
    }

    /// Bit for bit; what differs would be too much to print.
    private func expectEqual(_ a: [[Float]], _ b: [[Float]], _ what: String) {
        if a != b {
            let first = zip(a, b).enumerated().first { $1.0 != $1.1 }?.offset
            Issue.record("\(what): iterates differ from number \(first.map { "\($0)" } ?? "none") on")
        }
    }

    /// Whether two runs differ by no more than rounding.
    ///
    /// One step rounds at most N + 8 times: N - 1 additions, the share, decay, velocity and step, each within u = 2^-24 of numbers
    /// below 2 max(1, |x|). Steps of gamma <= 2/L on a convex f never move two models apart, so that errors at most add up: t (N + 8) u
    /// after t steps, times 1/(1 - mu) with momentum. They add up like a random walk instead, hence sqrt(t).
    private func expectAlike(
        _ a: [[Float]], _ b: [[Float]], workers: Int, _ variant: Variant, _ what: String
    ) {
        for (t, (x, y)) in zip(a, b).enumerated() {
            let largest = max(1, x.map(abs).max()!)
            let unit = 2 * variant.amplification * Float(workers + 8) * 0x1p-24 * largest
            let worst = zip(x, y).map { abs($0 - $1) }.max()!
            if !(worst <= unit * Float(t + 1).squareRoot()) {
                Issue.record("\(what): iterate \(t) differs by \(worst), \(worst / unit) units")
                return
            }
        }
    }

    @Test(arguments: Rows.allCases, workerCounts)
    func `for 1,000 iterations the implementations and the serial minibatch have the same iterates, under both clocks`(
        rows: Rows, workers: Int
    ) throws {
        let serial = try iterates(rows, .serialReference, workers: workers, iterations: 1_000)
        #expect(Set(serial[1_000]).count > 3)
        for algorithm in Self.parallel {
            let found = try iterates(rows, algorithm, workers: workers, iterations: 1_000)
            expectAlike(found, serial, workers: workers, .plain, algorithm.name)
            let again = try iterates(rows, algorithm, workers: workers, iterations: 250) {
                $0.clock.kind = .virtual(Self.cost)
            }
            expectEqual(again, Array(found[...250]), algorithm.name)
        }
        expectEqual(try iterates(rows, .serialReference, workers: workers, iterations: 1_000), serial, "serial")
    }

    @Test(arguments: Variant.allCases.dropFirst(), [3, 4])
    func `with momentum, weight decay, clipping, warm-up and falling steps they have the same iterates, too`(
        variant: Variant, workers: Int
    ) throws {
        for rows in Rows.allCases {
            let plain = try iterates(rows, .serialReference, workers: workers, iterations: 200)
            let serial = try iterates(rows, .serialReference, workers: workers, iterations: 200, variant)
            #expect(zip(serial[200], plain[200]).contains { abs($0 - $1) > 1e-2 }, "\(variant) changes nothing")
            for algorithm in Self.parallel {
                let found = try iterates(rows, algorithm, workers: workers, iterations: 200, variant)
                expectAlike(found, serial, workers: workers, variant, "\(algorithm.name), \(variant)")
                let again = try iterates(rows, algorithm, workers: workers, iterations: 200, variant) {
                    $0.clock.kind = .virtual(Self.cost)
                }
                expectEqual(again, found, "\(algorithm.name), \(variant)")
            }
        }
    }

    @Test(arguments: AllReduceAlgorithm.allCases, [3, 4])
    func `every collective gives these iterates, with and without the zeros of sparse gradients`(
        collective: AllReduceAlgorithm, workers: Int
    ) throws {
        for rows in Rows.allCases {
            let serial = try iterates(rows, .serialReference, workers: workers, iterations: 150)
            for algorithm in Self.parallel {
                let servers: [AllReduceAlgorithm] = [.multiServer, .parameterServer]
                if algorithm == .globalReplica && !servers.contains(collective) { continue }
                for sendsZeros in rows == .sparse ? [false, true] : [true] {
                    func found(_ clock: FabricClock) throws -> [[Float]] {
                        try iterates(rows, algorithm, workers: workers, iterations: 150) {
                            $0.exchange.collective = collective.rawValue
                            $0.exchange.sendsZeros = sendsZeros
                            $0.clock.kind = clock
                        }
                    }
                    let native = try found(.native)
                    expectAlike(native, serial, workers: workers, .plain, "\(algorithm.name), \(sendsZeros)")
                    let again = try found(collective == .direct ? .native : .virtual(Self.cost))
                    expectEqual(again, native, "\(algorithm.name), \(sendsZeros)")
                }
            }
        }
    }

    @Test func `sparse gradients travel in fewer bytes without their zeros, and all of them are counted`() throws {
        let workers = 4
        let features = 400
        for (algorithm, collective) in [
            (Algorithm.gradientAggregation, AllReduceAlgorithm.ring), (.gradientAggregation, .multiServer),
            (.globalReplica, .multiServer), (.globalReplica, .parameterServer),
        ] {
            let bytes = try [false, true].map { sendsZeros in
                let problem = LinearProblem(
                    objective: LinearObjective(intercept: false),
                    train: try classificationRows(80, features: features))
                let training = try dataParallelRun(problem, algorithm, workers: workers) {
                    $0.exchange.collective = collective.rawValue
                    $0.exchange.sendsZeros = sendsZeros
                }
                return try training.run().record.exchange!.bytesPerIteration
            }
            // In and out, or round: 2 (N-1) N chunks of d/N floats; through one server 2 N vectors.
            let whole = Double(4 * features * (collective == .parameterServer ? 2 * workers : 2 * (workers - 1)))
            #expect(bytes[1] == whole)
            // Of a global replica the model comes out whole.
            #expect(bytes[0] < (algorithm == .globalReplica ? 0.65 : 0.3) * whole)
            if algorithm == .globalReplica { #expect(bytes[0] > 0.5 * whole) }
        }
    }

    @Test func `clipping shortens the gradient of each worker, before the mean`() throws {
        // Gradients of 3 and 1/2 in opposite directions: clipped to 1 their mean is -1/4.
        let problem = ObservedProblem(
            SampledQuadratic(curvatures: [1], centres: [[3], [-0.5]], start: [0], rowCount: 2))
        for algorithm in Self.parallel + [.serialReference] {
            let training = try dataParallelRun(problem, algorithm, workers: 2) {
                $0.batchSize = 1
                $0.stepSize = StepSize(1)
                $0.stepRule.clipNorm = 1
            }
            #expect(try training.run().parameters == [0.25])
        }
    }

    @Test func `steps warm up linearly to the schedule and then follow it`() throws {
        func steps(_ epochs: Double, _ schedule: StepSize) throws -> [Float] {
            let one: [Float] = [1]
            let problem = ObservedProblem(
                SampledQuadratic(curvatures: one, centres: [[0]], start: one, rowCount: 10))
            let training = try dataParallelRun(problem, .gradientAggregation, workers: 1) {
                $0.batchSize = 1
                $0.stepSize = schedule
                $0.epochs = 2
                $0.evaluationsPerEpoch = 3
                $0.stepRule.warmUpEpochs = epochs
            }
            let last = try training.run().parameters[0]
            let x = problem.iterates.map { $0[0] } + [last]
            return zip(x, x.dropFirst()).map { 1 - $1 / $0 }
        }
        func expect(_ found: [Float], _ expected: [Float]) {
            #expect(found.count == 20 && zip(found, expected).allSatisfy { abs($0 - $1) < 1e-6 }, "\(found)")
        }
        try expect(steps(0, StepSize(0.25)), (0..<20).map { _ in 0.25 })
        try expect(steps(0.01, StepSize(0.25)), (0..<20).map { _ in 0.25 })
        try expect(steps(0.8, StepSize(0.25)), (0..<20).map { 0.25 * min(1, Float($0 + 1) / 8) })
        try expect(steps(1.5, StepSize(0.25)), (0..<20).map { 0.25 * min(1, Float($0 + 1) / 15) })
        try expect(steps(100, StepSize(0.25)), (0..<20).map { 0.25 * Float($0 + 1) / 1_000 })
        let falling = StepSize(0.25, power: .inverse, growth: 0.5)
        try expect(
            steps(0.5, falling), (0..<20).map { 0.25 / (1 + 0.5 * Float($0)) * min(1, Float($0 + 1) / 5) })
        try expect(steps(0, StepSize(0.25, decay: 0.5)), (0..<20).map { $0 < 10 ? 0.25 : 0.125 })
    }

    @Test func `a step size that falls below all floats leaves the model as it is`() throws {
        for algorithm in [Algorithm.gradientAggregation, .ecSGD] {
            let problem = SampledQuadratic(curvatures: [1, 1], centres: [[0, 1]], start: [1, 3], rowCount: 4)
            let training = try dataParallelRun(problem, algorithm, workers: 2) {
                $0.epochs = 60
                $0.stepSize = StepSize(0.5, decay: 0.1)
                $0.exchange.codec = try? CodecConfiguration(parsing: "sign")
            }
            let record = try training.run().record
            #expect(record.status == .completed)
            #expect(record.points.suffix(20).allSatisfy { $0.loss == record.points.last!.loss && $0.loss > 0 })
        }
    }
}
