// asgd: asynchronous SGD with atomic updates (section 4.1). Every worker runs it on the shared model, without barriers.
//
// The server of the book is the model behind one lock: a worker takes the lock to read (its row's coordinates of one version of
// the model), computes its gradient outside, and takes the lock again to apply it. Reads are consistent and no update is lost, so
// the iterates are x_(t+1) = x_t - gamma g(x_D(t)) exactly, and tau = t - D(t) is exact.

internal import Kernels
internal import Measurement
internal import Objectives
internal import Platform

/// The lock around a model, and t, the number of updates applied to it.
struct VersionedModel: ~Copyable {
    let lock = FutexLock()
    /// Read and written under the lock only.
    let version: PageBuffer<UInt64>

    init() throws(InputError) { version = try PageBuffer(count: 1) }
}

/// One stretch of ASGD by one worker.
func lockedASGD<L: Loss>(
    _: L.Type, _ worker: Worker, _ step: LinearStep, blocks: Range<Int>, stepSize: EpochStepSize,
    server: borrowing VersionedModel, recording: Bool, logging: Bool
) {
    var cursor = unsafe worker.cursor(blocks, rows: step.rows)
    let version = unsafe server.version.pointer
    while true {
        server.lock.lock()
        let readVersion = unsafe version.pointee
        let count = unsafe takeBatch(L.self, worker, step, &cursor)
        server.lock.unlock()
        if count == 0 { break }

        server.lock.lock()
        let writeVersion = unsafe version.pointee
        unsafe applyBatch(worker, step, count: count, stepSize: stepSize.value(writeVersion))
        unsafe version.pointee = writeVersion &+ 1
        server.lock.unlock()

        worker.updates &+= 1
        if recording { worker.staleness.record(writeVersion &- readVersion) }
        if logging {
            worker.log.append(
                UpdateLogEntry(worker: worker.rank, readVersion: readVersion, writeVersion: writeVersion))
        }
    }
}
