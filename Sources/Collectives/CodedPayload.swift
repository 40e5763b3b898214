// Messages of a codec as what travels in a collective. The thread of each rank uses it.

internal import Compression
internal import Messaging

/// A vector whose chunks travel encoded, during one average.
@safe struct CodedPayload: Payload {
    let average: CompressedAverage
    let vector: FloatVector
    let step: UInt64
    let communicator: Communicator
    /// What a term counts in a sum.
    let termScale: Float
    /// What a result is multiplied by; nil where the sum is the mean already.
    let resultScale: Float?

    var elements: Int { unsafe vector.count }

    private func floats(_ chunk: Chunk) -> FloatVector { unsafe FloatVector(rebasing: vector[chunk.range]) }

    func pack(_ chunk: Chunk) throws {
        let floats = unsafe floats(chunk)
        try average.code(floats.count, communicator) { () throws(CodecError) in
            try unsafe average.encode(floats, at: chunk.site, step: step)
        }
    }

    func post(_ chunk: Chunk, to peer: Int) throws -> Communicator.Posted {
        try unsafe communicator.post(average.messages[chunk.site], to: peer)
    }

    /// Decodes the message where it lies; the model prices that once it has arrived.
    func receive(_ chunk: Chunk, from peer: Int, as arrival: Arrival, releasing: Bool) throws {
        let floats = unsafe floats(chunk)
        let codec = average.sites.codec(of: chunk.site, count: floats.count)
        var seconds = 0.0
        try unsafe average.receive(by: codec, from: peer, communicator, releasing: releasing) { bytes in
            if arrival == .passedResult { unsafe average.messages.store(bytes, in: chunk.site) }
            return average.coding.time(floats.count, &seconds) { () throws(CodecError) in
                try unsafe decode(bytes, by: codec, into: floats, as: arrival)
            }
        }
        try average.coding.charge(floats.count, seconds, communicator)
    }

    func unpack(_ chunk: Chunk, as arrival: Arrival) throws {
        let floats = unsafe floats(chunk)
        let codec = average.sites.codec(of: chunk.site, count: floats.count)
        try average.code(floats.count, communicator) { () throws(CodecError) in
            try unsafe decode(average.messages[chunk.site], by: codec, into: floats, as: arrival)
        }
    }

    private func decode(
        _ message: UnsafeRawBufferPointer, by codec: SiteCodec, into floats: FloatVector, as arrival: Arrival
    ) throws(CodecError) {
        switch arrival {
        case .term: try unsafe codec.decode(message, adding: termScale, to: floats)
        case .firstTerm: try unsafe codec.decode(message, scale: termScale, into: floats)
        case .result, .passedResult: try unsafe codec.decode(message, scale: resultScale, into: floats)
        }
    }
}

/// The messages of all ranks, unchanged: chunk c of the second half of a ring is that of rank c - 1 (mod N).
struct GatheredPayload: Payload {
    let average: CompressedAverage
    let communicator: Communicator

    /// Messages have no place in the vector.
    var elements: Int { 0 }

    private func slot(_ chunk: Chunk) -> Int { (chunk.site == 0 ? communicator.count : chunk.site) - 1 }

    func pack(_ chunk: Chunk) {}
    func unpack(_ chunk: Chunk, as arrival: Arrival) {}

    func post(_ chunk: Chunk, to peer: Int) throws -> Communicator.Posted {
        try unsafe communicator.post(average.messages[slot(chunk)], to: peer)
    }

    func receive(_ chunk: Chunk, from peer: Int, as arrival: Arrival, releasing: Bool) throws {
        let codec = average.sites.codec(of: 0, count: average.elements)
        try unsafe average.receive(by: codec, from: peer, communicator, releasing: releasing) { bytes in
            unsafe average.messages.store(bytes, in: slot(chunk))
            return nil
        }
    }
}
