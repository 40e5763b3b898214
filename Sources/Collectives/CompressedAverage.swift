// Averages of compressed vectors: what all collectives have in common. Each rank's thread uses its own.

public import Compression
internal import Kernels
public import Messaging
public import Platform
internal import SwitchModel

/// One rank's part in averaging compressed vectors, iteration after iteration: codecs, messages and residuals.
///
/// Every rank of the collective (`CompressedCollective.ranks`) makes one with the same arguments but its own rank, and calls the same functions
/// in the same order. It may outlive a fabric and go on in the next. `CodecTime` says what coding takes of the model's time, by default
/// nothing, as section 3.1.2 has it; `codecSeconds` says what it took.
///
/// Each compression is a site with draws of its own and, with feedback, a residual of its own (eq. 3.8 to 3.11): a worker has one for
/// each chunk, a server one for what it sends back.
public final class CompressedAverage {
    public let collective: CompressedCollective
    public let elements: Int
    public let rank: Int
    /// N, without a dedicated server.
    public let workers: Int
    public let hasFeedback: Bool
    public var codecTime: CodecTime { coding.codecTime }
    /// Seconds spent in encoding and decoding: of the thread on a processor; for short vectors estimated from some of the calls, and just
    /// elapsed.
    public var codecSeconds: Double { coding.seconds }
    /// Floats that were encoded or decoded in that time.
    public var codedFloats: Int { coding.floats }
    /// Bytes of all that was encoded, at 4 a float.
    public private(set) var uncompressedBytes = 0
    /// Bytes that it took encoded: `uncompressedBytes / encodedBytes` is the codec's true ratio K.
    public private(set) var encodedBytes = 0
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
    let coding: CodingClock

    /// A rank's part in averages of `elements` floats over N `workers`.
    ///
    /// Throws `InputError` where the codec cannot be made for a chunk's length, has no aggregation of its own for the collective `natural`,
    /// or memory is refused.
    public init(
        _ collective: CompressedCollective, codec configuration: CodecConfiguration, hasFeedback: Bool, elements: Int,
        rank: Int, workers: Int, seed: UInt64, codecTime: CodecTime = .none
    ) throws(InputError) {
        precondition(workers >= 1 && elements >= 0, "\(elements) elements, \(workers) workers")
        precondition((0..<collective.ranks(workers: workers)).contains(rank), "rank \(rank) of \(workers) workers")
        self.collective = collective
        self.elements = elements
        self.rank = rank
        self.workers = workers
        self.hasFeedback = hasFeedback
        coding = CodingClock(codecTime)
        self.seed = seed
        func sites(_ places: CompressionSites.Elements) throws(InputError) -> CompressionSites {
            try CompressionSites(
                places, length: elements, codec: configuration, hasFeedback: hasFeedback, rank: rank, workers: workers,
                seed: seed)
        }
        let share = 1 / Double(workers)
        var slots: [Int]?
        switch collective {
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
                let payload = unsafe payload(vector, iteration, communicator)
                try payload.sendToServers()
                try payload.receiveFromServers()
            case .parameterServer:
                let payload = unsafe payload(vector, iteration, communicator)
                try payload.sendToServer()
                try payload.receiveFromServer()
            case .ring: try unsafe payload(vector, iteration, communicator).goRound(0..<2 * (workers - 1))
            case .gathered: try unsafe gather(vector, iteration, communicator)
            case .sums(let sums): try unsafe average(vector, iteration, communicator, by: sums)
            }
        }
    }

    /// The way in alone: afterwards a server's own chunk (of `parameter-server` the server's vector) is the mean of the compressed
    /// vectors, not compressed again. Only where there are servers; the other chunks are as they were.
    public func reduceToServers(
        _ vector: FloatVector, step: UInt64, stepSize: Double = 1, over communicator: Communicator
    ) throws {
        precondition(collective.hasServers, "\(collective.rawValue) has no servers")
        let iteration = Iteration(step: step, stepSize: stepSize)
        sites.begin(iteration)
        try unsafe run(vector, over: communicator) {
            let payload = unsafe payload(vector, iteration, communicator)
            if collective == .multiServer { try payload.sendToServers() } else { try payload.sendToServer() }
        }
    }

    /// Adds this rank's share of Omega_t (Lemma 3.4.1), `elements` numbers: its residuals as a server, and those as a worker over N.
    ///
    /// Over all ranks the shares add up to Omega_t, and the result of an average is the mean of the vectors plus
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

    // MARK: What all share

    private func run(_ vector: FloatVector, over communicator: Communicator, _ body: () throws -> Void) throws {
        precondition(vector.count == elements, "\(vector.count) elements, not \(elements)")
        precondition(
            communicator.rank == rank && communicator.count == collective.ranks(workers: workers),
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

    /// The ring adds up and divides at the end; servers divide what comes in.
    private func payload(
        _ vector: FloatVector, _ iteration: Iteration, _ communicator: Communicator
    ) -> CodedPayload {
        unsafe CodedPayload(
            average: self, vector: vector, step: iteration.step, communicator: communicator,
            termScale: collective == .ring ? 1 : share, resultScale: collective == .ring ? share : nil)
    }

    /// Codes so many floats; then the model's time goes on by what `codecTime` says of that.
    @inline(__always) func code(
        _ floats: Int, _ communicator: Communicator, _ body: () throws(CodecError) -> Void
    ) throws {
        var failure: CodecError?
        var seconds = 0.0
        communicator.unpriced { failure = coding.time(floats, &seconds, body) }
        if let failure { throw failure }
        try coding.charge(floats, seconds, communicator)
    }

    /// Compresses a site's elements of the vector into a message slot, by default that of the site.
    func encode(_ chunk: FloatVector, at site: Int, step: UInt64, into slot: Int? = nil) throws(CodecError) {
        let slot = slot ?? site
        let length = try unsafe sites.encode(chunk, at: site, step: step, into: messages.space(slot))
        messages.setLength(length, of: slot)
        count(floats: chunk.count, encodedBytes: length)
    }

    func count(floats: Int, encodedBytes bytes: Int) {
        uncompressedBytes += 4 * floats
        encodedBytes += bytes
    }

    /// Receives a message of a codec, which `body` reads where it lies.
    @inline(__always) func receive(
        by codec: SiteCodec, from peer: Int, _ communicator: Communicator, releasing: Bool,
        _ body: (UnsafeRawBufferPointer) -> CodecError?
    ) throws {
        let failure = try unsafe communicator.receive(
            byteCount: codec.fixedBytes, from: peer, releasing: releasing
        ) { bytes -> CodecError? in
            guard bytes.count <= codec.maximumEncodedBytes else {
                return .wrongLength(found: bytes.count, expected: codec.maximumEncodedBytes)
            }
            return unsafe body(bytes)
        }
        if let failure { throw failure }
    }
}
