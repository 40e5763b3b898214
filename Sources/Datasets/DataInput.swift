// Data that are open and whose first bytes have been looked at, so that standard input and pipes can be recognised too. The
// reading thread.

public import Platform

/// A file or standard input, open, with its compression undone and its format recognised; read once.
public final class DataInput {
    /// As the user gave it: a path, or `-` for standard input.
    public let path: String
    public let format: DataFormat
    let file: TextFile
    /// All bytes, the first included.
    let decoder: any Decoder
    /// Whether the bytes are those of a regular file, which may be mapped instead.
    let isPlainFile: Bool

    /// Bytes that are looked at: a first line of usual length.
    private static let headBytes = 16 << 10

    /// Opens `path`, or standard input for `-`; in this format, whatever it looks like, where one is given.
    ///
    /// Throws where there is no such file, it is a directory, or compressed data are broken from the start.
    public init(_ path: String, format: DataFormat? = nil) throws(InputError) {
        self.path = path
        file = try TextFile(path, expected: "a file of data")
        let (decoder, isPlainFile) = try file.decoder()
        let head = try HeadDecoder(decoder, byteCount: Self.headBytes)
        self.decoder = head
        self.isPlainFile = isPlainFile
        let mark = try ByteOrderMark.length(in: head.head, name: file.name)
        self.format = format ?? DataFormat(head: Array(head.head.dropFirst(mark)), name: file.name)
    }

    /// For messages: the path, or `standard input`.
    var name: String { file.name }

    /// The text in rounds of whole lines.
    func source(roundBytes: Int) throws(InputError) -> any TextSource {
        try file.refuseIfEmpty()
        return isPlainFile
            ? try file.mapped(roundBytes: roundBytes) : try StreamText(decoder, roundBytes: roundBytes)
    }

    /// The result of reading, unless the file changed meanwhile: that explains whatever is wrong.
    func unchanged<Result: ~Copyable>(
        _ read: () throws(InputError) -> Result
    ) throws(InputError) -> Result {
        do throws(InputError) {
            let result = try read()
            try file.checkUnchanged()
            return result
        } catch {
            try file.checkUnchanged()
            throw error
        }
    }
}

/// Bytes of which the first are known beforehand.
@safe final class HeadDecoder: Decoder {
    /// At most as many as were asked for.
    let head: [UInt8]
    private let decoder: any Decoder
    private var given = 0

    init(_ decoder: any Decoder, byteCount: Int) throws(InputError) {
        self.decoder = decoder
        let buffer = try PageBuffer<UInt8>(count: byteCount)
        var count = 0
        while count < byteCount {
            let more = unsafe try decoder.read(into: buffer.pointer + count, capacity: byteCount - count)
            if more == 0 { break }
            count += more
        }
        head = unsafe Array(UnsafeBufferPointer(start: buffer.pointer, count: count))
    }

    func read(into target: UnsafeMutablePointer<UInt8>, capacity: Int) throws(InputError) -> Int {
        let count = min(capacity, head.count - given)
        if count == 0 { return unsafe try decoder.read(into: target, capacity: capacity) }
        for k in 0..<count { unsafe target[k] = head[given + k] }
        given += count
        return count
    }
}
