import Collectives
import Compression
import Datasets
import Measurement
import Objectives
import RateExperiments
import Testing

@testable import Training

/// Chapter 3 through runs: what error feedback follows, and where compression without it ends.
@Suite struct ErrorFeedbackTrainingTests {
    @Test(
        arguments: ["top-k:fraction=0.1", "sign", "quantize:bits=2,bucket=whole"],
        [StepSize(0.2), StepSize(0.3, power: .inverseSquareRoot, growth: 0.5)])
    func `ec-sgd less its residuals follows SGD without compression, as Lemma 3_4_1 says`(
        codec: String, stepSize: StepSize
    ) throws {
        for layout in [CompressedCollective.multiServer, .parameterServer] {
            let workers = 3
            let network = try MultilayerPerceptron(inputs: 6, outputs: 4, loss: .softmax)
            let problem = ObservedProblem(
                try DenseProblem(network: network, train: denseRows(2 * workers * 20, width: 6, classes: 4)),
                keepsAll: true)
            let training = try dataParallelRun(problem, .ecSGD, workers: workers) {
                $0.stepSize = stepSize
                $0.evaluationsPerEpoch = 1_000
                $0.exchange.codec = try? CodecConfiguration(parsing: codec)
                $0.exchange.collective = layout.rawValue
            }
            // After every iteration: x_t and gamma_(t-1) Omega_(t-1).
            var models: [[Float]] = []
            var heldBack: [[Double]] = []
            problem.onEvaluation = { _ in
                var omega = [Double](repeating: 0, count: problem.parameterCount)
                for worker in training.ranks { worker.average!.addResiduals(to: &omega) }
                let t = models.count
                let gamma = t == 0 ? 0 : Double(stepSize.during(epoch: 0).value(UInt64(t - 1)))
                models.append(training.replicas[0])
                heldBack.append(omega.map { gamma * $0 })
                #expect(training.replicas.allSatisfy { $0 == models[t] || layout == .parameterServer })
            }
            _ = try training.run()
            #expect(models.count == 21)
            for t in 0..<20 {
                let gamma = Double(stepSize.during(epoch: 0).value(UInt64(t)))
                let largest = heldBack[t].map(abs).max()! + Double(models[t].map(abs).max()!) + gamma
                for i in models[t].indices {
                    let mean = problem.observers[..<workers].reduce(0) { $0 + Double($1.gradients[t][i]) } / 3
                    let before = Double(models[t][i]) - heldBack[t][i]
                    let after = Double(models[t + 1][i]) - heldBack[t + 1][i]
                    // A dozen roundings of numbers up to `largest`.
                    if abs(after - (before - gamma * mean)) > 12 * 0x1p-24 * largest {
                        Issue.record("\(layout), iteration \(t), element \(i): \(after), not \(before - gamma * mean)")
                        return
                    }
                }
                // A sign or a selection loses something in every iteration.
                #expect(heldBack[t + 1].contains { abs($0) > 1e-4 })
            }
        }
    }

    /// norm(f'(x_t))^2, on the mean over the last 160 iterations, where each of four workers has a minimum of its own, three
    /// of them on one side of the common one.
    private func end(
        _ algorithm: Algorithm, _ codec: String, _ layout: CompressedCollective, stepSize: Double, iterations: Int
    ) throws -> Double {
        let elements = 100
        let centres: [[Float]] = (0..<4).map { n in
            (0..<elements).map { i in (i % 4 == n ? 3 : -1) * (0.5 + Float(i) / Float(elements)) }
        }
        let problem = SampledQuadratic(
            curvatures: [Float](repeating: 1, count: elements), centres: centres,
            start: [Float](repeating: 0.3, count: elements),
            rowCount: 4 * RowOrder.blockRows)
        let training = try dataParallelRun(problem, algorithm, workers: 4) {
            $0.order = .sequential
            $0.batchSize = 1
            $0.epochs = iterations / RowOrder.blockRows
            $0.evaluationsPerEpoch = 8
            $0.gradientNorm = .every
            $0.stepSize = StepSize(stepSize)
            $0.exchange.codec = try? CodecConfiguration(parsing: codec)
            $0.exchange.collective = layout.rawValue
            $0.exchange.allowsBias = true
        }
        let record = try training.run().record
        #expect(record.updates == UInt64(iterations) && record.status == .completed)
        return record.points.suffix(20).reduce(0) { $0 + $1.gradientNormSquared! } / 20
    }

    @Test(
        arguments: ["sign", "top-k:fraction=0.01"], [CompressedCollective.multiServer, .parameterServer])
    func `where a codec is biased csgd stalls, whatever the step size, and ec-sgd reaches the optimum`(
        codec: String, layout: CompressedCollective
    ) throws {
        var ends: [String: [Double]] = [:]
        for algorithm in [Algorithm.csgd, .ecSGD] {
            for (stepSize, iterations) in [(0.005, 1_216), (0.0025, 2_432)] {
                ends[algorithm.name, default: []].append(
                    try end(algorithm, codec, layout, stepSize: stepSize, iterations: iterations))
            }
        }
        // norm(f'(x_0))^2 is 9: without feedback the model even leaves where it was. What the residuals hold back is gamma Omega, so that its square falls with gamma^2.
        let (stalled, reached) = (ends["csgd"]!, ends["ec-sgd"]!)
        #expect(stalled[0] > 9 && stalled[1] > 0.5 * stalled[0])
        #expect(reached[1] < 0.1 * stalled[1])
        #expect(reached[1] < 0.4 * reached[0])
    }

    @Test func `a codec that is biased needs feedback, or the user's word`() throws {
        let problem = SampledQuadratic(elements: 10, sigma: 1, gap: 1, pairs: 1, rowCount: 2, seed: 1)
        for (codec, isRefused) in [("sign", true), ("top-k", true), ("quantize:bits=2", false), ("nonzeros", false)] {
            var refusal: String?
            do {
                _ = try dataParallelRun(problem, .csgd, workers: 2) {
                    $0.exchange.codec = try? CodecConfiguration(parsing: codec)
                }
            } catch { refusal = "\(error)" }
            #expect((refusal != nil) == isRefused)
            #expect(refusal.map { $0.contains(codec) && $0.contains("ec-sgd") } ?? true)
            _ = try dataParallelRun(problem, .csgd, workers: 2) {
                $0.exchange.codec = try? CodecConfiguration(parsing: codec)
                $0.exchange.hasErrorFeedback = true
            }
        }
    }
}
