import Datasets
import Kernels
import Measurement
import Objectives
import Platform
import Testing

@testable import Training

@Suite struct LayoutTests {
    @Test(arguments: ["layout=shared", "layout=per-core,merge=3", "layout=per-cache", "layout=per-node", "layout=auto"])
    func `one worker has the bits of sgd in every layout`(settings: String) throws {
        let data = try classificationRows(400)
        func model(_ algorithm: Algorithm) throws -> LinearResult {
            try train(data) {
                $0.algorithm = algorithm
                $0.objective.l2 = 0.01
                $0.stepSize = StepSize(0.3, decay: 0.5)
            }
        }
        let found = try model(Algorithm(Hogwild.self, settings: settings))
        #expect(try found.model == model(.sgd).model && found.record.deterministic)
        #expect(found.record.layout?.replicas == 1)
    }

    @Test(arguments: [
        "layout=two", "merge=5", "layout=shared,merge=5", "layout=per-core,merge=0", "layout=per-core,merge=x",
    ])
    func `settings that cannot be meant are refused`(settings: String) throws {
        #expect(throws: InputError.self) {
            try train(classificationRows(100), workers: 2) {
                $0.algorithm = Algorithm(Hogwild.self, settings: settings)
            }
        }
    }

    @Test func `the layout auto has a trial where workers meet and the run is long enough, and says why`() throws {
        let data = try classificationRows(3_000)
        func layout(_ workers: Int, epochs: Int, _ change: (inout RunSetup) -> Void = { _ in }) throws
            -> RunRecord.Layout
        {
            try train(data, workers: workers) {
                $0.algorithm = Algorithm(Hogwild.self, settings: "layout=auto")
                $0.epochs = epochs
                $0.evaluationsPerEpoch = 0
                change(&$0)
            }.record.layout!
        }
        let short = try layout(2, epochs: 1)
        #expect(short.name == "shared" && short.trial == nil && short.reason?.contains("shorter") == true)
        #expect(try layout(1, epochs: 200).reason?.contains("one worker") == true)
        #expect(try layout(2, epochs: 200) { $0.staleness = .exact }.reason?.contains("looked at") == true)
        let tried = try layout(2, epochs: 60)
        #expect(tried.trial!.map(\.layout) == ["shared", "per-core"] && tried.trialSeconds! > 0)
        #expect(tried.trial!.allSatisfy { $0.rowsPerSecond > 0 })
        #expect(tried.replicas == (tried.name == "shared" ? 1 : 2))
    }

    @Test func `a trial leaves the model, the order and the workers as they were`() throws {
        let training = try linearRun(classificationRows(3_000), workers: 2) {
            $0.algorithm = Algorithm(Hogwild.self, settings: "layout=auto")
            $0.epochs = 60
            $0.startParameters = (0..<41).map { Float($0) / 100 }
        }
        let runner = training.run.runner as! SharedRunner
        let engine = training.engine
        let team = try team(2)
        runner.keep()
        _ = engine.prepare(epoch: 0, team: team)
        let orders = engine.workers.map { worker in (0..<worker.schedule.blockCount).map { worker.schedule.starts[$0] }
        }
        let found = try runner.chooseLayout(engine, StepSize(0.2).during(epoch: 0))
        #expect(found.trial != nil)
        #expect(runner.model.values == training.options.startParameters!)
        for (worker, order) in zip(engine.workers, orders) {
            #expect((0..<worker.schedule.blockCount).map { worker.schedule.starts[$0] } == order)
            #expect(
                worker.updates == 0 && !worker.sawNonFinite && worker.waitingRows == 0 && worker.staleness.count == 0)
            if let replica = worker.replica { #expect(replica.copy.values.values == runner.model.values) }
        }
        #expect(engine.updates == 0 && engine.rowsDone == 0)
    }

    @Test func `rows that hardly meet have few lines in common`() throws {
        let apart = try SparseDataset(
            featureCount: 16_000, rows: (0..<1_000).map { (Float(1), [(UInt32(16 * $0), Float(1))]) })
        #expect(apart.linesInCommon == 0)
        let alike = try SparseDataset(
            featureCount: 64, rows: (0..<1_000).map { _ in (Float(1), [(0, 1), (1, 1), (17, 1), (40, 1)]) })
        #expect(alike.linesInCommon == 3)
    }

    @Test func `replicas of rows that agree are merged more often, and the more of them the more so`() throws {
        // All rows alike: one direction of curvature 4/4.
        let alike = try SparseDataset(
            featureCount: 4, rows: (0..<50_000).map { _ in (Float(1), (0..<4).map { (UInt32($0), Float(1)) }) })
        let spread = try SparseDataset(
            featureCount: 50_000, rows: (0..<50_000).map { row in (Float(1), [(UInt32(row), Float(2))]) })
        func period(_ data: SparseDataset, _ replicas: Int) throws -> MergePeriod {
            let problem = LinearProblem(
                objective: LinearObjective(loss: .logistic, l2: 0, intercept: false), train: data)
            return try MergePeriod(problem, replicas: replicas, rows: 50_000)
        }
        let spectrum = try alike.rowSpectrum(intercept: false, without: [])
        #expect(abs(spectrum.trace - 4) < 1e-3 && abs(spectrum.largest - 4) < 1e-2 && abs(spectrum.mean - 4) < 1e-2)
        #expect(try alike.rowSpectrum(intercept: true, without: [1, 2]).mean == 3)
        #expect(try spread.rowSpectrum(intercept: false, without: []).mean == 0)

        // No direction stands out: a sixteenth of the rows, or 128 by the square of the step.
        let even = try period(spread, 2)
        #expect(even.frequent.isEmpty && [0.01, 0.5, 1].map { even.rows(stepSize: $0) } == [3_125, 512, 128])
        // All that the rows have in common is in frequent coordinates.
        for (replicas, most) in [(2, 700), (8, 175), (64, 21)] {
            let period = try period(alike, replicas)
            #expect(period.frequent == [0, 1, 2, 3] && period.rows(stepSize: 0.001) == 3_125)
            #expect((most - 2...most).contains(period.frequentRows(stepSize: 0.001)))
            #expect(period.frequentRows(stepSize: 10) == (replicas == 2 ? 32 : 8))
        }
    }

    @Test(arguments: [2, 8, 64]) func `replicas take the memory that is stated`(workers: Int) throws {
        for parameters in [1_000, ReplicaCopy.longestWhole + 5_000] {
            let places = (0..<workers).map {
                Placement.Worker(
                    rank: $0, cpu: nil, core: nil, package: nil, node: nil, memoryNode: $0 % 2, replica: $0 % 2)
            }
            for layout in [HogwildLayout.perCore, .perNode] {
                let plan = ReplicaPlan(layout, workers: places, caches: [])
                let model = try SharedParameters(count: parameters)
                let before = threadPageBytes()
                let replicas = try Replicas(plan, of: model, recordsStaleness: true)
                let pages = threadPageBytes() - before
                let stated = plan.memoryBytes(parameters: parameters)
                let recorders = workers * StalenessRecorder.memoryBytes
                #expect(
                    pages <= stated
                        && stated - pages <= recorders + 8 * workers * workers + 128 * 80 * plan.copies.count)
                withExtendedLifetime(replicas) {}
            }
        }
    }
}
