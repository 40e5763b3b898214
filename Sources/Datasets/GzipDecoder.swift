// gzip by zlib, which checks the length and the checksum of every member; libarchive's filter looks at neither. Whoever prepares
// the next round of text.

internal import CZlib
internal import Platform

/// The text of all members of a gzip file.
@safe final class GzipDecoder: Decoder {
    private let blocks: ByteBlocks
    /// At one place, to which zlib's own state points back.
    private let stream: UnsafeMutablePointer<z_stream>
    private var isInputAtEnd = false
    private var isMemberAtEnd = false
    private var members = 0

    /// A gzip header and trailer around the largest window.
    private static let windowBits = MAX_WBITS + 16

    init(_ blocks: ByteBlocks) throws(InputError) {
        self.blocks = blocks
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        let size = unsafe Int32(MemoryLayout<z_stream>.size)
        guard unsafe inflateInit2_(stream, Self.windowBits, ZLIB_VERSION, size) == Z_OK else {
            throw blocks.broken("no memory for zlib")
        }
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    func read(into target: UnsafeMutablePointer<UInt8>, capacity: Int) throws(InputError) -> Int {
        let room = UInt32(clamping: capacity)
        unsafe stream.pointee.next_out = target
        unsafe stream.pointee.avail_out = room
        while unsafe stream.pointee.avail_out == room {
            if unsafe stream.pointee.avail_in == 0 { try refill() }
            if isMemberAtEnd {
                try skipZeros()
                if isInputAtEnd { return 0 }
                unsafe inflateReset(stream)
                isMemberAtEnd = false
                members += 1
            }
            switch unsafe inflate(stream, Z_NO_FLUSH) {
            case Z_OK: break
            case Z_STREAM_END: isMemberAtEnd = true
            case Z_BUF_ERROR: if isInputAtEnd { throw blocks.broken("the gzip data are cut off") }
            default: throw damaged()
            }
        }
        return unsafe Int(room - stream.pointee.avail_out)
    }

    private func refill() throws(InputError) {
        if isInputAtEnd { return }
        let block = unsafe try blocks.next()
        isInputAtEnd = block.isEmpty
        // zlib does not write to its input.
        unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: block.baseAddress)
        unsafe stream.pointee.avail_in = UInt32(block.count)
    }

    /// Moves past zeros after a member, which fill up a block of a tape or a device.
    private func skipZeros() throws(InputError) {
        while !isInputAtEnd {
            while unsafe stream.pointee.avail_in > 0 {
                if unsafe stream.pointee.next_in.pointee != 0 { return }
                unsafe stream.pointee.next_in += 1
                unsafe stream.pointee.avail_in -= 1
            }
            try refill()
        }
    }

    private func damaged() -> InputError {
        let reason = unsafe stream.pointee.msg.map { unsafe String(cString: $0) } ?? "no reason given"
        // Between members zlib expects the header of one.
        if members > 0 && reason == "incorrect header check" {
            return blocks.broken("bytes after the gzip data that are no gzip data")
        }
        return blocks.broken("damaged gzip data: \(reason)")
    }
}
