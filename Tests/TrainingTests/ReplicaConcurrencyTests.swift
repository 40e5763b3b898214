import Datasets
import Kernels
import Measurement
import Objectives
import Platform
import Testing

@testable import Training

extension LinearRun {
    /// Has the workers of hogwild change the copies of `plan`, whatever machine this is.
    fileprivate func follow(_ plan: ReplicaPlan) {
        (run.runner as! SharedRunner).hogwild!.choice = LayoutChoice(
            candidates: [(layout: .perCore, plan: plan)], reason: "a test")
    }
}

/// Replicas and their merges, with more workers than cores: these run under ThreadSanitizer as well.
@Suite struct ReplicaConcurrencyTests {
    /// Workers on `nodes` nodes, whom the machine that runs this need not have: nothing is pinned.
    private static func places(_ workers: Int, nodes: Int) -> [Placement.Worker] {
        (0..<workers).map {
            Placement.Worker(
                rank: $0, cpu: nil, core: nil, package: nil, node: nil, memoryNode: $0 * nodes / workers,
                replica: $0 * nodes / workers)
        }
    }

    /// Hinge, rows of their own label alone: each update adds 1 to the weight of its feature, exactly, as long as that is below 2^20.
    private func ones(rows: Int, features: Int) throws -> SparseDataset {
        try SparseDataset(
            featureCount: features, rows: (0..<rows).map { (1, [(UInt32($0 * 7_919 % features), Float(0x1p-20))]) })
    }

    private func train(
        _ data: SparseDataset, _ plan: ReplicaPlan, merge: Int?, epochs: Int = 2, order: RowOrder = .shuffled
    ) throws -> LinearResult {
        let training = try linearRun(data, workers: plan.copyOfRank.count) {
            $0.algorithm = Algorithm(
                Hogwild.self, settings: "layout=per-core,merge=\(merge.map(String.init) ?? "adaptive")")
            $0.objective = LinearObjective(loss: .hinge, l2: 0, intercept: false)
            $0.stepSize = StepSize(0x1p20)
            $0.epochs = epochs
            $0.order = order
        }
        training.follow(plan)
        return try training.train()
    }

    @Test(arguments: [1, 2], [1, 7, 100, 1_000_000, nil])
    func `replicas of one worker each lose no update`(nodes: Int, merge: Int?) throws {
        // Without a number, features that one row in 4 has are merged more often than the others.
        let (rows, features) = (8_000, merge == nil ? 4 : 40)
        let plan = ReplicaPlan(.perCore, workers: Self.places(8, nodes: nodes), caches: [])
        #expect(plan.copies.count == 9 + (nodes > 1 ? nodes : 0))
        let result = try train(ones(rows: rows, features: features), plan, merge: merge)
        #expect(result.model.weights == [Float](repeating: Float(2 * rows / features), count: features))
        #expect(result.record.updates == UInt64(2 * rows))
    }

    @Test(arguments: [1, 2]) func `replicas that are merged by lines lose no update`(nodes: Int) throws {
        let features = ReplicaCopy.longestWhole + 3 * ReplicaCopy.chunkFloats + 5
        let plan = ReplicaPlan(.perCore, workers: Self.places(4, nodes: nodes), caches: [])
        // Every other row hits a few features that all workers change.
        let rows = 3_000
        let data = try SparseDataset(
            featureCount: features,
            rows: (0..<rows).map { row in
                let own = UInt32(20 + row * 97 % (features - 20))
                return (1, [(UInt32(row % 20), Float(0x1p-20)), (own, Float(0x1p-20))])
            })
        var expected = [Float](repeating: 0, count: features)
        for row in 0..<rows {
            expected[row % 20] += 2
            expected[20 + row * 97 % (features - 20)] += 2
        }
        for merge in [3, 50, nil] {
            let result = try train(data, plan, merge: merge)
            #expect(result.model.weights == expected)
        }
        // Workers who share a replica lose what they lose to each other and no more.
        let shared = ReplicaPlan(.perNode, workers: Self.places(4, nodes: 2), caches: [])
        let result = try train(data, shared, merge: 3)
        #expect(zip(result.model.weights, expected).allSatisfy { $0 <= $1 })
        // A worker that is taken off its core between its read and its write loses all that others added to a frequent feature
        // meanwhile, which may be nearly everything; of the rare ones at most a line of those that are being merged.
        #expect(result.model.weights[20...].reduce(0, +) >= 0.5 * expected[20...].reduce(0, +))
    }

    @Test(arguments: [StalenessRecording.sampled(every: nil), .off])
    func `what replicas did not see of each other is counted once`(recording: StalenessRecording) throws {
        let workers = 4
        for (layout, members) in [(HogwildLayout.perCore, 1), (.perNode, 2)] {
            let training = try linearRun(classificationRows(2_000), workers: workers) {
                $0.algorithm = Algorithm(Hogwild.self, settings: "layout=\(layout.rawValue),merge=20")
                $0.staleness = recording
                $0.epochs = 3
            }
            training.follow(
                ReplicaPlan(
                    layout, workers: Self.places(workers, nodes: layout == .perNode ? 2 : 1), caches: []))
            let record = try training.train().record
            let staleness = record.staleness
            #expect(record.points.last!.loss < record.points[0].loss && record.updates == 6_000)
            #expect(record.layout?.replicas == workers / members && record.layout!.merges! > 0)
            guard recording != .off else {
                #expect(staleness.method == .off && staleness.all.count == 0)
                continue
            }
            #expect(staleness.method == .exact && staleness.all.count == record.updates)
            for (worker, delays) in zip(staleness.perWorker, staleness.delayedBy!) {
                #expect(delays.count == workers && delays[worker.rank!] == 0)
                #expect(Double(delays.reduce(0, +)) == (worker.mean * Double(worker.count)).rounded())
                #expect(worker.count == training.engine.workers[worker.rank!].updates)
            }
            // Of two updates of different replicas at most one has not seen the other.
            let pairs = Double(record.updates) * Double(record.updates) * 0.5
            #expect(staleness.all.mean * Double(staleness.all.count) <= pairs)
            // Nobody sees an update of another replica before it is merged.
            #expect(staleness.all.mean > 0)
        }
    }

    @Test func `workers who share a replica learn as well, with a penalty too`() throws {
        for (layout, l2) in [(HogwildLayout.perNode, 0.0), (.perNode, 0.01), (.perCore, 0.01)] {
            let training = try linearRun(classificationRows(3_000), workers: 8) {
                $0.algorithm = Algorithm(Hogwild.self, settings: "layout=\(layout.rawValue),merge=16")
                $0.objective.l2 = l2
                $0.batchSize = l2 > 0 ? 1 : 3
                $0.stepSize = Self.smallStep
                $0.epochs = 5
            }
            training.follow(ReplicaPlan(layout, workers: Self.places(8, nodes: 2), caches: []))
            let points = try training.train().record.points
            let (start, loss) = (points[0].objective!, points.last!.objective!)
            let alone = try Self.alone(l2: l2)
            #expect(abs(loss - alone) < 0.1 * (start - alone))
        }
    }

    private static func alone(l2: Double) throws -> Double {
        try TrainingTests.train(classificationRows(3_000)) {
            $0.algorithm = .sgd
            $0.objective.l2 = l2
            $0.stepSize = smallStep
            $0.epochs = 5
        }.record.points.last!.objective!
    }

    /// Small enough that it hardly matters in which order workers are let onto the cores: the changes of 8 workers, 16 rows each, are
    /// summed where all of them begin at the same model.
    private static let smallStep = StepSize(0.02)
}
