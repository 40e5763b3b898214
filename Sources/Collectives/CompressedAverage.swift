// Averages of compressed vectors: what the layouts have in common. Each rank's thread uses its own.

public import Compression
internal import Kernels
public import Messaging
public import Platform
internal import SwitchModel

/// One rank's part in averaging compressed vectors, iteration after iteration: codecs, messages and residuals.
///
/// Every rank of a layout (`CompressedLayout.ranks`) makes one with the same arguments but its own rank, and calls the same functions
/// in the same order. It may outlive a fabric and go on in the next. `CodecTime` says what coding takes of the model's time, by default
/// nothing, as section 3.1.2 has it; `codecSeconds` says what it took.
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
    public let codecTime: CodecTime
    /// Seconds spent in encoding and decoding: of the thread on a processor, or for short vectors just elapsed.
    public internal(set) var codecSeconds = 0.0
    /// Floats that were encoded or decoded in that time.
    public private(set) var codedFloats = 0
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
        case sums(SummedAverage)
    }

    let scheme: Scheme
    let seed: UInt64
    let sites: CompressionSites
    let messages: MessageSlots
    /// Ring: which message lent this rank's own encoding of each chunk, in this average.
    var lentOfChunk: [Communicator.Posted?]

    /// A rank's part in averages of `elements` floats over N `workers`.
    ///
    /// Throws `InputError` where the codec cannot be made for a chunk's length, has no aggregation of its own for the layout `natural`,
    /// or memory is refused.
    public init(
        _ layout: CompressedLayout, codec configuration: CodecConfiguration, hasFeedback: Bool, elements: Int,
        rank: Int, workers: Int, seed: UInt64, codecTime: CodecTime = .none
    ) throws(InputError) {
        precondition(workers >= 1 && elements >= 0, "\(elements) elements, \(workers) workers")
        precondition((0..<layout.ranks(workers: workers)).contains(rank), "rank \(rank) of \(workers) workers")
        self.layout = layout
        self.elements = elements
        self.rank = rank
        self.workers = workers
        self.hasFeedback = hasFeedback
        self.codecTime = codecTime
        self.seed = seed
        func sites(_ places: CompressionSites.Elements) throws(InputError) -> CompressionSites {
            try CompressionSites(
                places, length: elements, codec: configuration, hasFeedback: hasFeedback, rank: rank, workers: workers,
                seed: seed)
        }
        let share = 1 / Double(workers)
        var slots: [Int]?
        switch layout {
        case .multiServer:
            scheme = .multiServer
            self.sites = try sites(.chunks(of: workers, sendsBack: true))
        case .ring:
            scheme = .ring
            self.sites = try sites(.chunks(of: workers, sendsBack: false))
        case .parameterServer:
            scheme = .parameterServer
            self.sites = try sites(.whole(weight: rank == workers ? 1 : share))
        case .natural:
            switch try configuration.makeCodec(count: elements).aggregation {
            case .sums(let codec):
                scheme = .sums(try SummedAverage(codec, hasFeedback: hasFeedback, workers: workers))
                self.sites = try sites(.chunks(of: 0, sendsBack: false))
            case .gathered:
                scheme = .gathered
                self.sites = try sites(.whole(weight: share))
                slots = Array(repeating: self.sites.codec(of: 0).maximumEncodedBytes, count: workers)
            case .none:
                throw InputError(
                    at: "--collective", found: "natural with the codec \(configuration)",
                    expected: """
                        a codec with an aggregation of its own: low-rank, count-sketch, random-k, sparsify, top-k, threshold, \
                        nonzeros, or two with a plus sign
                        """)
            }
        }
        lentOfChunk = Array(repeating: nil, count: layout == .ring ? workers : 0)
        let found = self.sites
        messages = try MessageSlots(
            capacities: slots ?? (0..<found.count).map { found.codec(of: $0).maximumEncodedBytes })
    }

    /// Bytes of one worker's vector encoded, as its messages together.
    public var largestEncodedBytes: Int {
        if case .sums(let sums) = scheme { return sums.contributedBytes }
        return (0..<min(sites.count, workers)).reduce(0) { $0 + sites.codec(of: $1).maximumEncodedBytes }
    }

    /// Bytes of what this rank keeps for its averages: codecs, residuals and encoded messages.
    public var memoryBytes: Int {
        var bytes = sites.memoryBytes + messages.memoryBytes
        bytes += lentOfChunk.count * MemoryLayout<Communicator.Posted?>.stride
        if case .sums(let sums) = scheme { bytes += sums.memoryBytes }
        return bytes
    }

    /// The draw of one compression. Sites: of `multi-server` and `ring-allreduce` the chunks 0..<N, and N for what a server of `multi-server`
    /// sends back; of the others 0. What `natural` sums (`SummedCodec`) is drawn with (seed, rank 0, step) on all ranks.
    ///
    /// Seeds differ between sites, since some codecs take no notice of a draw's rank, and draws that agree would add up.
    public static func draw(seed: UInt64, rank: Int, workers: Int, site: Int, step: UInt64) -> CodecDraw {
        let label = UInt32(truncatingIfNeeded: rank)
        var stream = RandomStream(seed: seed, for: .codecSite, rank: label, step: UInt64(site))
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
        sites.begin(iteration)
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
            case .sums(let sums): try unsafe average(vector, iteration, communicator, by: sums)
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
        sites.begin(iteration)
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
        sites.addResiduals(to: &sum)
        if case .sums(let sums) = scheme { sums.residual?.add(to: &sum, weight: 1 / Double(workers)) }
    }

    /// Forgets the residuals and the last step size.
    public func reset() {
        sites.reset()
        if case .sums(let sums) = scheme { sums.residual?.reset() }
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

    /// Codes so many floats; then the model's time goes on by what `codecTime` says of that.
    func code(_ floats: Int, _ communicator: Communicator, _ body: () throws(CodecError) -> Void) throws {
        var failure: CodecError?
        let before = codecSeconds
        communicator.unpriced { failure = timed(floats, body) }
        if let failure { throw failure }
        try charge(floats, codecSeconds - before, communicator)
    }

    /// Lets the rank's time go on after coding that took `measured` seconds. A slow rank is slow at this, too.
    private func charge(_ floats: Int, _ measured: Double, _ communicator: Communicator) throws {
        if codecTime == .none || !communicator.isModel { return }
        try communicator.compute(seconds: codecTime.seconds(floats: floats) ?? measured, isStep: false) {}
    }

    private func timed(_ floats: Int, _ body: () throws(CodecError) -> Void) -> CodecError? {
        // To ask for the thread's time takes as long as to encode a thousand floats.
        let isShort = floats < 16_384
        func now() -> Double { isShort ? Double(monotonicNanoseconds()) / 1e9 : threadSeconds() }
        let start = now()
        defer {
            codecSeconds += now() - start
            codedFloats += floats
        }
        do throws(CodecError) {
            try body()
            return nil
        } catch { return error }
    }

    /// Compresses a site's elements of the vector into a message slot.
    func encode(
        _ chunk: FloatVector, at site: Int, into slot: Int, _ iteration: Iteration, _ communicator: Communicator
    ) throws {
        try code(chunk.count, communicator) { () throws(CodecError) in
            let length = try unsafe sites.encode(chunk, at: site, step: iteration.step, into: messages.space(slot))
            messages.setLength(length, of: slot)
            count(floats: chunk.count, encodedBytes: length)
        }
    }

    /// Writes what a message of a site's codec says over elements of the vector, times a scale where one is given.
    func decode(
        _ message: UnsafeRawBufferPointer, at site: Int, scale: Float? = nil, into chunk: FloatVector,
        _ communicator: Communicator
    ) throws {
        try code(chunk.count, communicator) { () throws(CodecError) in
            try unsafe sites.decode(message, of: site, scale: scale, into: chunk)
        }
    }

    func count(floats: Int, encodedBytes bytes: Int) {
        uncompressedBytes += 4 * floats
        encodedBytes += bytes
    }

    /// Receives a message of a site's codec, which `body` decodes where it lies; the model prices that once it has arrived.
    func receive(
        from peer: Int, of site: Int, _ communicator: Communicator,
        _ body: (UnsafeRawBufferPointer) throws(CodecError) -> Void
    ) throws {
        let floats = sites.codec(of: site).count
        let before = codecSeconds
        try unsafe accept(from: peer, of: site, communicator) { bytes in
            timed(floats) { () throws(CodecError) in try unsafe body(bytes) }
        }
        try charge(floats, codecSeconds - before, communicator)
    }

    /// Receives a message of a site's codec into a slot, as it is.
    func receive(from peer: Int, of site: Int, into slot: Int, _ communicator: Communicator) throws {
        try unsafe accept(from: peer, of: site, communicator) { bytes in
            unsafe messages.store(bytes, in: slot)
            return nil
        }
    }

    private func accept(
        from peer: Int, of site: Int, _ communicator: Communicator, _ body: (UnsafeRawBufferPointer) -> CodecError?
    ) throws {
        let codec = sites.codec(of: site)
        let length = codec.hasFixedSize ? codec.maximumEncodedBytes : nil
        let failure = try unsafe communicator.receive(byteCount: length, from: peer) { bytes -> CodecError? in
            guard bytes.count <= codec.maximumEncodedBytes else {
                return .wrongLength(found: bytes.count, expected: codec.maximumEncodedBytes)
            }
            return unsafe body(bytes)
        }
        if let failure { throw failure }
    }
}
