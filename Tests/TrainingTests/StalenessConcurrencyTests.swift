import Datasets
import Measurement
import Objectives
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

    @Test(arguments: [2, 16]) func `hogwild makes every update and counts what it samples`(workers: Int) throws {
        let data = try classificationRows(900)
        for recording in [StalenessRecording.sampled(every: 7), .exact, .off] {
            let record = try train(data, workers: workers) {
                $0.algorithm = .hogwild
                $0.staleness = recording
            }.record
            #expect(record.updates == 1_800)
            #expect(!record.deterministic)
            let staleness = record.staleness
            switch recording {
            case .sampled:
                #expect(staleness.method == .sampled && staleness.every == 7)
                #expect(
                    staleness.all.count >= 1_800 / 7 - UInt64(workers)
                        && staleness.all.count <= 1_800 / 7 + UInt64(workers))
                #expect(staleness.readSpan!.count == staleness.all.count)
                #expect(staleness.readSpan!.mean <= staleness.all.mean)
                #expect(staleness.lostUpdateSamples == staleness.all.count)
            case .exact: #expect(staleness.method == .exact && staleness.all.count == 1_800)
            case .off: #expect(staleness.method == .off && staleness.all.count == 0)
            }
            #expect(staleness.perWorker.count == workers)
            #expect(record.points.last!.loss < record.points[0].loss)
        }
    }

    @Test func `the exact staleness of hogwild obeys the sum rule of its counter`() throws {
        // Every update is counted between the read and the write of at most workers - 1 others at any moment, so that the total
        // cannot exceed (workers - 1) times the number of updates plus those in flight at the ends.
        let record = try train(classificationRows(600), workers: 4) {
            $0.algorithm = .hogwild
            $0.staleness = .exact
            $0.epochs = 1
        }.record
        #expect(record.staleness.all.mean * 600 <= 3 * 600)
    }
}
