// asgd: asynchronous SGD with atomic updates (section 4.1). Every worker runs it on the shared model, without barriers.
//
// The server of the book is the model behind one lock: a worker takes the lock to apply its gradient and to read the coordinates of its
// next rows, and computes outside. Reads are of one version and no update is lost, so the iterates are
// x_(t+1) = x_t - gamma g(x_D(t)) exactly, and tau = t - D(t) is exact. The lock is fair: while a worker computes, each other one that
// waits has its turn, so that N busy workers on cores of their own see tau about N - 1.

internal import Kernels
internal import Measurement
internal import Objectives
internal import Platform

/// The lock around a model, and t, the number of updates applied to it.
struct VersionedModel: ~Copyable {
    let lock: FairLock
    /// Read and written under the lock only.
    let version: PageBuffer<UInt64>

    init(workers: Int) throws(InputError) {
        lock = FairLock(threads: workers)
        version = try PageBuffer(count: 1)
    }
}

/// One stretch of ASGD by one worker. `meanwhile` runs between a read and the write that follows, outside the lock.
func lockedASGD<L: Loss>(
    _: L.Type, _ worker: Worker, _ step: LinearStep, blocks: Range<Int>, stepSize: EpochStepSize,
    server: borrowing VersionedModel, recording: Bool, logging: Bool, meanwhile: ((_ rank: Int) -> Void)?
) {
    var cursor = unsafe worker.cursor(blocks, rows: step.rows)
    let version = unsafe server.version.pointer
    var place = worker.place
    defer { worker.place = place }
    var count = worker.takeRows(&cursor)
    if count == 0 { return }
    server.lock.lock(&place)
    var readVersion = unsafe version.pointee
    unsafe readCoordinates(worker, step, count: count)
    server.lock.unlock()
    while true {
        unsafe takeDerivatives(L.self, worker, step, count: count)
        meanwhile?(worker.rank)

        server.lock.lock(&place)
        let writeVersion = unsafe version.pointee
        unsafe applyBatch(worker, step, count: count, stepSize: stepSize.value(writeVersion))
        unsafe version.pointee = writeVersion &+ 1
        count = worker.takeRows(&cursor)
        unsafe readCoordinates(worker, step, count: count)
        server.lock.unlock()

        worker.updates &+= 1
        if recording { worker.staleness.record(writeVersion &- readVersion) }
        if logging {
            worker.log.append(
                UpdateLogEntry(worker: worker.rank, readVersion: readVersion, writeVersion: writeVersion))
        }
        if count == 0 { return }
        readVersion = writeVersion &+ 1
    }
}

/// Copies the coordinates of the batch's rows. Under the lock.
@inline(__always) private func readCoordinates(_ worker: Worker, _ step: LinearStep, count: Int) {
    var coordinates = unsafe worker.coordinates.pointer
    for i in 0..<count { unsafe coordinates += step.read(worker.batchRows.pointer[i], into: coordinates) }
}

/// The derivatives of the batch's rows at the coordinates that were read.
@inline(__always) private func takeDerivatives<L: Loss>(_: L.Type, _ worker: Worker, _ step: LinearStep, count: Int) {
    var coordinates = unsafe UnsafePointer(worker.coordinates.pointer)
    for i in 0..<count {
        let row = unsafe worker.batchRows.pointer[i]
        let derivative = unsafe L.derivative(step.prediction(row, from: coordinates), step.target(row))
        unsafe coordinates += step.coordinateCount(row)
        unsafe worker.batchDerivatives.pointer[i] = derivative
        if !derivative.isFinite { worker.sawNonFinite = true }
    }
}
