// The places at which a rank compresses, iteration after iteration. The rank's thread uses them.

internal import Compression
internal import Kernels
internal import Platform

/// The iteration that an exchange belongs to.
struct Iteration {
    let step: UInt64
    /// gamma_t, by whose changes residuals are rescaled.
    let stepSize: Double
}

/// The places of one rank: which elements each encodes, the codec for them, what their messages so far lack, and their draws.
///
/// A rank has as many as there are workers, and there are as many ranks: what they need is one buffer, cut up, or follows from the
/// place's number.
final class CompressionSites {
    /// The floats of each site.
    enum Elements {
        /// All of them, at the only site.
        case whole(weight: Double)
        /// The chunks of N workers at the sites 0..<N; with `sendsBack` the rank's own chunk once more at site N.
        case chunks(of: Int, sendsBack: Bool)
    }

    let count: Int
    private let elements: Elements
    private let length: Int
    private let seed: UInt64
    private let rank: Int
    private let workers: Int
    private let codecs: CodecShelf
    private let feedback: FeedbackMemory?

    init(
        _ elements: Elements, length: Int, codec configuration: CodecConfiguration, hasFeedback: Bool, rank: Int,
        workers: Int, seed: UInt64
    ) throws(InputError) {
        self.elements = elements
        self.length = length
        self.seed = seed
        self.rank = rank
        self.workers = workers
        count =
            switch elements {
            case .whole: 1
            case .chunks(let chunks, let sendsBack): chunks + (sendsBack ? 1 : 0)
            }
        let lengths = (0..<count).map { Self.range($0, elements, length: length, rank: rank).count }
        let codecs = try CodecShelf(configuration, lengths: lengths)
        self.codecs = codecs
        feedback =
            hasFeedback
            ? try FeedbackMemory(floatCounts: lengths.indices.map { codecs[$0, lengths[$0]].floatCount }) : nil
    }

    /// Bytes of codecs and residuals.
    var memoryBytes: Int { codecs.memoryBytes + (feedback?.memoryBytes ?? 0) }

    /// The elements of the vector that a site encodes.
    func range(of site: Int) -> Range<Int> { Self.range(site, elements, length: length, rank: rank) }

    private static func range(_ site: Int, _ elements: Elements, length: Int, rank: Int) -> Range<Int> {
        switch elements {
        case .whole: return 0..<length
        case .chunks(let chunks, _):
            let chunk = site == chunks ? rank : site
            return length * chunk / chunks..<length * (chunk + 1) / chunks
        }
    }

    /// The codec of a site.
    func codec(of site: Int) -> any Codec { shelved(site).codec }

    private func shelved(_ site: Int) -> FeedbackCodec { codecs[site, range(of: site).count] }

    /// What the residual of a site counts in Omega_t of Lemma 3.4.1.
    private func weight(of site: Int) -> Double {
        switch elements {
        case .whole(let weight): weight
        case .chunks(let chunks, _): site == chunks ? 1 : 1 / Double(workers)
        }
    }

    /// Before the encodings of an iteration.
    func begin(_ iteration: Iteration) { feedback?.begin(stepSize: iteration.stepSize) }

    /// Encodes the site's elements of the vector; a `notFinite` has the index in the whole vector.
    func encode(
        _ chunk: FloatVector, at site: Int, step: UInt64, into memory: UnsafeMutableRawBufferPointer
    ) throws(CodecError) -> Int {
        let vector = unsafe Span(_unsafeElements: UnsafeBufferPointer(chunk))
        var bytes = unsafe MutableRawSpan(_unsafeBytes: memory)
        let draw = CompressedAverage.draw(seed: seed, rank: rank, workers: workers, site: site, step: step)
        let codec = shelved(site)
        do throws(CodecError) {
            guard let feedback else { return try codec.codec.encode(vector, draw: draw, into: &bytes) }
            return try feedback.encode(vector, at: site, by: codec, draw: draw, into: &bytes)
        } catch {
            guard case .notFinite(let index, let value) = error else { throw error }
            throw .notFinite(index: range(of: site).lowerBound + index, value: value)
        }
    }

    /// Writes Q(v) over the site's elements of the vector, or scale * Q(v).
    func decode(
        _ message: UnsafeRawBufferPointer, of site: Int, scale: Float? = nil, into chunk: FloatVector
    ) throws(CodecError) {
        var vector = unsafe MutableSpan(_unsafeElements: chunk)
        let bytes = unsafe RawSpan(_unsafeBytes: message)
        guard let scale else { return try codec(of: site).decode(bytes, into: &vector) }
        unsafe chunk.update(repeating: 0)
        try codec(of: site).decode(bytes, adding: scale, to: &vector)
    }

    /// chunk += scale * Q(v).
    func decode(
        _ message: UnsafeRawBufferPointer, of site: Int, adding scale: Float, to chunk: FloatVector
    ) throws(CodecError) {
        var vector = unsafe MutableSpan(_unsafeElements: chunk)
        try unsafe codec(of: site).decode(RawSpan(_unsafeBytes: message), adding: scale, to: &vector)
    }

    /// Adds the residuals, weighted, to the elements they belong to.
    func addResiduals(to sum: inout [Double]) {
        guard let feedback else { return }
        for site in 0..<count {
            let start = range(of: site).lowerBound
            let weight = weight(of: site)
            feedback.withResidual(at: site, by: shelved(site)) { residual in
                for i in residual.indices { sum[start + i] += weight * Double(residual[i]) }
            }
        }
    }

    func reset() { feedback?.reset() }
}

/// The codecs of a rank's sites: those for equally many elements are one, unless it has a memory.
private struct CodecShelf {
    /// By length; few, since chunks differ by one element at most.
    private var shared: [FeedbackCodec] = []
    /// By site, where each has a memory.
    private var own: [FeedbackCodec] = []

    init(_ configuration: CodecConfiguration, lengths: [Int]) throws(InputError) {
        for length in lengths where !shared.contains(where: { $0.codec.count == length }) {
            shared.append(FeedbackCodec(try configuration.makeCodec(count: length)))
        }
        guard shared.contains(where: \.codec.hasMemory) else { return }
        for length in lengths { own.append(FeedbackCodec(try configuration.makeCodec(count: length))) }
        shared = []
    }

    subscript(site: Int, length: Int) -> FeedbackCodec {
        if !own.isEmpty { return own[site] }
        for codec in shared where codec.codec.count == length { return codec }
        preconditionFailure("no codec for \(length) elements")
    }

    var memoryBytes: Int {
        // A codec's object and its settings take a few hundred bytes, which count where there is one for each site.
        (shared + own).reduce(0) { $0 + 512 + $1.codec.memoryBytes }
    }
}
