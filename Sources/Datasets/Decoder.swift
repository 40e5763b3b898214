// What turns the bytes of a file into text. Whoever prepares the next round of text.

internal import Platform

/// Text from bytes, whatever they are packed in.
protocol Decoder: AnyObject {
    /// Writes at most `capacity` bytes of text to `target` and says how many; 0 at the end of the text.
    func read(into target: UnsafeMutablePointer<UInt8>, capacity: Int) throws(InputError) -> Int
}

/// Bytes that are text already.
@safe final class PlainDecoder: Decoder {
    private let blocks: ByteBlocks
    private var rest: UnsafeBufferPointer<UInt8>

    init(_ blocks: ByteBlocks) {
        self.blocks = blocks
        unsafe rest = UnsafeBufferPointer(start: nil, count: 0)
    }

    func read(into target: UnsafeMutablePointer<UInt8>, capacity: Int) throws(InputError) -> Int {
        if unsafe rest.isEmpty { unsafe rest = unsafe try blocks.next() }
        let count = unsafe min(capacity, rest.count)
        if let start = unsafe rest.baseAddress { unsafe target.update(from: start, count: count) }
        unsafe rest = unsafe UnsafeBufferPointer(rebasing: rest[count...])
        return count
    }
}

extension ByteBlocks {
    /// That compressed data cannot be undone, and why.
    func broken(_ reason: String) -> InputError {
        failure
            ?? InputError(
                at: name, found: "data that cannot be read (\(reason))",
                expected: "text, or a complete gzip, bzip2, xz or zstd file of it")
    }
}
