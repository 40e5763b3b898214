// What one rank of data-parallel SGD owns. Its own thread uses it during a stretch, the coordinator between stretches.

internal import Collectives
internal import Kernels
internal import Messaging
internal import Platform
internal import Synchronization

/// One rank: its replica of the model, its minibatches, and what it exchanges.
final class SynchronousWorker: @unchecked Sendable {
    // Sendable: during a stretch only the thread of rank `rank` touches it, between stretches only the coordinator; the team's start
    // and end order the two.

    let rank: Int
    /// N, a dedicated server not counted.
    let workers: Int
    let options: SynchronousOptions
    /// x, g and the velocity; no velocity without momentum.
    private let x: PageBuffer<Float>
    private let g: PageBuffer<Float>
    private let velocity: PageBuffer<Float>
    /// With a penalty or weight decay, what rounding has taken from x and the next step is to bring: shares of x that are too small to
    /// change it would else never count.
    private let lost: PageBuffer<Float>
    private let keepsLost: Bool
    /// Where several samplers' gradients are summed.
    private let sum: PageBuffer<Float>
    /// One, of this worker; for the serial reference those of all N; none for a dedicated server.
    private let samplers: [RowSampler]
    private let source: any MinibatchGradients
    /// Averages compressed gradients, or sparse ones without their zeros; nil where plain vectors travel.
    let average: CompressedAverage?
    /// Whether the last stretch ended because a gradient was not finite.
    private(set) var sawNonFinite = false

    init(
        rank: Int, workers: Int, samplers: [RowSampler], source: any MinibatchGradients, parameters: [Float],
        average: CompressedAverage?, keepsLost: Bool, options: SynchronousOptions
    ) throws(InputError) {
        self.rank = rank
        self.workers = workers
        self.samplers = samplers
        self.source = source
        self.average = average
        self.options = options
        x = try PageBuffer(count: parameters.count, hugePages: true)
        g = try PageBuffer(count: parameters.count, hugePages: true)
        sum = try PageBuffer(count: samplers.count > 1 ? parameters.count : 0, hugePages: true)
        velocity = try PageBuffer(count: options.momentum > 0 ? parameters.count : 0, hugePages: true)
        lost = try PageBuffer(count: keepsLost ? parameters.count : 0, hugePages: true)
        self.keepsLost = keepsLost
        unsafe parameters.withUnsafeBufferPointer { unsafe x.pointer.update(from: $0.baseAddress!, count: x.count) }
    }

    /// Bytes of the vectors of a rank.
    static func memoryBytes(parameters: Int, samplers: Int, keepsLost: Bool, options: SynchronousOptions) -> Int {
        PageBuffer<Float>.byteCount(of: parameters)
            .multiplied(by: 2 + (samplers > 1 ? 1 : 0) + (options.momentum > 0 ? 1 : 0) + (keepsLost ? 1 : 0))
    }

    /// Whether this rank serves and does not compute.
    var isDedicatedServer: Bool { samplers.isEmpty }

    /// x, all d floats.
    var parameters: FloatVector { unsafe FloatVector(start: x.pointer, count: x.count) }

    /// g, all d floats.
    var gradient: FloatVector { unsafe FloatVector(start: g.pointer, count: g.count) }

    /// The floats of server `server` of `servers`.
    func chunk(of server: Int, of servers: Int) -> Range<Int> {
        x.count * server / servers..<x.count * (server + 1) / servers
    }

    /// Runs `iteration` for every t of a stretch, each after the gradient of the rank's next minibatch, until it is over or a rank has
    /// found a reason to end it.
    ///
    /// All ranks run the same iterations: a rank that wants to end says so before it contributes to iteration t, and nobody begins
    /// t + 1 without that contribution.
    func iterate(
        _ stretch: SynchronousStretch, over communicator: Communicator,
        _ iteration: (_ t: UInt64, _ stepSize: Float) throws -> Void
    ) throws {
        let deadline = stretch.secondsLeft.map { communicator.now + $0 }
        for t in stretch.iterations {
            // Relaxed, as the store: the messages between them order the two.
            if t >= stretch.end.value.load(ordering: .relaxed) { return }
            var isLast = stretch.stop.isRequested
            if let deadline, communicator.now >= deadline { isLast = true }
            if !isDedicatedServer {
                let seconds = stretch.computeSeconds.map { $0 * Double(samplers.count) }
                let isFinite = try communicator.compute(seconds: seconds) { computeGradient() }
                if !isFinite {
                    // The peers wait for a contribution, and codecs refuse what is not finite.
                    unsafe gradient.update(repeating: 0)
                    sawNonFinite = true
                    isLast = true
                }
            } else {
                // The server's coding belongs to the step, too.
                try communicator.compute(seconds: 0) {}
            }
            if isLast { stretch.end.value.min(t + 1, ordering: .relaxed) }
            try iteration(t, stretch.stepSize(t))
            if rank == 0 { stretch.done.value.store(t + 1, ordering: .relaxed) }
        }
    }

    /// Runs the stretch as `algorithm` does.
    func run(_ algorithm: Algorithm, _ stretch: SynchronousStretch, over communicator: Communicator) throws {
        switch algorithm {
        case .minibatchSGD: try serialMinibatchSGD(stretch, over: communicator)
        case .gradientAggregation: try gradientAggregation(stretch, over: communicator)
        case .modelAggregation: try modelAggregation(stretch, over: communicator)
        case .globalReplica: try globalReplica(stretch, over: communicator)
        case .csgd, .ecSGD: try compressedSGD(stretch, over: communicator)
        case .gd, .sgd, .asgd, .hogwild: preconditionFailure("\(algorithm.rawValue) is not synchronous")
        }
    }

    /// Computes the gradient of a minibatch of `sampler`, to measure it.
    func rehearse(_ sampler: RowSampler) {
        sampler.advance()
        _ = computed(sampler)
    }

    /// g = the gradient at the rows that were chosen.
    private func computed(_ sampler: RowSampler) -> Bool {
        let chosen = sampler.chosen
        let x = unsafe Span(_unsafeStart: UnsafePointer(x.pointer), count: x.count)
        var span = unsafe MutableSpan(_unsafeStart: g.pointer, count: g.count)
        return source.gradient(at: x, chosen: chosen.span, into: &span)
    }

    /// g = the sum over samplers of the clipped mean gradient of their next rows, each times its sampler's weight; false where one is
    /// not finite.
    private func computeGradient() -> Bool {
        var isFinite = true
        for (i, sampler) in samplers.enumerated() {
            sampler.advance()
            isFinite = computed(sampler) && isFinite
            clip()
            // Partitions that are not equally large would else make the mean over the workers another one than that over the rows.
            if sampler.weight != 1 { unsafe scale(g.pointer, by: Float(sampler.weight), count: g.count) }
            if samplers.count == 1 { return isFinite }
            if i == 0 { unsafe copy(into: sum.pointer, from: g.pointer, count: g.count) }
            if i > 0 { unsafe add(into: sum.pointer, from: g.pointer, count: g.count) }
        }
        unsafe copy(into: g.pointer, from: sum.pointer, count: g.count)
        return isFinite
    }

    /// Gradient clipping: g scaled to the norm `clipNorm` where it is longer.
    private func clip() {
        guard let limit = options.clipNorm else { return }
        let norm = unsafe sumOfSquares(g.pointer, count: g.count).squareRoot()
        if norm > limit { unsafe scale(g.pointer, by: Float(limit / norm), count: g.count) }
    }

    /// x takes its step along `share` times g, in the coordinates of `range` or in all.
    func descend(_ stepSize: Float, share: Float, in range: Range<Int>? = nil) {
        let range = range ?? 0..<x.count
        let (x, g) = unsafe (x.pointer + range.lowerBound, g.pointer + range.lowerBound)
        let lost = unsafe keepsLost ? lost.pointer + range.lowerBound : nil
        let decay = Float(options.weightDecay)
        guard options.momentum > 0 else {
            return unsafe Kernels.descend(
                x, along: g, scale: share, decay: decay, stepSize: stepSize, count: range.count, lost: lost)
        }
        let velocity = unsafe velocity.pointer + range.lowerBound
        let momentum = Float(options.momentum)
        if options.isNesterov {
            unsafe descendNesterov(
                x, velocity: velocity, along: g, scale: share, decay: decay, momentum: momentum, stepSize: stepSize,
                count: range.count, lost: lost)
        } else {
            unsafe descendHeavyBall(
                x, velocity: velocity, along: g, scale: share, decay: decay, momentum: momentum, stepSize: stepSize,
                count: range.count, lost: lost)
        }
    }
}
