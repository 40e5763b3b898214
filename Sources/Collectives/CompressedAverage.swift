// Averages of compressed vectors: what the layouts have in common. Each rank's thread uses its own.

public import Compression
internal import Kernels
public import Messaging
public import Platform
internal import SwitchModel

/// One rank's part in averaging compressed vectors, iteration after iteration: codecs, messages and residuals.
///
/// Every rank of a layout (`CompressedLayout.ranks`) makes one with the same arguments but its own rank, and calls the same functions
/// in the same order. It may outlive a fabric and go on in the next. What codecs take is no time of the switch model (section 3.1.2 ignores
/// it); `codecSeconds` says what it was.
///
/// Each compression is a site with draws of its own and, with feedback, a residual of its own (eq. 3.8 to 3.11): a worker has one for
/// each chunk, a server one for what it sends back.
public final class CompressedAverage {
    public let layout: CompressedLayout
    public let elements: Int
    public let rank: Int
    /// N, without a dedicated server.
    public let workers: Int
    public let hasFeedback: Bool
    /// Seconds spent in encoding and decoding: of the thread on a processor, or for short vectors just elapsed.
    public internal(set) var codecSeconds = 0.0
    /// Bytes of all that was encoded, at 4 a float.
    public internal(set) var uncompressedBytes = 0
    /// Bytes that it took encoded: `uncompressedBytes / encodedBytes` is the codec's true ratio K.
    public internal(set) var encodedBytes = 0
    /// Bytes of the messages that this rank has sent and received.
    public private(set) var exchangedBytes = 0
    /// How many these were.
    public private(set) var exchangedMessages = 0

    /// What is done; the sites and message slots of each stand in its own file.
    enum Scheme {
        case multiServer, parameterServer, ring
        case gathered
        case lowRank(LowRankAggregate)
        case countSketch(CountSketchAggregate)
        case randomK(RandomKCodec)
    }

    let scheme: Scheme
    let sites: [CompressionSite]
    let messages: MessageSlots
    /// Ring: which message lent this rank's own encoding of each chunk, in this average.
    var lentOfChunk: [Communicator.Posted?]

    /// A rank's part in averages of `elements` floats over N `workers`.
    ///
    /// Throws `InputError` where the codec cannot be made for a chunk's length, has no aggregation of its own for the layout `natural`,
    /// or memory is refused.
    public init(
        _ layout: CompressedLayout, codec configuration: CodecConfiguration, hasFeedback: Bool, elements: Int,
        rank: Int,
        workers: Int, seed: UInt64
    ) throws(InputError) {
        precondition(workers >= 1 && elements >= 0, "\(elements) elements, \(workers) workers")
        precondition((0..<layout.ranks(workers: workers)).contains(rank), "rank \(rank) of \(workers) workers")
        self.layout = layout
        self.elements = elements
        self.rank = rank
        self.workers = workers
        self.hasFeedback = hasFeedback
        var shelf = CodecShelf(configuration)
        var sites: [CompressionSite] = []
        func addSite(_ elements: Range<Int>, weight: Double, isShared: Bool = false) throws(InputError) {
            let draw =
                isShared
                ? CodecDraw(seed: seed)
                : Self.draw(seed: seed, rank: rank, workers: workers, site: sites.count, step: 0)
            sites.append(
                try CompressionSite(
                    elements, codec: shelf.codec(count: elements.count), hasFeedback: hasFeedback, weight: weight,
                    draw: draw))
        }
        func chunk(_ r: Int) -> Range<Int> { elements * r / workers..<elements * (r + 1) / workers }

        let share = 1 / Double(workers)
        var slots: [Int]?
        switch layout {
        case .multiServer:
            scheme = .multiServer
            for r in 0..<workers { try addSite(chunk(r), weight: share) }
            try addSite(chunk(rank), weight: 1)
        case .ring:
            scheme = .ring
            for r in 0..<workers { try addSite(chunk(r), weight: share) }
        case .parameterServer:
            scheme = .parameterServer
            try addSite(0..<elements, weight: rank == workers ? 1 : share)
        case .natural:
            let codec = try shelf.codec(count: elements)
            switch codec {
            case let codec as LowRankCodec:
                scheme = .lowRank(try LowRankAggregate(codec, hasFeedback: hasFeedback, seed: seed))
            case let codec as CountSketchCodec:
                scheme = .countSketch(try CountSketchAggregate(codec, hasFeedback: hasFeedback, seed: seed))
            case let codec as RandomKCodec:
                scheme = .randomK(codec)
                try addSite(0..<elements, weight: share, isShared: true)
            case is NonzerosCodec, is TopKCodec, is ThresholdCodec, is SparsifyCodec, is CompositionCodec:
                scheme = .gathered
                try addSite(0..<elements, weight: share)
                slots = Array(repeating: codec.maximumEncodedBytes, count: workers)
            default:
                throw InputError(
                    at: "--collective", found: "natural with the codec \(configuration)",
                    expected: """
                        a codec with an aggregation of its own: low-rank, count-sketch, random-k, sparsify, top-k, threshold, \
                        nonzeros, or two with a plus sign
                        """)
            }
        }
        self.sites = sites
        lentOfChunk = Array(repeating: nil, count: layout == .ring ? workers : 0)
        messages = try MessageSlots(capacities: slots ?? sites.map(\.codec.maximumEncodedBytes))
    }

    /// The draw of one compression. Sites: of `multi-server` and `ring-allreduce` the chunks 0..<N, and N for what a server of `multi-server`
    /// sends back; of the others 0. `natural` with `low-rank`, `count-sketch` and `random-k` draws with (seed, rank 0, step) on all ranks.
    ///
    /// Seeds differ between sites, since some codecs take no notice of a draw's rank, and draws that agree would add up.
    public static func draw(seed: UInt64, rank: Int, workers: Int, site: Int, step: UInt64) -> CodecDraw {
        let label = UInt32(truncatingIfNeeded: rank)
        var stream = RandomStream(seed: ~seed, rank: label, step: UInt64(site))
        return CodecDraw(seed: stream.next(), rank: label, step: step)
    }

    /// Leaves the mean of the workers' compressed vectors in all of them, the same bits in each.
    ///
    /// A dedicated server's vector is where the mean is formed; what it held before does not count. Throws `FabricError`, and
    /// `CodecError` where a vector is not finite, with the index; the residuals are then of no use until `reset`.
    ///
    /// - Parameters:
    ///   - vector: `elements` floats, v_n.
    ///   - step: the iteration: draws differ between steps.
    ///   - stepSize: gamma_t, above zero, the same on all ranks.
    ///   - communicator: this rank's.
    public func average(
        _ vector: FloatVector, step: UInt64, stepSize: Double = 1, over communicator: Communicator
    ) throws {
        let iteration = Iteration(step: step, stepSize: stepSize)
        try unsafe run(vector, over: communicator) {
            switch scheme {
            case .multiServer:
                try unsafe pushToServers(vector, iteration, communicator)
                try unsafe pullFromServers(vector, iteration, communicator)
            case .parameterServer:
                try unsafe pushToServer(vector, iteration, communicator)
                try unsafe pullFromServer(vector, iteration, communicator)
            case .ring: try unsafe averageRound(vector, iteration, communicator)
            case .gathered: try unsafe gather(vector, iteration, communicator)
            case .lowRank(let aggregate): try unsafe average(vector, iteration, communicator, by: aggregate)
            case .countSketch(let aggregate): try unsafe average(vector, iteration, communicator, by: aggregate)
            case .randomK(let codec): try unsafe average(vector, iteration, communicator, by: codec)
            }
        }
    }

    /// The way in alone: afterwards a server's own chunk (of `parameter-server` the server's vector) is the mean of the compressed
    /// vectors, not compressed again. Only with a layout that has servers; the other chunks are as they were.
    public func reduceToServers(
        _ vector: FloatVector, step: UInt64, stepSize: Double = 1, over communicator: Communicator
    ) throws {
        precondition(layout.hasServers, "\(layout.rawValue) has no servers")
        let iteration = Iteration(step: step, stepSize: stepSize)
        try unsafe run(vector, over: communicator) {
            if layout == .multiServer {
                try unsafe pushToServers(vector, iteration, communicator)
            } else {
                try unsafe pushToServer(vector, iteration, communicator)
            }
        }
    }

    /// Adds this rank's part of Omega_t (Lemma 3.4.1), `elements` numbers: its residuals as a server, and those as a worker over N.
    ///
    /// Over all ranks the parts add up to Omega_t, and the result of an average is the mean of the vectors plus
    /// (gamma_(t-1) / gamma_t) Omega_(t-1) - Omega_t.
    public func addResiduals(to sum: inout [Double]) {
        precondition(sum.count == elements, "\(sum.count) numbers for \(elements) elements")
        for site in sites {
            site.feedback?.withResidual { residual in
                for i in residual.indices { sum[site.elements.lowerBound + i] += site.weight * Double(residual[i]) }
            }
        }
        switch scheme {
        case .lowRank(let aggregate): aggregate.residual?.add(to: &sum, weight: 1 / Double(workers))
        case .countSketch(let aggregate): aggregate.residual?.add(to: &sum, weight: 1 / Double(workers))
        default: break
        }
    }

    /// Forgets the residuals and the last step size.
    public func reset() {
        for site in sites { site.feedback?.reset() }
        switch scheme {
        case .lowRank(let aggregate): aggregate.residual?.reset()
        case .countSketch(let aggregate): aggregate.residual?.reset()
        default: break
        }
    }

    // MARK: What the layouts share

    private func run(_ vector: FloatVector, over communicator: Communicator, _ body: () throws -> Void) throws {
        precondition(vector.count == elements, "\(vector.count) elements, not \(elements)")
        precondition(
            communicator.rank == rank && communicator.count == layout.ranks(workers: workers),
            "rank \(communicator.rank) of \(communicator.count), not \(rank) with \(workers) workers")
        let (sent, received) = (communicator.sent, communicator.received)
        do {
            try body()
            try communicator.completeAll()
        } catch {
            // Peers may be reading what this rank has lent.
            if !(error is FabricError) { communicator.withdraw(because: error) }
            throw error
        }
        exchangedBytes += communicator.sent.bytes - sent.bytes + communicator.received.bytes - received.bytes
        exchangedMessages +=
            communicator.sent.messages - sent.messages + communicator.received.messages - received.messages
    }

    /// The mean's share of one vector.
    var share: Float { 1 / Float(workers) }

    /// Runs codec work on about so many floats outside the model's time.
    func code(_ floats: Int, _ communicator: Communicator, _ body: () throws(CodecError) -> Void) throws(CodecError) {
        var failure: CodecError?
        communicator.unpriced { failure = timed(floats, body) }
        if let failure { throw failure }
    }

    private func timed(_ floats: Int, _ body: () throws(CodecError) -> Void) -> CodecError? {
        // To ask for the thread's time takes as long as to encode a thousand floats.
        let isShort = floats < 16_384
        func now() -> Double { isShort ? Double(monotonicNanoseconds()) / 1e9 : threadSeconds() }
        let start = now()
        defer { codecSeconds += now() - start }
        do throws(CodecError) {
            try body()
            return nil
        } catch { return error }
    }

    /// Compresses a site's part of the vector into a message slot.
    func encode(
        _ part: FloatVector, at site: Int, into slot: Int, _ iteration: Iteration, _ communicator: Communicator
    ) throws(CodecError) {
        try code(part.count, communicator) { () throws(CodecError) in
            let length = try unsafe sites[site].encode(part, iteration, into: messages.space(slot))
            messages.setLength(length, of: slot)
            count(floats: part.count, encodedBytes: length)
        }
    }

    /// Writes what a message of a site's codec says over part of the vector, times a scale where one is given.
    func decode(
        _ message: UnsafeRawBufferPointer, at site: Int, scale: Float? = nil, into part: FloatVector,
        _ communicator: Communicator
    ) throws(CodecError) {
        try code(part.count, communicator) { () throws(CodecError) in
            try unsafe sites[site].decode(message, scale: scale, into: part)
        }
    }

    func count(floats: Int, encodedBytes bytes: Int) {
        uncompressedBytes += 4 * floats
        encodedBytes += bytes
    }

    /// Receives a message of a site's codec, which `body` decodes where it lies.
    func receive(
        from peer: Int, of site: Int, _ communicator: Communicator,
        _ body: (UnsafeRawBufferPointer) throws(CodecError) -> Void
    ) throws {
        let codec = sites[site].codec
        let length = codec.hasFixedSize ? codec.maximumEncodedBytes : nil
        let failure = try unsafe communicator.receive(byteCount: length, from: peer) { bytes -> CodecError? in
            guard bytes.count <= codec.maximumEncodedBytes else {
                return .wrongLength(found: bytes.count, expected: codec.maximumEncodedBytes)
            }
            return timed(codec.count) { () throws(CodecError) in try unsafe body(bytes) }
        }
        if let failure { throw failure }
    }
}
