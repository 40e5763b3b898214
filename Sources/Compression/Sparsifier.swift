// What the codecs that keep some of the elements have in common: a message is a header, the places, and the kept values, which another
// codec may encode. One thread.

import Kernels

/// A codec that keeps some elements of a vector and makes the others zero.
///
/// Its message is `CodecHeader`, then what says which elements are kept (the places), then their values as float32; a composition has the
/// message of another codec instead of the values.
protocol Sparsifier: Codec {
    var header: CodecHeader { get }
    /// Most elements that a message keeps: their number where `keepsFixedNumber`.
    var largestKept: Int { get }
    var keepsFixedNumber: Bool { get }
    /// What the decoder multiplies kept values by.
    var factor: Float { get }
    /// Whether what is kept depends on the vector only, and is kept as it is.
    var isDeterministic: Bool { get }
    /// Space for `largestKept` values.
    var values: UnsafeMutablePointer<Float> { get }

    /// Bytes of the places of so many elements.
    func placeBytes(kept: Int) -> Int
    /// Leaves the kept elements in `values` and their places at `bytes`; returns their number, or nil where the vector was seen not to be
    /// finite. Otherwise something that is not finite is among the kept, if the choice depends on the elements.
    func select(_ x: UnsafePointer<Float>, draw: CodecDraw, places bytes: UnsafeMutableRawPointer) -> Int?
    /// The number of elements that the places at the start of `bytes` name, or nil where only the values say; throws where the places are
    /// not what an encoder writes. `offset` is where `bytes` begin in the message.
    func readPlaces(_ bytes: UnsafeRawBufferPointer, offset: Int) throws(CodecError) -> Int?
    /// y[place] = `factor` * value for every kept element, or += scale * (`factor` * value) where `adding`, with places that `readPlaces`
    /// has accepted. Returns false where a value is not finite, or the places are not as many as the values.
    func scatter(
        places: UnsafeRawPointer, values: UnsafeRawPointer, kept: Int, adding: Bool, scale: Float,
        into y: UnsafeMutablePointer<Float>
    ) -> Bool
}

extension Sparsifier {
    /// Bytes of a message with so many elements.
    func encodedBytes(kept: Int) -> Int { CodecHeader.byteCount + placeBytes(kept: kept) + 4 * kept }

    /// Selects, and throws where a kept value times the factor is not finite.
    func selectFinite(_ vector: Span<Float>, draw: CodecDraw, places bytes: UnsafeMutableRawPointer)
        throws(CodecError) -> Int
    {
        let kept = unsafe vector.withUnsafeBufferPointer { vector in
            unsafe select(vector.baseAddress ?? UnsafePointer(values), draw: draw, places: bytes)
        }
        let limit = factor == 1 ? Float.greatestFiniteMagnitude : Float.greatestFiniteMagnitude / factor.nextUp
        if let kept, unsafe largestMagnitude(values, count: kept) <= limit { return kept }
        for i in vector.indices {
            let value = vector[i].magnitude <= limit ? 0 : vector[i].isFinite ? vector[i] * factor : vector[i]
            guard value.isFinite else { throw .notFinite(index: i, value: value) }
        }
        // Within rounding of the largest float after all.
        return kept ?? 0
    }

    /// `encode` of a sparsifier alone.
    func encodeValues(_ vector: Span<Float>, draw: CodecDraw, into bytes: inout MutableRawSpan) throws(CodecError)
        -> Int
    {
        try check(vector, bytes)
        header.write(into: &bytes)
        return try unsafe bytes.withUnsafeMutableBytes { (bytes) throws(CodecError) -> Int in
            let places = unsafe bytes.baseAddress! + CodecHeader.byteCount
            let kept = try unsafe selectFinite(vector, draw: draw, places: places)
            unsafe (places + placeBytes(kept: kept)).copyMemory(from: values, byteCount: 4 * kept)
            return encodedBytes(kept: kept)
        }
    }

    /// `decode` of a sparsifier alone.
    func decodeValues(_ bytes: RawSpan, adding: Bool, scale: Float, into vector: inout MutableSpan<Float>)
        throws(CodecError)
    {
        try check(vector)
        try header.check(bytes)
        try unsafe bytes.withUnsafeBytes { (bytes) throws(CodecError) in
            let body = unsafe UnsafeRawBufferPointer(rebasing: bytes[CodecHeader.byteCount...])
            let named = try unsafe readPlaces(body, offset: CodecHeader.byteCount)
            let kept = named ?? min(largestKept, max(0, body.count - placeBytes(kept: 0)) / 4)
            let expected = encodedBytes(kept: kept)
            guard bytes.count == expected else { throw .wrongLength(found: bytes.count, expected: expected) }
            let values = unsafe body.baseAddress! + placeBytes(kept: kept)
            try unsafe put(
                places: body.baseAddress!, values: values, kept: kept, adding: adding, scale: scale, into: &vector)
        }
    }

    /// Fills the vector with zeros unless `adding`, and scatters.
    func put(
        places: UnsafeRawPointer, values: UnsafeRawPointer, kept: Int, adding: Bool, scale: Float,
        into vector: inout MutableSpan<Float>
    ) throws(CodecError) {
        let isSound = unsafe vector.withUnsafeMutableBufferPointer { vector in
            guard let y = vector.baseAddress else { return kept == 0 }
            if !adding { unsafe y.update(repeating: 0, count: vector.count) }
            return unsafe scatter(places: places, values: values, kept: kept, adding: adding, scale: scale, into: y)
        }
        guard isSound else {
            throw .corrupt(
                byte: CodecHeader.byteCount, found: "places and values that no encoder writes",
                expected: "one finite value for each place")
        }
    }
}

/// A sparsifier whose messages list the places of the kept elements, as `SparseSelection` writes them.
protocol PlaceListSparsifier: Sparsifier {}

extension PlaceListSparsifier {
    func placeBytes(kept: Int) -> Int { SparseSelection.placeBytes(count: count, kept: kept) }

    func readPlaces(_ bytes: UnsafeRawBufferPointer, offset: Int) throws(CodecError) -> Int? {
        try unsafe readSparsePlaces(bytes, offset: offset, count: count)
    }

    func scatter(
        places: UnsafeRawPointer, values: UnsafeRawPointer, kept: Int, adding: Bool, scale: Float,
        into y: UnsafeMutablePointer<Float>
    ) -> Bool {
        unsafe SparseSelection.scatter(
            places: places, values: values, count: count, adding: adding, scale: scale, into: y)
    }
}
