// How far each worker of a run has come. A worker writes its own counter, anybody reads them all.

internal import Platform
internal import Synchronization

/// One counter per worker, each on its own cache line: of updates, whose sum is t, or of rows.
@safe struct WorkerCounters: ~Copyable, @unchecked Sendable {
    // Sendable: atomics, which never move.

    private let counters: UnsafeMutablePointer<PaddedCounter>
    private let workers: Int

    init(workers: Int) {
        self.workers = workers
        unsafe counters = .allocate(capacity: workers)
        for rank in 0..<workers { unsafe (counters + rank).initialize(to: PaddedCounter()) }
    }

    deinit {
        unsafe counters.deinitialize(count: workers)
        unsafe counters.deallocate()
    }

    /// Tells the others how many updates this worker has made. Relaxed: the count orders nothing, it is only counted.
    @inline(__always) func publish(_ updates: UInt64, rank: Int) {
        unsafe counters[rank].value.store(updates, ordering: .relaxed)
    }

    /// The number of one worker, as it last told. Relaxed, as above.
    subscript(rank: Int) -> UInt64 { unsafe counters[rank].value.load(ordering: .relaxed) }

    /// Adds to the number of one worker, by that worker only.
    func add(_ amount: UInt64, rank: Int) {
        publish(unsafe counters[rank].value.load(ordering: .relaxed) &+ amount, rank: rank)
    }

    /// The number of updates by all workers. Relaxed: each counter only grows, so neither can the sum seen by one thread shrink.
    func total() -> UInt64 {
        var sum: UInt64 = 0
        for rank in 0..<workers { unsafe sum &+= counters[rank].value.load(ordering: .relaxed) }
        return sum
    }
}
