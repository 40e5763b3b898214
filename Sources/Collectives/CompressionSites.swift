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
    /// By length, from the shortest on, for chunks differ by one element at most; or by site, where codecs have a memory.
    private let codecs: [SiteCodec]
    private let isBySite: Bool
    private let shortest: Int
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
        shortest = lengths.min() ?? 0
        var codecs: [SiteCodec] = []
        for length in Set(lengths).sorted() { codecs.append(SiteCodec(try configuration.makeCodec(count: length))) }
        isBySite = codecs.contains(where: \.codec.hasMemory)
        if isBySite {
            codecs = []
            for length in lengths { codecs.append(SiteCodec(try configuration.makeCodec(count: length))) }
        }
        self.codecs = codecs
        let (isBySite, shortest) = (isBySite, shortest)
        feedback =
            hasFeedback
            ? try FeedbackMemory(
                floatCounts: lengths.enumerated().map { site, length in
                    codecs[isBySite ? site : length - shortest].feedback.floatCount
                }) : nil
    }

    /// Bytes of codecs and residuals.
    var memoryBytes: Int {
        // A codec's object and its settings take a few hundred bytes, which count where there is one for each site.
        codecs.reduce(feedback?.memoryBytes ?? 0) { $0 + 512 + $1.codec.memoryBytes }
    }

    /// The elements of the vector that a site encodes.
    private func range(of site: Int) -> Range<Int> { Self.range(site, elements, length: length, rank: rank) }

    private static func range(_ site: Int, _ elements: Elements, length: Int, rank: Int) -> Range<Int> {
        switch elements {
        case .whole: return 0..<length
        case .chunks(let chunks, _):
            let chunk = site == chunks ? rank : site
            return length * chunk / chunks..<length * (chunk + 1) / chunks
        }
    }

    /// The codec of a site, which has so many elements.
    @inline(__always) func codec(of site: Int, count: Int) -> SiteCodec { codecs[isBySite ? site : count - shortest] }

    func codec(of site: Int) -> SiteCodec { codec(of: site, count: range(of: site).count) }

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
        let codec = codec(of: site, count: chunk.count)
        do throws(CodecError) {
            guard let feedback else { return try codec.codec.encode(vector, draw: draw, into: &bytes) }
            return try feedback.encode(vector, at: site, by: codec.feedback, draw: draw, into: &bytes)
        } catch {
            guard case .notFinite(let index, let value) = error else { throw error }
            throw .notFinite(index: range(of: site).lowerBound + index, value: value)
        }
    }

    /// Adds the residuals, weighted, to the elements they belong to.
    func addResiduals(to sum: inout [Double]) {
        guard let feedback else { return }
        for site in 0..<count {
            let start = range(of: site).lowerBound
            let weight = weight(of: site)
            feedback.withResidual(at: site, by: codec(of: site).feedback) { residual in
                for i in residual.indices { sum[start + i] += weight * Double(residual[i]) }
            }
        }
    }

    func reset() { feedback?.reset() }
}

/// A codec, and what of it every message asks for.
final class SiteCodec {
    let codec: any Codec
    let feedback: FeedbackCodec
    let maximumEncodedBytes: Int
    /// Bytes of every message; nil where they vary.
    let fixedBytes: Int?

    init(_ codec: any Codec) {
        self.codec = codec
        feedback = FeedbackCodec(codec)
        maximumEncodedBytes = codec.maximumEncodedBytes
        fixedBytes = codec.hasFixedSize ? maximumEncodedBytes : nil
    }

    /// Writes Q(v) over a vector, or scale * Q(v).
    func decode(_ message: UnsafeRawBufferPointer, scale: Float?, into floats: FloatVector) throws(CodecError) {
        if let scale {
            unsafe floats.update(repeating: 0)
            return try unsafe decode(message, adding: scale, to: floats)
        }
        var vector = unsafe MutableSpan(_unsafeElements: floats)
        try unsafe codec.decode(RawSpan(_unsafeBytes: message), into: &vector)
    }

    /// vector += scale * Q(v).
    func decode(_ message: UnsafeRawBufferPointer, adding scale: Float, to floats: FloatVector) throws(CodecError) {
        var vector = unsafe MutableSpan(_unsafeElements: floats)
        try unsafe codec.decode(RawSpan(_unsafeBytes: message), adding: scale, to: &vector)
    }
}
