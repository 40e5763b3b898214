// One place at which a rank compresses, iteration after iteration. The rank's thread uses it.

internal import Compression
internal import Kernels
internal import Platform

/// The iteration that an exchange belongs to.
struct Iteration {
    let step: UInt64
    /// gamma_t, by whose changes residuals are rescaled.
    let stepSize: Double
}

/// A part of the vector, the codec for it, what its messages so far lack, and its draws.
final class CompressionSite {
    let elements: Range<Int>
    /// What its residual counts in Omega_t of Lemma 3.4.1.
    let weight: Double
    let codec: any Codec
    let feedback: ErrorFeedback?
    private let seed: UInt64
    private let rank: UInt32

    init(
        _ elements: Range<Int>, codec: any Codec, hasFeedback: Bool, weight: Double, draw: CodecDraw
    ) throws(InputError) {
        self.elements = elements
        self.codec = codec
        self.weight = weight
        feedback = hasFeedback ? try ErrorFeedback(codec) : nil
        seed = draw.seed
        rank = draw.rank
    }

    /// Encodes the site's part of the vector; a `notFinite` has the index in the whole vector.
    func encode(
        _ part: FloatVector, _ iteration: Iteration, into memory: UnsafeMutableRawBufferPointer
    ) throws(CodecError) -> Int {
        let vector = unsafe Span(_unsafeElements: UnsafeBufferPointer(part))
        var bytes = unsafe MutableRawSpan(_unsafeBytes: memory)
        let draw = CodecDraw(seed: seed, rank: rank, step: iteration.step)
        do throws(CodecError) {
            guard let feedback else { return try codec.encode(vector, draw: draw, into: &bytes) }
            return try feedback.encode(vector, stepSize: iteration.stepSize, draw: draw, into: &bytes)
        } catch {
            guard case .notFinite(let index, let value) = error else { throw error }
            throw .notFinite(index: elements.lowerBound + index, value: value)
        }
    }

    /// Writes Q(v) over the part of the vector, or scale * Q(v).
    func decode(_ message: UnsafeRawBufferPointer, scale: Float? = nil, into part: FloatVector) throws(CodecError) {
        var vector = unsafe MutableSpan(_unsafeElements: part)
        let bytes = unsafe RawSpan(_unsafeBytes: message)
        guard let scale else { return try codec.decode(bytes, into: &vector) }
        unsafe part.update(repeating: 0)
        try codec.decode(bytes, adding: scale, to: &vector)
    }

    /// part += scale * Q(v).
    func decode(_ message: UnsafeRawBufferPointer, adding scale: Float, to part: FloatVector) throws(CodecError) {
        var vector = unsafe MutableSpan(_unsafeElements: part)
        try unsafe codec.decode(RawSpan(_unsafeBytes: message), adding: scale, to: &vector)
    }
}

/// Makes the codecs of a rank's sites: those for parts of one length are one, unless it has a memory.
struct CodecShelf {
    let configuration: CodecConfiguration
    private var codecs: [Int: any Codec] = [:]

    init(_ configuration: CodecConfiguration) { self.configuration = configuration }

    mutating func codec(count: Int) throws(InputError) -> any Codec {
        if let codec = codecs[count], !codec.hasMemory { return codec }
        let codec = try configuration.makeCodec(count: count)
        codecs[count] = codec
        return codec
    }
}

/// Memory for encoded messages, which the rank lends to its peers.
final class MessageSlots {
    private let memory: PageBuffer<UInt8>
    private let starts: [Int]
    /// Bytes of the message in each slot.
    private(set) var lengths: [Int]

    /// One slot for each message, of its largest size.
    init(capacities: [Int]) throws(InputError) {
        // Whole pairs of cache lines, so that two readers share none.
        starts = capacities.reduce(into: [0]) { $0.append(($0.last! + $1 + 127) & ~127) }
        lengths = Array(repeating: 0, count: capacities.count)
        memory = try PageBuffer(count: starts.last!, hugePages: true)
    }

    /// All of a slot, to write into.
    func space(_ slot: Int) -> UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(
            start: memory.pointer + starts[slot], count: starts[slot + 1] - starts[slot])
    }

    /// The message in a slot.
    subscript(slot: Int) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: memory.pointer + starts[slot], count: lengths[slot])
    }

    func setLength(_ length: Int, of slot: Int) { lengths[slot] = length }

    /// Keeps a copy of a message, which fits.
    func store(_ message: UnsafeRawBufferPointer, in slot: Int) {
        lengths[slot] = message.count
        unsafe space(slot).copyMemory(from: message)
    }
}
