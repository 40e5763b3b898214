// What one rank of a run owns. Its own thread uses it while the run goes on, the coordinator before, in pauses and after.

internal import Collectives
internal import Kernels
internal import Measurement
public import Messaging
internal import Objectives
internal import Platform
internal import Synchronization

/// One rank: its x, its minibatches, what it has measured, and the run's say in its loop.
public final class RankWorker: @unchecked Sendable {
    // Sendable: while the run goes on only the thread of rank `rank` touches it, else only the coordinator; pauses and the ends of the
    // run order the two.

    public let rank: Int
    /// N, servers not counted.
    public let workers: Int
    /// The rank that has the parameters where they are a window, or that serves and computes nothing.
    public let server: Int
    /// This worker's parameters, d floats: the run's x_0 at the start.
    public let x: Vector
    /// What `computeGradient` has found, d floats.
    public let gradient: Vector
    /// How stale the gradients were that it has applied: where the model is in windows, those of the first.
    let staleness: StalenessRecorder
    private let trace: UpdateTrace?
    /// One for each window of the model, or one.
    let observers: [WindowObserver]
    /// How the model is cut where it is in windows.
    let chunks: [ModelChunk]
    /// By how many updates the windows of a read differ, where there are several.
    let readSpan = StalenessRecorder()
    /// Under the native clock: how long some of its updates waited for the lock.
    private(set) var lockWaits = LockWaits()
    /// Updates until one is looked at.
    private var waitsLeft: Int
    /// Whether it is written down when updates were made.
    private let notesTimes: Bool
    /// That of the step which has begun last, where it is written down.
    private var stepSize: Float = 0
    /// Of the update that is being made; 0 where it is not looked at.
    private var waitedTicks: UInt64 = 0
    /// Gradients that went into no update.
    private(set) var dropped: UInt64 = 0
    /// One entry for each update where the run keeps a log.
    public internal(set) var log: [UpdateLogEntry] = []

    let options: TrainingOptions
    /// Averages compressed gradients, or sparse ones without their zeros; nil where plain vectors travel.
    var average: CompressedAverage?
    /// Linear models on sparse rows, coordinate by coordinate.
    var sparse: SparseSteps?
    /// Vectors of the algorithm's own, which its `prepare` lays out and its `memoryBytes` counts.
    public var kept: [Vector] = []
    /// What each sampler's gradient is multiplied by, beside its weight, where an algorithm codes gradients; empty for ones.
    var coefficients: [Float] = []
    /// How a server makes the gradient from what has come; nil where nothing is coded.
    var code: GradientCode?
    /// What each of its computations took, in seconds, where the run keeps that.
    private(set) var computations: [Double] = []
    /// The velocity; none without momentum.
    private let velocity: Vector
    /// With a penalty or weight decay, what rounding has taken from x and the next step is to bring: shares of x that are too small to
    /// change it would else never count.
    private let lost: Vector
    private let keepsLost: Bool
    /// Where several samplers' gradients are summed.
    private let sum: Vector
    /// One, of this worker; for the serial reference those of all N; none for a server.
    private let samplers: [RowSampler]
    private let source: (any MinibatchGradients)?
    /// Whether a gradient was not finite.
    private(set) var sawNonFinite = false

    // Of the run that goes on.
    private var run: Run!
    /// Steps that this rank has begun, and those among them that it has ended.
    private var begun: UInt64 = 0
    private(set) var ended: UInt64 = 0
    private var segment = 0
    private var segmentEnd: UInt64 = 0
    /// That of the epoch which ends before step `epochEnd`.
    private var schedule: EpochStepSize?
    private var epochEnd: UInt64 = 0
    private var deadline: Double?
    private var beginSeconds = 0.0
    /// Under the virtual clock x at the ends of segments to which others have still to come, where the mean of all is evaluated.
    private var models: [Int: [Float]] = [:]

    /// What the loop asks at every step: looked at without counting references, which would take longer than a step on a sparse row. The
    /// runner keeps them alive.
    @safe private struct Run {
        let course: Unmanaged<RankCourse>
        let communicator: Unmanaged<Communicator>
        let stop: Unmanaged<StopRequest>
        let isWindow: Bool

        init(_ course: RankCourse, _ communicator: Communicator) {
            unsafe self.course = .passUnretained(course)
            unsafe self.communicator = .passUnretained(communicator)
            unsafe stop = .passUnretained(course.stop)
            isWindow = course.evaluates == .window
        }

        var endsBefore: UInt64 { unsafe communicator._withUnsafeGuaranteedRef { $0.endsBefore } }
        var newestVersion: UInt64 { unsafe communicator._withUnsafeGuaranteedRef { $0.newestVersion } }
        var isStopRequested: Bool { unsafe stop._withUnsafeGuaranteedRef { $0.isRequested } }

        func show(done: UInt64) {
            // Relaxed: for display.
            unsafe course._withUnsafeGuaranteedRef { $0.done.value.store(done, ordering: .relaxed) }
        }

        func size(_ t: UInt64, _ schedule: EpochStepSize) -> Float {
            unsafe course._withUnsafeGuaranteedRef { $0.stepSize(t, schedule) }
        }
    }

    private var course: RankCourse { unsafe run.course.takeUnretainedValue() }
    private var communicator: Communicator { unsafe run.communicator.takeUnretainedValue() }

    /// One step of a worker's loop.
    public struct Step: Sendable {
        /// t: steps of this rank before it, or where the parameters are a window the version of it that this worker has seen last.
        public let t: UInt64
        /// gamma_t.
        public let size: Float
        /// Steps that this rank has begun before it: it takes the minibatch of this number.
        let number: UInt64
    }

    init(
        rank: Int, server: Int, samplers: [RowSampler], source: (any MinibatchGradients)?, parameters: [Float],
        keepsLost: Bool, chunks: [ModelChunk], traceCapacity: Int, plan: RunPlan
    ) throws(InputError) {
        self.rank = rank
        self.server = server
        self.samplers = samplers
        self.source = source
        self.keepsLost = keepsLost
        workers = plan.workers
        options = plan.options
        self.chunks = chunks
        var observers: [WindowObserver] = []
        for _ in 0..<max(1, chunks.count) {
            observers.append(try WindowObserver(capacity: samplers.isEmpty ? 0 : traceCapacity))
        }
        self.observers = observers
        let looksAtWaits =
            !plan.options.clock.kind.isModel && plan.options.staleness != .off && plan.workers > 1
        waitsLeft = looksAtWaits ? LockWaits.period : .max
        notesTimes = plan.options.clock.kind.isModel || plan.options.keepsUpdateLog || plan.options.recordsOrder
        staleness = observers[0].staleness
        trace = observers[0].trace
        // Who only has windows computes nothing.
        let d = samplers.isEmpty && !chunks.isEmpty ? 0 : parameters.count
        x = try Vector(count: d)
        gradient = try Vector(count: d)
        sum = try Vector(count: samplers.count > 1 ? d : 0)
        velocity = try Vector(count: options.stepRule.momentum > 0 ? d : 0)
        lost = try Vector(count: keepsLost ? d : 0)
        x.withMutableSpan { for i in 0..<d { $0[i] = parameters[i] } }
    }

    /// Bytes of the vectors of a rank, and of what it writes its staleness down in.
    static func memoryBytes(parameters: Int, samplers: Int, keepsLost: Bool, momentum: Double) -> Int {
        let vectors = 2 + (samplers > 1 ? 1 : 0) + (momentum > 0 ? 1 : 0) + (keepsLost ? 1 : 0)
        let (bytes, overflow) = Vector.byteCount(of: parameters).multiplied(by: vectors)
            .addingReportingOverflow(StalenessRecorder.memoryBytes)
        return overflow ? .max : bytes
    }

    /// The rank that has a chunk of the model in a window.
    func owner(of chunk: ModelChunk) -> Int { server < workers ? server : server + chunk.server }

    /// Whether this rank serves and does not compute.
    public var isServer: Bool { samplers.isEmpty }

    /// Which rows this worker takes next, for what it computes itself; `computeGradient` advances it, too.
    ///
    /// A server has none, which traps.
    public var sampler: RowSampler { samplers[0] }

    // MARK: The run's say

    /// Before the program.
    func begin(_ course: RankCourse, over communicator: Communicator) {
        run = Run(course, communicator)
        segmentEnd = course.end(ofSegment: 0)
        beginSeconds = communicator.now
        deadline = course.secondsLimit.map { beginSeconds + $0 }
    }

    /// Notes what it took to come to the end of the program.
    func end() { course.note(reached: communicator.now - beginSeconds) }

    /// Steps of the model that this rank knows of.
    private var stepsMade: UInt64 { run.isWindow ? run.newestVersion : begun }

    /// The next step of this rank's loop, or nil where the run is over.
    ///
    /// It is called at the top of the loop: here the run stands still to be evaluated. All that ends a run, the last epoch, a limit of
    /// seconds, a signal, a gradient that is not finite, ends it here, for all ranks alike.
    public func nextStep() throws -> Step? {
        let run = run!
        ended = begun
        let t = stepsMade
        if rank == 0 { run.show(done: t) }
        if begun >= run.endsBefore { return nil }
        if t >= segmentEnd, try !standStill(at: t, course) { return nil }
        let isLate = if let deadline { communicator.now >= deadline } else { false }
        if isLate || run.isStopRequested {
            endSoon()
            if begun >= run.endsBefore { return nil }
        }
        begun += 1
        if t >= epochEnd { (schedule, epochEnd) = course.schedule(at: t) }
        let size = run.size(t, schedule!)
        if notesTimes { stepSize = size }
        return Step(t: t, size: size, number: begun - 1)
    }

    /// At the ends of segments; false where the last of them has come. `seconds` are now, where this rank's clock says something else.
    private func standStill(at t: UInt64, _ course: RankCourse, now seconds: Double? = nil) throws -> Bool {
        while t >= segmentEnd {
            let isEnd = segment + 1 == course.segmentCount
            if isEnd && !course.isCutShort { return false }
            if !course.hasPassed(endOf: segment) { try standStill(course, now: seconds) }
            segment += 1
            segmentEnd = isEnd ? .max : course.end(ofSegment: segment)
        }
        return true
    }

    /// At the end of a segment: pauses where it takes this rank's pause for the run to stand still.
    private func standStill(_ course: RankCourse, now seconds: Double?) throws {
        if course.isVirtual {
            // Where one rank stands still, so do all.
            switch course.evaluates {
            case .rank0: if rank != 0 { return }
            case .mean:
                if isServer { return }
                if course.arrivals(atEndOf: segment) < workers {
                    // It goes on; the evaluation is to see what it has here, as all others after the same step.
                    models[segment] = x.elements
                    return
                }
            // Who has made the last update before the evaluation; the others find that it has been.
            case .window: if course.arrivals(atEndOf: segment) > 1 { return }
            }
        }
        course.note(reached: (seconds ?? communicator.now) - beginSeconds)
        try communicator.pause()
    }

    /// Hands over x at the end of `segment`, which is that of now where this worker came last.
    func takeModel(atEndOf segment: Int) -> [Float] { models.removeValue(forKey: segment) ?? x.elements }

    /// Ends the run as soon as all ranks can end alike.
    private func endSoon() { communicator.end(before: course.lead.map { ended + $0 } ?? 0) }

    // MARK: Gradients

    /// Computes g_n, the gradient of the mean loss over the next B rows of this worker's partition at `x`, into `gradient`, as this rank's
    /// computation of the step.
    ///
    /// It is shortened to `--clip-gradient`, and weighs as much as its partition: the mean over the workers is that over all rows.
    /// One that is not finite counts as zeros, for the peers wait for a contribution, and ends the run as diverged. A server has nothing to
    /// compute.
    public func computeGradient() throws {
        if isServer {
            // The server's coding belongs to the step, too.
            return try communicator.compute(seconds: 0) {}
        }
        try note(finite: communicator.compute(seconds: computeSeconds) { timedGradients() })
    }

    /// As `computeGradient`, but given up where a message from `peer` comes before its end; whether it came to its end.
    public func computeGradient(untilMessageFrom peer: Int) throws -> Bool {
        let found = try communicator.compute(seconds: computeSeconds, untilMessageFrom: peer) { timedGradients() }
        if let found { note(finite: found) }
        return found != nil
    }

    /// Leaves out the rows of one step, so that those of a step are the same ones, whoever made the steps before it.
    public func skipGradient() { for sampler in samplers { sampler.advance() } }

    /// Of all its samplers' minibatches, on a clock of the model.
    private var computeSeconds: Double? { course.computeSeconds.map { $0 * Double(samplers.count) } }

    /// Runs `body` as this rank's computation of the step, in place of `computeGradient`: it takes what a minibatch takes.
    ///
    /// Where `body` returns false, something has come out as not finite: `gradient` is then zeros, and the run ends as diverged.
    public func compute(_ body: () -> Bool) throws {
        try note(finite: communicator.compute(seconds: course.computeSeconds, body))
    }

    /// What `computeGradient` does with what it has found.
    @inline(__always) func note(finite: Bool) {
        if !finite { noteNotFinite() }
    }

    private func noteNotFinite() {
        gradient.fill(with: 0)
        sawNonFinite = true
        endSoon()
    }

    /// What `computeGradient` computes, without a run; false, and zeros, where it came out as not finite.
    func computeGradientAlone() -> Bool {
        if sumGradients() { return true }
        gradient.fill(with: 0)
        return false
    }

    /// Computes the gradient of a minibatch of `sampler`, to measure it.
    func rehearse(_ sampler: RowSampler) {
        sampler.advance()
        _ = computed(sampler)
    }

    /// g = the gradient at the rows that were chosen.
    private func computed(_ sampler: RowSampler) -> Bool {
        let chosen = sampler.chosen
        return x.withSpan { x in
            gradient.withMutableSpan { source!.gradient(at: x, chosen: chosen.span, into: &$0) }
        }
    }

    private func timedGradients() -> Bool {
        if !options.keepsComputeTrace { return sumGradients() }
        let start = monotonicNanoseconds()
        let isFinite = sumGradients()
        // A longer trace could not be read; it begins again at its end.
        if computations.count < ComputeTrace.mostPerRank(of: workers) {
            computations.append(Double(monotonicNanoseconds() - start) / 1e9 / Double(samplers.count))
        }
        return isFinite
    }

    /// g = the sum over samplers of the clipped mean gradient of their next rows, each times its sampler's weight; false where one is
    /// not finite.
    private func sumGradients() -> Bool {
        var isFinite = true
        for (i, sampler) in samplers.enumerated() {
            sampler.advance()
            isFinite = computed(sampler) && isFinite
            clip()
            // Partitions that are not equally large would else make the mean over the workers another one than that over the rows.
            let weight = Float(sampler.weight) * (coefficients.isEmpty ? 1 : coefficients[i])
            if weight != 1 { gradient.scale(by: weight) }
            if samplers.count == 1 { return isFinite }
            if i == 0 { sum.copy(from: gradient) } else { sum.add(times: gradient) }
        }
        gradient.copy(from: sum)
        return isFinite
    }

    /// Gradient clipping: g scaled to the norm `clipNorm` where it is longer.
    private func clip() {
        guard let limit = options.stepRule.clipNorm else { return }
        let norm = gradient.sumOfSquares.squareRoot()
        if norm > limit { gradient.scale(by: Float(limit / norm)) }
    }

    // MARK: Steps

    /// x takes its step along `share` times the gradient, in the floats of `range` or in all, with momentum and weight decay as the run's
    /// options say.
    public func descend(_ stepSize: Float, share: Float = 1, in range: Range<Int>? = nil) {
        let range = range ?? 0..<x.count
        let (x, g) = unsafe (
            x.floats.baseAddress! + range.lowerBound, UnsafePointer(gradient.floats.baseAddress! + range.lowerBound)
        )
        let lost = unsafe keepsLost ? lost.floats.baseAddress! + range.lowerBound : nil
        let rule = options.stepRule
        let decay = Float(rule.weightDecay)
        guard rule.momentum > 0 else {
            return unsafe Kernels.descend(
                x, along: g, scale: share, decay: decay, stepSize: stepSize, count: range.count, lost: lost)
        }
        let velocity = unsafe velocity.floats.baseAddress! + range.lowerBound
        let momentum = Float(rule.momentum)
        if rule.isNesterov {
            unsafe descendNesterov(
                x, velocity: velocity, along: g, scale: share, decay: decay, momentum: momentum, stepSize: stepSize,
                count: range.count, lost: lost)
        } else {
            unsafe descendHeavyBall(
                x, velocity: velocity, along: g, scale: share, decay: decay, momentum: momentum, stepSize: stepSize,
                count: range.count, lost: lost)
        }
    }

    // MARK: Staleness

    /// Writes down that the gradient of an update did not know of `tau` others' updates.
    ///
    /// With models of their own these are the steps of the other workers that are not yet in this one's x. An algorithm whose workers all
    /// begin each step with the newest model has nothing to write down: its staleness is 0.
    public func recordStaleness(_ tau: UInt64) {
        if options.staleness != .off { staleness.record(tau) }
    }

    /// Writes down an update of the window's model: its gradient was of version `read`, and it became update `t`, so that tau = t - `read`.
    ///
    /// Where an update takes several gradients, each is written down as a part of it: this one is number `part`, from 0.
    public func recordUpdate(read: UInt64, t: UInt64, part: Int = 0) {
        recordStaleness(t - read)
        trace?.append(t: t, tau: t - read)
        if waitedTicks != 0 { recordWait(tau: t - read) }
        if notesTimes { recordTimes(read: read, t: t, part: part) }
    }

    private func recordTimes(read: UInt64, t: UInt64, part: Int) {
        let (readSeconds, seconds) = (communicator.lastReadSeconds, communicator.now)
        observers[0].note(secondsUnderWay: seconds - readSeconds)
        if !keepsLog { return }
        log.append(
            UpdateLogEntry(
                worker: rank, chunk: 0, minibatch: begun - 1, readVersion: read, writeVersion: t, part: part,
                stepSize: stepSize, readSeconds: readSeconds - beginSeconds, writeSeconds: seconds - beginSeconds))
    }

    private var keepsLog: Bool { options.keepsUpdateLog || options.recordsOrder }

    /// Before a worker asks for the lock of a window: a stamp for `endWait`, where this wait is looked at.
    @inline(__always) func beginWait() -> UInt64 {
        waitsLeft &-= 1
        return waitsLeft == 0 ? startWait() : 0
    }

    @inline(never) private func startWait() -> UInt64 {
        waitsLeft = LockWaits.period
        return StampClock.best.now()
    }

    /// When it has the lock.
    @inline(__always) func endWait(_ stamp: UInt64) {
        if stamp != 0 { waitedTicks = max(1, StampClock.best.now() &- stamp) }
    }

    private func recordWait(tau: UInt64) {
        lockWaits.record(ticks: waitedTicks, tau: tau)
        waitedTicks = 0
    }

    /// Of a model in several windows: writes down an update of window `chunk`, at `seconds`, with the gradient of `step`.
    ///
    /// Under the virtual clock whoever makes the last update of a segment stands still with it, wherever its loop is.
    func recordUpdate(chunk: Int, of step: Step, read: UInt64, readSeconds: Double, t: UInt64, seconds: Double) {
        if options.staleness != .off { observers[chunk].staleness.record(t - read) }
        observers[chunk].trace?.append(t: t, tau: t - read)
        observers[chunk].note(secondsUnderWay: seconds - readSeconds)
        if waitedTicks != 0 { recordWait(tau: t - read) }
        if keepsLog {
            log.append(
                UpdateLogEntry(
                    worker: rank, chunk: chunk, minibatch: step.number, readVersion: read, writeVersion: t, part: 0,
                    stepSize: step.size, readSeconds: readSeconds - beginSeconds,
                    writeSeconds: seconds - beginSeconds))
        }
        if chunk == chunks.count - 1 && course.isVirtual && t + 1 >= segmentEnd {
            // Where the run has ended this rank's next call says so.
            _ = try? standStill(at: t + 1, course, now: seconds)
        }
    }

    /// Writes down which versions of its windows a read of the model has seen.
    func recordRead(_ versions: [UInt64]) {
        if options.staleness == .off { return }
        var (least, most) = (UInt64.max, UInt64(0))
        for version in versions { (least, most) = (min(least, version), max(most, version)) }
        readSpan.record(most - least)
    }

    /// Counts a gradient that goes into no update: neither a step nor a sample of the run. See `ExchangeShape.mayDrop`.
    public func recordDropped() { dropped += 1 }
}

/// One update of a window's model: by whom, which version its gradient was read at, and which update it was.
public struct UpdateLogEntry: Sendable, Equatable {
    public let worker: Int
    /// The window, of a model that is in several.
    public let chunk: Int
    /// Which of the worker's minibatches, from 0.
    public let minibatch: UInt64
    /// D(t): updates applied before the read.
    public let readVersion: UInt64
    /// t: updates applied before this one.
    public let writeVersion: UInt64
    /// Which of its gradients this is, from 0, where an update takes several.
    public let part: Int
    /// gamma, before what is known of the delay changes it.
    public let stepSize: Float
    /// On a clock of the model when it was read, and when it was updated; under the native clock when this was written down.
    public let readSeconds: Double
    public let writeSeconds: Double
}
