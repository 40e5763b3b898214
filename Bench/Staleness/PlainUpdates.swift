// Updates as hogwild makes them, without a stamp, and their reads and writes alone: two workers on one model, whose rows are timed as a whole.
// The team's two threads run them.

import BenchSupport
import Datasets
import Kernels
import Objectives
import Platform
import Synchronization

final class PlainUpdates: Sendable {
    /// What a worker does for each row.
    private enum Work {
        /// An update.
        case update
        /// Reads the model and takes the derivative, with all waits for coordinates that the other has written, and writes nothing.
        case read
        /// Writes as an update does, with a derivative that is known, and reads nothing but what it writes.
        case write
    }

    private static let rowsPerTime = 500_000
    private static let stepSize: Float = 0.01

    private let train: SparseDataset
    private let team: WorkerTeam
    private let model: SharedParameters
    private let schedules: [RowSchedule]
    private let isOver = Atomic(false)
    private let nanoseconds = Atomic<UInt64>(0)
    /// 0, which the compiler does not know.
    private let zero = Atomic<UInt32>(0)
    private let sink = Atomic<UInt32>(0)

    init(_ train: SparseDataset, team: WorkerTeam) throws {
        self.train = train
        self.team = team
        model = try SharedParameters(count: train.featureCount + 1)
        var schedules: [RowSchedule] = []
        for rank in 0..<2 {
            let schedule = try RowSchedule(.blocks, rowCount: train.rowCount, rank: rank, workers: 2, seed: 1)
            schedule.prepare(epoch: 0)
            schedules.append(schedule)
        }
        self.schedules = schedules
    }

    /// Between which limits the share of an update lies that is its read: from what the writes alone leave of an update's time to what the
    /// reads alone take of it, while the other worker makes updates.
    ///
    /// Whichever comes first to a coordinate waits for the other worker's write, so that either alone has these waits, which in an update
    /// are the read's in part and the write's in part; and the other worker, less disturbed, writes more often.
    func shareOfReads() throws -> ClosedRange<Double> {
        let (read, write, whole) = (nanoseconds(.read), nanoseconds(.write), nanoseconds(.update))
        guard (0..<model.count).allSatisfy({ model[$0].isFinite }) else { throw WrongResult("the model diverged") }
        let (low, high) = (1 - write / whole, read / whole)
        return min(low, high)...max(low, high)
    }

    /// Nanoseconds a row of one worker, each in turn, while the other works all the time.
    private func nanoseconds(_ work: Work) -> Double {
        let times = (0..<2).map { timed in
            isOver.store(false, ordering: .relaxed)
            team.run { rank in
                var block = 0
                if rank != timed {
                    // Relaxed: seeing it a little later is as good.
                    while !self.isOver.load(ordering: .relaxed) {
                        self.visit(rank, from: &block, rows: 4_096, .update)
                    }
                    return
                }
                self.visit(rank, from: &block, rows: 50_000, work)
                let begin = monotonicNanoseconds()
                let rows = self.visit(rank, from: &block, rows: Self.rowsPerTime, work)
                let taken = monotonicNanoseconds() - begin
                self.isOver.store(true, ordering: .relaxed)
                self.nanoseconds.store(taken * 1_000 / UInt64(rows), ordering: .relaxed)
            }
            return Double(nanoseconds.load(ordering: .relaxed)) / 1_000
        }
        return (times[0] + times[1]) / 2
    }

    /// At least so many rows, in blocks from `block` on, which is moved on; returns how many.
    @discardableResult
    private func visit(_ rank: Int, from block: inout Int, rows most: Int, _ work: Work) -> Int {
        let schedule = schedules[rank]
        return withExtendedLifetime((train, model)) {
            let step = unsafe LinearStep(
                objective: LinearObjective(), features: train.featureCount, rows: train.rows, model: model.pointer,
                penaltyWeights: nil)
            var rows = 0
            var sum: Float = 0
            let zero = zero.load(ordering: .relaxed)
            while rows < most {
                let start = unsafe Int(schedule.starts[block])
                let range = start..<min(start + schedule.blockLength, schedule.rowCount)
                switch work {
                case .update: unsafe update(step, range)
                case .read: unsafe sum += read(step, range, zero)
                case .write: unsafe write(step, range, zero)
                }
                rows += range.count
                block = (block + 1) % schedule.blockCount
            }
            // Somewhere, so that the reads are made.
            sink.store(sum.bitPattern, ordering: .relaxed)
            return rows
        }
    }

    @inline(never) private func update(_ step: LinearStep, _ rows: Range<Int>) {
        for row in rows {
            let derivative = unsafe LogisticLoss.derivative(step.prediction(row), step.target(row))
            unsafe step.apply(row, derivative: derivative, stepSize: Self.stepSize)
        }
    }

    /// A read begins when the derivative before it is known, as it does with an update's writes between them, which the next read needs:
    /// else the processor would read for several rows at once.
    @inline(never) private func read(_ step: LinearStep, _ rows: Range<Int>, _ zero: UInt32) -> Float {
        var derivative: Float = 0
        for row in rows {
            let row = row + Int(derivative.bitPattern & zero)
            derivative = unsafe LogisticLoss.derivative(step.prediction(row), step.target(row))
        }
        return derivative
    }

    /// In turn, too: after the last coordinate, the intercept, of the row before.
    @inline(never) private func write(_ step: LinearStep, _ rows: Range<Int>, _ zero: UInt32) {
        for row in rows {
            let last = unsafe step.model[step.interceptIndex].load(ordering: .relaxed)
            let derivative = Float(bitPattern: (row % 2 == 0 ? 0.1 : -0.1 as Float).bitPattern | last.bitPattern & zero)
            unsafe step.apply(row, derivative: derivative, stepSize: Self.stepSize)
        }
    }
}
