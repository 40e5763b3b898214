import Datasets
import Measurement
import Messaging
import Objectives
import Platform
import Testing

@testable import Training

/// The races that training lives with: these run under ThreadSanitizer as well.
@Suite struct StalenessConcurrencyTests {
    @Test(arguments: [2, 3, 8], [1, 5])
    func `the staleness of asgd obeys its sum rule`(workers: Int, batch: Int) throws {
        let result = try train(classificationRows(600), workers: workers) {
            $0.algorithm = .asgd
            $0.staleness = .exact
            $0.batchSize = batch
            $0.keepsUpdateLog = true
        }
        let log = result.updateLog
        let staleness = result.record.staleness
        #expect(log.count == Int(result.record.updates))
        // Every update has its own place in one order.
        #expect(Set(log.map(\.writeVersion)) == Set(0..<UInt64(log.count)))
        // A worker reads before it writes, and after its own last write.
        for worker in 0..<workers {
            let own = log.filter { $0.worker == worker }.sorted { $0.writeVersion < $1.writeVersion }
            #expect(own.allSatisfy { $0.readVersion <= $0.writeVersion })
            #expect(zip(own, own.dropFirst()).allSatisfy { $0.writeVersion < $1.readVersion })
            // tau is the number of updates between the read and the write, all of them by others.
            for entry in own {
                let between = log.filter {
                    $0.writeVersion >= entry.readVersion && $0.writeVersion < entry.writeVersion
                }
                #expect(between.count == Int(entry.writeVersion - entry.readVersion))
                #expect(between.allSatisfy { $0.worker != worker })
            }
            let recorded = staleness.perWorker[worker]
            #expect(recorded.count == UInt64(own.count))
            // The mean is a quotient: only its product rounded is the sum again.
            #expect(
                (recorded.mean * Double(own.count)).rounded()
                    == Double(own.reduce(0) { $0 + $1.writeVersion - $1.readVersion }))
        }
        let total = log.reduce(0) { $0 + $1.writeVersion - $1.readVersion }
        #expect((staleness.all.mean * Double(log.count)).rounded() == Double(total))
        #expect(staleness.all.max == log.map { $0.writeVersion - $0.readVersion }.max())
        #expect(staleness.all.histogram.reduce(0) { $0 + $1[1] } == UInt64(log.count))
    }

    @Test(arguments: [2, 3, 4])
    func `workers of asgd that wait for each other are stale, and the model is what the log says`(
        workers: Int
    ) throws {
        let rounds = 64
        let problem = ObservedProblem(
            LinearProblem(objective: LinearObjective(), train: try classificationRows(rounds * workers)),
            keepsAll: true)
        var options = TrainingOptions()
        options.algorithm = .asgd
        options.epochs = 1
        options.stepSize = StepSize(0.2)
        options.staleness = .exact
        options.keepsUpdateLog = true
        let training = try trainingRun(problem, workers: workers, options)
        // In each round all have read before any of them writes, however many cores there are. Who comes too late to see the end makes one
        // more update alone.
        let meeting = Meeting(workers)
        for observer in problem.observers { observer.beforeGradient = { if $0 < rounds { meeting.barrier.wait() } } }
        let result = try training.run()
        let log = result.updateLog.sorted { $0.writeVersion < $1.writeVersion }
        #expect(log.map(\.writeVersion) == Array(0..<UInt64(log.count)))
        #expect((rounds * workers..<(rounds + 1) * workers).contains(log.count))

        // In its round an update has 0, 1, ... before it, and of the round before those at most that came after this worker's own. In the
        // last round one more update may come between.
        let whole = rounds - 1
        let taus = log.prefix(whole * workers).map { Int($0.writeVersion - $0.readVersion) }
        let each = workers * (workers - 1)
        for round in 0..<whole {
            let own = taus[round * workers..<(round + 1) * workers]
            #expect(own.enumerated().allSatisfy { $0.element >= $0.offset })
        }
        #expect((whole * each / 2...whole * each).contains(taus.reduce(0, +)))
        let staleness = result.record.staleness.all
        #expect(staleness.mean > 0 && staleness.count == UInt64(log.count))
        if workers > 2 { #expect(staleness.p50 >= 1) }

        let x = try Vector(count: problem.parameterCount)
        var states = [x.elements]
        var made = [Int](repeating: 0, count: workers)
        for entry in log {
            let gradient = try Vector(count: x.count)
            let found = problem.observers[entry.worker].gradients[made[entry.worker]]
            gradient.withMutableSpan { span in for i in found.indices { span[i] = found[i] } }
            x.descend(0.2, along: gradient)
            // What the first worker saw is the version that it says.
            if entry.worker == 0 { #expect(problem.iterates[made[0]] == states[Int(entry.readVersion)]) }
            states.append(x.elements)
            made[entry.worker] += 1
        }
        #expect(result.parameters == x.elements && problem.observers.map(\.count) == made)
    }

    private final class Meeting: Sendable {
        let barrier: Barrier
        init(_ workers: Int) { barrier = Barrier(count: workers) }
    }

    @Test(arguments: [2, 16], [1, 3]) func `hogwild makes every update and counts those it looks at`(
        workers: Int, batch: Int
    )
        throws
    {
        let data = try classificationRows(900)
        for recording in [StalenessRecording.sampled(every: 7), .exact, .off] {
            let record = try train(data, workers: workers) {
                $0.algorithm = .hogwild
                $0.staleness = recording
                $0.batchSize = batch
            }.record
            #expect(batch > 1 || record.updates == 1_800)
            #expect(!record.deterministic)
            let staleness = record.staleness
            let readSpan = staleness.readSpan
            switch recording {
            case .sampled: #expect(staleness.method == .sampled && staleness.every == 7)
            case .exact:
                #expect(staleness.method == .exact && staleness.all.count == record.updates)
                #expect(staleness.lostUpdateSamples! > 0)
                #expect((0...1).contains(staleness.shareReadToWrite!))
            case .off: #expect(staleness.method == .off && staleness.all.count == 0)
            }
            #expect(staleness.perWorker.count == workers)
            if recording != .off {
                #expect(readSpan!.count == staleness.all.count && readSpan!.mean <= staleness.all.mean)
                for (worker, delays) in zip(staleness.perWorker, staleness.delayedBy!) {
                    #expect(delays.count == workers && delays[worker.rank!] == 0)
                    #expect(Double(delays.reduce(0, +)) == (worker.mean * Double(worker.count)).rounded())
                }
            }
            #expect(record.points.last!.loss < record.points[0].loss)
        }
    }

    @Test func `the staleness that hogwild records is as much as its updates have of each other`() throws {
        // While one update is under way, the others make what they make: in all at most one update is delayed by each pair of
        // worker and update at a time.
        let record = try train(classificationRows(600), workers: 4) {
            $0.algorithm = .hogwild
            $0.staleness = .exact
            $0.epochs = 1
        }.record
        #expect(record.staleness.all.mean * 600 <= 3 * 600)
    }

    @Test(arguments: [2, 4]) func `what hogwild loses and what remains are all that it added`(workers: Int) throws {
        // Hinge, all rows alike: each update adds 1 to the weight, exactly, as long as that is below 2^20.
        let rows = 20_000
        let data = try SparseDataset(featureCount: 1, rows: Array(repeating: (1, [(0, 0x1p-20)]), count: rows))
        let training = try linearRun(data, workers: workers) {
            $0.algorithm = .hogwild
            $0.objective = LinearObjective(loss: .hinge, l2: 0, intercept: false)
            $0.stepSize = StepSize(0x1p20)
            $0.staleness = .exact
            $0.epochs = 1
        }
        for worker in training.engine.workers { worker.watchPeriod = 1 }
        let result = try training.train()
        let overwritten = training.engine.workers.reduce(0) { $0 + $1.overwritten }
        #expect(result.record.staleness.lostUpdateSamples == UInt64(rows))
        #expect(Double(result.model.weights[0]) + overwritten == Double(rows))
        #expect(overwritten == 0 || result.record.staleness.lostUpdateRate! > 0)
    }

    @Test func `stamps that fill the memory for them are worked out in several goes, and none is missed`() throws {
        let rows = 10_000
        let data = try classificationRows(rows, features: 8)
        for batch in [1, 3] {
            let training = try linearRun(data, workers: 2) {
                $0.algorithm = .hogwild
                $0.staleness = .exact
                $0.epochs = 1
                $0.batchSize = batch
            }
            let engine = training.engine
            let whole = try train(data, workers: 2) {
                $0.algorithm = .hogwild
                $0.staleness = .off
                $0.epochs = 1
                $0.batchSize = batch
            }.record
            engine.observation = try Observation(of: data, workers: engine.workers, training.options, mostBytes: 1)
            #expect(engine.observation!.goes(parts: 1) > 1)
            let record = try training.train().record
            #expect(record.staleness.all.count == whole.updates && record.updates == whole.updates)
        }
    }
}
