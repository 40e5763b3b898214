// The bytes of a file, pipe or terminal as the kernel gives them, block by block. Whoever prepares the next round of text.

internal import Glibc
internal import Platform

/// Blocks of bytes from a descriptor, the first of which can be looked at beforehand.
@safe final class ByteBlocks {
    let name: String
    /// Why the last read failed.
    private(set) var failure: InputError?
    private let descriptor: Int32
    private let buffer: PageBuffer<UInt8>
    /// Bytes that were handed out so far.
    private(set) var byteCount = 0
    /// How many of them are zero at the end.
    private(set) var trailingZeros = 0
    /// Bytes in the buffer that were looked at and not yet handed out.
    private var waiting = 0
    private var isAtEnd = false

    /// Reads from an open descriptor, which the caller closes after the blocks are gone.
    init(descriptor: Int32, name: String) throws(InputError) {
        self.descriptor = descriptor
        self.name = name
        buffer = try PageBuffer(count: 256 << 10)
    }

    /// The first bytes, `count` of them where there are as many.
    func head(_ count: Int) throws(InputError) -> [UInt8] {
        while waiting < count && !isAtEnd { try readMore() }
        return (0..<min(count, waiting)).map { unsafe buffer.pointer[$0] }
    }

    /// The next block, valid until the one after it; empty at the end.
    func next() throws(InputError) -> UnsafeBufferPointer<UInt8> {
        if waiting == 0 && !isAtEnd { try readMore() }
        defer { waiting = 0 }
        byteCount += waiting
        let block = unsafe UnsafeBufferPointer(start: buffer.pointer, count: waiting)
        let last = unsafe block.lastIndex { $0 != 0 }
        trailingZeros = last.map { block.count - 1 - $0 } ?? trailingZeros + block.count
        return unsafe block
    }

    /// Drops the next bytes, which then count as none of the file; false where there are fewer.
    func discard(_ count: Int) throws(InputError) -> Bool {
        var rest = count
        while rest > 0 {
            if waiting == 0 && !isAtEnd { try readMore() }
            if waiting == 0 { return false }
            let dropped = min(rest, waiting)
            waiting -= dropped
            rest -= dropped
            unsafe buffer.pointer.update(from: buffer.pointer + dropped, count: waiting)
        }
        return true
    }

    private func readMore() throws(InputError) {
        while true {
            let count = unsafe read(descriptor, buffer.pointer + waiting, buffer.count - waiting)
            if count >= 0 {
                waiting += count
                isAtEnd = count == 0
                return
            }
            if errno != EINTR { break }
        }
        let reason = unsafe String(cString: strerror(errno)).lowercased()
        let failure = InputError(at: name, found: "bytes that cannot be read (\(reason))", expected: "a readable file")
        self.failure = failure
        throw failure
    }
}
