import Collectives
import Compression
import Datasets
import Measurement
import Messaging
import Objectives
import Testing

@testable import Training

/// Data-parallel SGD on real threads, and its ends: these run under ThreadSanitizer as well.
@Suite struct DataParallelConcurrencyTests {
    static let workers = 4

    struct Case: Sendable, CustomTestStringConvertible {
        let algorithm: Algorithm
        var collective = "multi-server"
        var codec: String?
        var isDense = true

        var testDescription: String {
            "\(algorithm.name), \(collective), \(codec ?? "floats"), \(isDense ? "dense" : "sparse")"
        }
        var usesCodec: Bool { algorithm.compresses || !isDense }
    }

    static let cases: [Case] = [
        Case(algorithm: .gradientAggregation, collective: "direct"),
        Case(algorithm: .gradientAggregation, collective: "ring-allreduce"),
        Case(algorithm: .gradientAggregation, collective: "ring-allreduce", isDense: false),
        Case(algorithm: .modelAggregation, collective: "direct"),
        Case(algorithm: .modelAggregation, collective: "parameter-server"),
        Case(algorithm: .globalReplica),
        Case(algorithm: .globalReplica, collective: "parameter-server", isDense: false),
        Case(algorithm: .csgd, collective: "ring-allreduce", codec: "quantize:bits=4"),
        Case(algorithm: .csgd, collective: "natural", codec: "random-k:fraction=0.5"),
        Case(algorithm: .ecSGD, codec: "sign"),
        Case(algorithm: .ecSGD, collective: "parameter-server", codec: "top-k:fraction=0.2"),
    ]

    private func problem(_ one: Case) throws -> ObservedProblem {
        if one.isDense {
            let network = try MultilayerPerceptron(inputs: 5, outputs: 3, loss: .softmax)
            return ObservedProblem(try DenseProblem(network: network, train: denseRows(160, width: 5)))
        }
        return ObservedProblem(LinearProblem(objective: LinearObjective(), train: try classificationRows(160)))
    }

    private func training(
        _ one: Case, _ problem: ObservedProblem, stop: StopRequest = StopRequest(),
        _ change: (inout TrainingOptions) -> Void
    ) throws -> TrainingRun {
        try dataParallelRun(problem, one.algorithm, workers: Self.workers, stop: stop) {
            $0.exchange.collective = one.collective
            $0.exchange.codec = try? one.codec.map { try CodecConfiguration(parsing: $0) }
            change(&$0)
        }
    }

    /// How many gradients each worker has computed; the dedicated server computes none.
    private func gradientCounts(_ problem: ObservedProblem) -> [Int] {
        problem.observers[..<Self.workers].map(\.count)
    }

    @Test(arguments: cases) func `workers train to the same model, the same bits each time`(one: Case) throws {
        var models: [[Float]] = []
        for _ in 0..<2 {
            let problem = try problem(one)
            let training = try training(one, problem) {
                $0.epochs = 4
                $0.stepSize = StepSize(0.5)
                $0.stepRule.momentum = 0.5
            }
            let result = try training.run()
            #expect(result.record.status == .completed && result.record.updates == 80)
            #expect(gradientCounts(problem) == Array(repeating: 80, count: Self.workers))
            #expect(training.replicas.allSatisfy { $0 == result.parameters })
            #expect(result.record.points.last!.loss < result.record.points[0].loss)
            models.append(result.parameters)
        }
        #expect(models[0] == models[1])
    }

    @Test(arguments: cases) func `a wish to stop ends all ranks after the same iteration`(one: Case) throws {
        for asking in [0, Self.workers - 1] {
            let problem = try problem(one)
            let stop = StopRequest()
            let training = try training(one, problem, stop: stop) { $0.epochs = 1_000 }
            problem.observers[asking].beforeGradient = { if $0 == 10 { stop.request() } }
            let result = try training.run()
            #expect(result.record.status == .interrupted && !result.record.deterministic)
            let counts = gradientCounts(problem)
            #expect(Set(counts).count == 1 && (11...12).contains(counts[0]), "\(counts)")
            #expect(result.record.updates == UInt64(counts[0]))
            #expect(result.record.points.last!.updates == UInt64(counts[0]))
            #expect(training.replicas.allSatisfy { $0 == result.parameters })
        }
    }

    @Test(arguments: cases, [false, true])
    func `a gradient that is not finite ends the run as diverged, with the model before it, and nobody hangs`(
        one: Case, isHidden: Bool
    ) throws {
        let problem = try problem(one)
        let training = try training(one, problem) { $0.epochs = 4 }
        // In the second epoch.
        problem.observers[2].faultyGradient = 25
        problem.observers[2].hidesFault = isHidden
        let result = try training.run()
        #expect(result.record.status == .diverged)
        #expect(result.record.points.map(\.updates).prefix(2) == [0, 20])
        #expect(result.record.keptPoint == 1 && result.parameters.allSatisfy { $0.isFinite })
        let counts = gradientCounts(problem)
        if isHidden && !one.usesCodec {
            // The model takes it, so that the next gradients are of no use, at the latest what is evaluated.
            #expect(counts.allSatisfy { (26...40).contains($0) } && Set(counts).count == 1)
        } else if isHidden {
            // A codec finds it before it has sent anything, which the others learn from the fabric.
            #expect(counts[2] == 26 && counts.allSatisfy { (25...26).contains($0) })
            #expect((24...25).contains(result.record.updates))
        } else {
            #expect(counts.allSatisfy { $0 == 26 } && result.record.updates == 26)
        }
        // What the failed segment took is in the record.
        let points = result.record.points
        #expect(points.last!.seconds > points[1].seconds)
    }

    @Test(arguments: cases) func `a time limit ends all ranks after the same iteration`(one: Case) throws {
        let problem = try problem(one)
        let training = try training(one, problem) {
            $0.epochs = 1_000_000
            $0.maxSeconds = 0.02
        }
        let result = try training.run()
        #expect(result.record.status == .timeLimit && result.record.seconds >= 0.02)
        let counts = gradientCounts(problem)
        #expect(Set(counts).count == 1 && result.record.updates == UInt64(counts[0]))
        #expect(training.replicas.allSatisfy { $0 == result.parameters })
    }
}
