import Collectives
import Measurement
import Messaging
import Objectives
import Platform
import SwitchModel
import Testing

@testable import Training

/// Models are averaged at the end of every third step.
private struct ThirdStep: MessageAlgorithm {
    static let facts = AlgorithmFacts(
        name: "third-step", summary: "averages in every third step", section: "this test",
        options: Set<AlgorithmOption>.steps.union([.collective, .clock]), evaluates: .mean)

    private let plan: RunPlan
    private let collective: AllReduceAlgorithm

    init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        plan = run
        collective = try run.allReduce()
    }

    func ranks(workers: Int) -> Int { collective.ranks(workers: workers) }
    var lead: UInt64? { 3 }
    var exchange: ExchangeShape {
        var shape = plan.shape(of: collective)
        shape.period = 3
        return shape
    }

    func run(_ worker: RankWorker, over communicator: Communicator) throws {
        while let step = try worker.nextStep() {
            try worker.computeGradient()
            if !worker.isServer { worker.descend(step.size) }
            guard step.t % 3 == 2 else { continue }
            try communicator.allReduce(worker.x, by: collective)
            worker.x.scale(by: 1 / Float(worker.workers))
        }
    }
}

/// Algorithms whose ranks meet now and then.
@Suite struct PeriodicExchangeTests {
    static let problem = LinearProblem(objective: LinearObjective(), train: try! classificationRows(96))

    @Test(arguments: ["ring-allreduce", "parameter-server", "recursive-doubling"], [1, 2, 4])
    func `an exchange in every third step takes what is predicted of it`(collective: String, workers: Int) throws {
        let result = try dataParallelRun(Self.problem, Algorithm(ThirdStep.self), workers: workers) {
            $0.batchSize = 2
            $0.exchange.collective = collective
            $0.clock.kind = .virtual(try! NetworkCost(latencySeconds: 1e-3, secondsPerMegabyte: 2))
            $0.clock.computeSeconds = 0.01
        }.run()
        // 48, 24 or 12 steps.
        #expect(result.record.updates == UInt64(48 / workers))
        let exchange = try #require(result.record.exchange)
        let predicted = try #require(exchange.predictedSecondsPerIteration)
        #expect(abs(exchange.secondsPerIteration - predicted) <= 1e-9 * predicted, "\(predicted)")
        #expect(predicted >= 0.01)
        if workers > 1 { #expect(predicted > 0.01 && predicted < 0.01 + 1e-3 * 2 * Double(workers)) }
    }

    @Test func `models of their own that nobody counted the staleness of are not said to be the newest`() throws {
        for (staleness, workers) in [(StalenessRecording.exact, 2), (.off, 2), (.exact, 1)] {
            let record = try dataParallelRun(Self.problem, Algorithm(ThirdStep.self), workers: workers) {
                $0.staleness = staleness
            }.run().record
            #expect(record.staleness.method == (workers == 1 ? .serial : .off))
        }
    }
}
