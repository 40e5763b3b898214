import Datasets
import Glibc
import Kernels
import Measurement
import Messaging
import Objectives
import Platform
import RateExperiments
import SwitchModel
import Testing

@testable import Training

/// delayed-sgd against its equation in a plain loop, its laws, and what theory says of constant delays.
@Suite struct DelayedSGDTests {
    private func run(
        _ problem: any MinibatchProblem, law: String, _ change: (inout TrainingOptions) -> Void = { _ in }
    ) throws -> TrainingResult {
        var options = TrainingOptions(Algorithm(DelayedSGD.self, settings: "law=\(law)"))
        options.order = .shuffled
        options.batchSize = 2
        options.stepSize = StepSize(0.05)
        options.epochs = 3
        options.keepsUpdateLog = true
        change(&options)
        return try trainingRun(problem, workers: 1, options).run()
    }

    static let laws = ["constant:0", "constant:7", "uniform:2-9", "geometric:0.7", "cyclic:5", "constant:1000000"]

    @Test(arguments: laws, [FabricClock.native, .virtual(try! NetworkCost(latencySeconds: 1, secondsPerMegabyte: 1))])
    func `models are those of the equation as it is written, and staleness is the law's`(
        law: String, clock: FabricClock
    ) throws {
        let problem = TargetProblem(rows: 60, width: 5)
        let result = try run(problem, law: law) {
            $0.clock.kind = clock
            $0.clock.computeSeconds = clock.isModel ? 1e-3 : nil
            $0.evaluationsPerEpoch = 7
        }
        let parsed = try DelayLaw(parsing: law, at: "here")
        let sampler = try RowSampler(
            .shuffled, rowCount: 60, rank: 0, workers: 1, seed: 1, batchSize: 2, name: "targets")
        var models = [problem.start.map(Double.init)]
        var delays: [UInt64: UInt64] = [:]
        for t in 0..<90 {
            let tau = min(t, parsed.delay(UInt64(t), seed: 1))
            delays[UInt64(tau), default: 0] += 1
            sampler.advance()
            let old = models[t - tau]
            models.append(
                old.indices.map { i in
                    models[t][i] - 0.05 * sampler.chosen.reduce(0) { $0 + problem.gradient(of: $1, at: old, i) } / 2
                })
        }
        #expect(result.record.updates == 90 && result.record.status == .completed && result.record.deterministic)
        for (a, b) in zip(result.parameters, models[90]) { #expect(abs(Double(a) - b) < 1e-5) }
        let found = result.record.staleness
        #expect(found.method == .exact)
        #expect(found.all.histogram.reduce(into: [:]) { $0[$1[0]] = $1[1] } == delays)
        #expect(result.updateLog.allSatisfy { $0.readVersion <= $0.writeVersion } && result.updateLog.count == 90)
        #expect(try run(problem, law: law).parameters == result.parameters)
    }

    @Test func `without delay it is the serial reference, bit for bit, on sparse rows, with clipping and warm-up`()
        throws
    {
        let rows = try fewRows(90, features: 40)
        let problem = LinearProblem(objective: LinearObjective(loss: .logistic, l2: 0.01), train: rows)
        func change(_ options: inout TrainingOptions) {
            options.stepRule.clipNorm = 0.4
            options.stepRule.warmUpEpochs = 1.5
        }
        let delayed = try run(problem, law: "constant:0", change)
        let plain = try dataParallelRun(problem, .serialReference, workers: 1) {
            $0.stepSize = StepSize(0.05)
            $0.epochs = 3
            change(&$0)
        }.run()
        #expect(delayed.parameters == plain.parameters && delayed.parameters.contains { $0 != 0 })
        #expect(try run(problem, law: "constant:3", change).parameters != plain.parameters)
    }

    @Test func `draws are of the seed, and have the means of their laws`() throws {
        for (text, mean, deviation) in [("uniform:3-11", 7.0, 2.582), ("geometric:0.9", 9.0, 9.487)] {
            let law = try DelayLaw(parsing: text, at: "here")
            let draws = (0..<4_000).map { law.delay(UInt64($0), seed: 5) }
            let found = Double(draws.reduce(0, +)) / 4_000
            #expect(abs(found - mean) < 4 * deviation / 4_000.squareRoot())
            #expect(draws.max()! <= law.largest && draws == (0..<4_000).map { law.delay(UInt64($0), seed: 5) })
            #expect(draws != (0..<4_000).map { law.delay(UInt64($0), seed: 6) })
        }
        let cyclic = try DelayLaw(parsing: "cyclic:3", at: "here")
        #expect((0..<7).map { cyclic.delay($0, seed: 1) } == [0, 1, 2, 0, 1, 2, 0])
        #expect(try DelayLaw.delays(TextLines("4\n0\n17\n\n", name: "f")) == [4, 0, 17])
    }

    @Test func `what is not recorded is not called 0`() throws {
        let problem = TargetProblem(rows: 20, width: 2)
        #expect(try run(problem, law: "constant:3") { $0.staleness = .off }.record.staleness.method == .off)
    }

    @Test func `past models are counted, as many as the run has at most, and what does not fit is refused`() throws {
        func estimate(_ law: String, epochs: Int) throws -> Int {
            var options = TrainingOptions(Algorithm(DelayedSGD.self, settings: "law=\(law)"))
            options.epochs = epochs
            let plan = try RunPlan.checked(TargetProblem(rows: 100, width: 5_000), workers: 3, options)
            let made = try options.algorithm.make(for: plan) as! any MessageAlgorithm
            #expect(made.ranks(workers: plan.workers) == 1)
            return try FabricRunner.memoryEstimate(made, plan, evaluators: 1).bytes
        }
        let model = Vector.byteCount(of: 5_000)
        #expect(try estimate("constant:64", epochs: 3) - estimate("constant:0", epochs: 3) == 64 * model)
        #expect(try estimate("constant:999", epochs: 3) - estimate("constant:0", epochs: 3) == 300 * model)
        var options = TrainingOptions(Algorithm(DelayedSGD.self, settings: "law=constant:1000000"))
        options.epochs = 1_000_000
        let error = #expect(throws: InputError.self) {
            try TrainingRun.check(
                problem: TargetProblem(rows: 2, width: 2_000_000), workers: 1, evaluators: 1, options: options)
        }
        #expect(error?.found.contains("2000000 parameters") == true)
    }

    @Test(arguments: [
        "", "constant", "constant:-1", "constant:1.5", "constant:1000001", "uniform:3", "uniform:5-4", "uniform:-1-4",
        "geometric:1", "geometric:-0.1", "geometric:0.99999999", "cyclic:0", "cyclic", "contsant:3",
        "trace:/no/such/file", "8",
    ])
    func `what is no law is refused`(text: String) throws {
        let error = #expect(throws: InputError.self) { try DelayLaw(parsing: text, at: "--algorithm") }
        #expect(error?.expected.isEmpty == false)
        if text == "contsant:3" { #expect(error?.expected.contains("did you mean constant?") == true) }
        if text.hasPrefix("trace") { #expect(error?.place == "/no/such/file" && error?.found == "no such file") }
    }

    @Test func `lines of a trace that are no delays are refused by number`() throws {
        for (text, place) in [("1\n2\nx", "f:3"), ("1\n\n2", "f:2"), ("-1", "f:1"), ("1000001", "f:1"), ("", "f")] {
            let error = #expect(throws: InputError.self) { try DelayLaw.delays(TextLines(text, name: "f")) }
            #expect(error?.place == place)
        }
    }

    @Test(arguments: [0, 1, 2, 5, 11], [1.0, 0.3])
    func `the largest stable step of a constant delay is what theory says`(delay: Int, curvature: Double) throws {
        let expected = 2 * sin(Double.pi / Double(2 * (2 * delay + 1))) / curvature
        let found = try DelayExperiment.largestStableStep(delay: delay, curvature: curvature)
        #expect(abs(found / expected - 1) < 0.01, "\(found) for \(expected)")
    }

    @Test func `the delay's term fades as 1 by T, and that of the noise as its root`() throws {
        let iterations = [256, 512, 1_024]
        let seeds: [UInt64] = [1, 2, 3, 4]
        func slope(_ body: (Int, UInt64) throws -> Double) throws -> Estimate {
            logLogSlope(
                iterations.map { Double($0) },
                runs: try seeds.map { seed in try iterations.map { try body($0, seed) } })
        }
        // Without noise the gradients of a delay are over soon, and their mean is that of T.
        let still = DelayExperiment(sigma: 1e-9, elements: 8)
        let delayed = try slope { try still.meanSquaredGradientNorm(delay: 16, iterations: $0, seed: $1) }
        #expect(abs(delayed.mean + 1) < 0.02)
        let (none, some) = (
            try still.meanSquaredGradientNorm(delay: 0, iterations: 1_024, seed: 1),
            try still.meanSquaredGradientNorm(delay: 16, iterations: 1_024, seed: 1)
        )
        #expect(some / none > 10 && some / none < 30)
        // With it, what a delay adds at the same step size.
        let noisy = DelayExperiment(sigma: 3, elements: 8)
        let plain = try slope { try noisy.meanSquaredGradientNorm(delay: 0, iterations: $0, seed: $1) }
        #expect(abs(plain.mean + 0.5) < 0.05 + 3 * plain.standardError)
    }
}
