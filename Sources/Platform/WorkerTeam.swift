// The pinned threads on which training runs. `run` belongs to one calling thread, usually the main one; the loop that waits
// for work, and the work itself, run on the workers.

internal import CPlatformShims
internal import Glibc
internal import Synchronization

/// N persistent threads, each pinned to its CPU, which run one body at a time, once per rank.
///
/// The workers may far outnumber the CPUs. Between two runs they sleep. They end, and are joined, when the team goes away.
public final class WorkerTeam: Sendable {
    /// Where the workers stand; worker `rank` is `placement.workers[rank]`.
    public let placement: Placement
    /// The number of workers.
    public var count: Int { placement.workers.count }

    private let shared: Shared
    private let threads: [pthread_t]

    /// About what a worker's thread takes in bytes once it works, beyond what it took to start, as measured: pages of its stack, and what
    /// the C library keeps for it.
    public static let threadBytes = 16 << 10

    /// Starts one thread per worker of `placement`, pins each to its CPU, asks the kernel whether that holds, and makes its
    /// memory come from its memory node where there is NUMA.
    ///
    /// Throws an error that names rank and CPU where the kernel refuses a pinning, or the count where it refuses threads.
    public init(placement: Placement) throws(InputError) {
        precondition(!placement.workers.isEmpty, "a team of no workers")
        self.placement = placement
        let shared = Shared(count: placement.workers.count)
        self.shared = shared
        var threads: [pthread_t] = []
        for worker in placement.workers {
            var thread = pthread_t()
            let start = unsafe Unmanaged.passRetained(Start(shared: shared, rank: worker.rank))
            let failure = unsafe pthread_create(
                &thread, nil,
                { argument in
                    let start = unsafe Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
                    start.shared.work(rank: start.rank)
                    return nil
                }, start.toOpaque())
            guard failure == 0 else {
                unsafe start.release()
                self.threads = threads
                throw InputError(
                    at: "--workers",
                    found: "\(placement.workers.count), of which \(threads.count) could be started "
                        + "(\(describe(errorNumber: failure)))",
                    expected: "fewer threads")
            }
            threads.append(thread)
        }
        self.threads = threads

        let refusals = Locked<[Int: String]>([:])
        run { rank in
            let worker = placement.workers[rank]
            if let cpu = worker.cpu, let refusal = Affinity.pinCallingThread(to: cpu) {
                refusals.withLock { $0[rank] = "CPU \(cpu) refused by the kernel (\(refusal))" }
            }
            if let node = worker.memoryNode { NUMA.preferCallingThread(node: node) }
        }
        if let (rank, refusal) = refusals.withLock({ $0 }).min(by: { $0.key < $1.key }) {
            throw InputError(at: "worker \(rank)", found: refusal, expected: "a CPU on which this process may run")
        }
    }

    deinit {
        shared.stop()
        for thread in threads { pthread_join(thread, nil) }
    }

    /// Runs `body(rank)` once on every worker and returns when all are done; calls `whileWaiting` on the calling thread about every
    /// `seconds` until then.
    ///
    /// The result is in seconds, from the arrival of the last worker at the start to the end of the last one: waking the
    /// threads is not in it. Not to be called by two threads at once, nor from a body.
    @discardableResult
    public func run(
        _ body: @Sendable (_ rank: Int) -> Void, whileWaiting: () -> Void = {}, every seconds: Double = 1e6
    ) -> Double {
        withoutActuallyEscaping(body) { body in
            start(body)
            while !awaitEnd(whileWaiting: whileWaiting, every: seconds) {}
            return shared.seconds
        }
    }

    /// Starts `body(rank)` on every worker and returns; `awaitEnd` follows. Otherwise as `run`.
    public func start(_ body: @escaping @Sendable (_ rank: Int) -> Void) { shared.begin(body) }

    /// Waits until the body that was started is done on all workers (true) or one of them has called back (false); calls `whileWaiting`
    /// about every `seconds`.
    public func awaitEnd(whileWaiting: () -> Void = {}, every seconds: Double = 1e6) -> Bool {
        precondition(seconds > 0, "whileWaiting every \(seconds) seconds")
        return shared.waitUntilDone(calling: whileWaiting, everyNanoseconds: UInt64(min(seconds, 1e6) * 1e9) + 1)
    }

    /// Makes the thread that waits in `awaitEnd`, now or next, return from there. Called from a body.
    public func callBack() { shared.callBack() }
}

/// What a thread is started with.
private final class Start: Sendable {
    let shared: Shared
    let rank: Int

    init(shared: Shared, rank: Int) {
        self.shared = shared
        self.rank = rank
    }
}

/// What the caller and the workers of one team share.
private final class Shared: @unchecked Sendable {
    // Sendable: `body` and `stopping` are written by the caller only while no worker reads them: before the release of
    // `generation` and after the acquire of `done`. All else is atomic.

    private let count: Int
    private var body: (@Sendable (Int) -> Void)?
    private var stopping = false
    private let generation = Futex(0)
    /// 0 while the workers work, 1 when they are done, 2 while one of them wants the caller to call back.
    private let done = Futex(1)
    private let start: Barrier
    private let remaining = PaddedCounter()
    private let lastArrival = PaddedCounter()
    private let lastEnd = PaddedCounter()

    init(count: Int) {
        self.count = count
        start = Barrier(count: count)
    }

    // MARK: The caller's side

    func begin(_ body: @escaping @Sendable (Int) -> Void) {
        // Acquires what the run before left: pairs with the release of the last worker to be done.
        let idle = unsafe done.word.pointee.compareExchange(expected: 1, desired: 0, ordering: .acquiring).exchanged
        precondition(idle, "a team runs one body at a time")
        self.body = body
        // Relaxed: published by the generation.
        remaining.value.store(UInt64(count), ordering: .relaxed)
        lastArrival.value.store(0, ordering: .relaxed)
        lastEnd.value.store(0, ordering: .relaxed)
        advance()
    }

    func waitUntilDone(calling whileWaiting: () -> Void, everyNanoseconds period: UInt64) -> Bool {
        var next = monotonicNanoseconds() + period
        while true {
            // Acquires what the worker that calls back has written: pairs with the release in `callBack`.
            if unsafe done.word.pointee.compareExchange(expected: 2, desired: 0, ordering: .acquiring).exchanged {
                return false
            }
            // Acquires the workers' writes: pairs with the release of the last worker to be done.
            if unsafe done.word.pointee.load(ordering: .acquiring) == 1 { break }
            let now = monotonicNanoseconds()
            if now < next {
                unsafe Futex.wait(on: done.word, while: 0, nanoseconds: Int64(next - now))
            } else {
                whileWaiting()
                next = monotonicNanoseconds() + period
            }
        }
        body = nil
        return true
    }

    func callBack() {
        // Releases what the body has written: pairs with the acquire of the caller.
        _ = unsafe done.word.pointee.compareExchange(expected: 0, desired: 2, ordering: .releasing)
        done.wakeAll()
    }

    /// What the run before took.
    var seconds: Double {
        // Relaxed: the workers' last writes were acquired with `done`.
        Double(lastEnd.value.load(ordering: .relaxed) - lastArrival.value.load(ordering: .relaxed)) / 1e9
    }

    func stop() {
        stopping = true
        advance()
    }

    private func advance() {
        // Releases the body and the counters: pairs with the acquiring load in `work`.
        unsafe generation.word.pointee.add(1, ordering: .releasing)
        generation.wakeAll()
    }

    // MARK: The workers' side

    func work(rank: Int) {
        unsafe relaxed_name_thread("relaxed-\(rank)")
        var seen: UInt32 = 0
        while true {
            var backoff = Backoff(threads: count + 1)
            // Acquires the body and the counters: pairs with the release in `advance`.
            while unsafe generation.word.pointee.load(ordering: .acquiring) == seen {
                if !backoff.pauseBriefly() { generation.wait(while: seen) }
            }
            seen &+= 1
            if stopping { return }
            runBody(rank)
            // Acquire and release: the last one passes on the writes of all.
            if remaining.value.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 {
                // Releases all workers' writes: pairs with the acquiring loads of the caller.
                unsafe done.word.pointee.store(1, ordering: .releasing)
                done.wakeAll()
            }
        }
    }

    /// Not inlined: the reference to the body must be gone before the worker says that it is done.
    @inline(never)
    private func runBody(_ rank: Int) {
        // Relaxed: the largest value is read after all workers are done, which orders it.
        lastArrival.value.max(monotonicNanoseconds(), ordering: .relaxed)
        start.wait()
        body!(rank)
        lastEnd.value.max(monotonicNanoseconds(), ordering: .relaxed)
    }
}
