// Opening what the user named, and deciding how to read it. The reading thread.

internal import Glibc
package import Platform

/// An open file or standard input.
package struct TextFile: ~Copyable {
    /// The contents that reading expects.
    static let untouched = "one that nobody is writing"

    /// For messages: the path, or `standard input`.
    let name: String
    let descriptor: Int32
    private let status: stat
    private let isStandardInput: Bool

    /// Opens `path`, or standard input for `-`; throws where there is no such file or where it is a directory.
    package init(_ path: String, expected: String = "a file of rows LABEL INDEX:VALUE …") throws(InputError) {
        let isStandardInput = path == "-"
        let name = isStandardInput ? "standard input" : path.isEmpty ? "\"\"" : path
        let descriptor = unsafe isStandardInput ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
        var status = stat()
        guard descriptor >= 0, unsafe fstat(descriptor, &status) == 0 else {
            let reason = unsafe errno == ENOENT ? "no such file" : String(cString: strerror(errno)).lowercased()
            throw InputError(at: name, found: reason, expected: expected)
        }
        if status.st_mode & S_IFMT == S_IFDIR {
            close(descriptor)
            throw InputError(at: name, found: "a directory", expected: expected)
        }
        self.name = name
        self.descriptor = descriptor
        self.status = status
        self.isStandardInput = isStandardInput
    }

    deinit { close(descriptor) }

    /// What tells one state of the file from another, as it was when it was opened.
    var stamp: SourceStamp { SourceStamp(status) }

    /// Throws where a regular file has changed since it was opened.
    package func checkUnchanged() throws(InputError) {
        var now = stat()
        guard status.st_mode & S_IFMT == S_IFREG, unsafe fstat(descriptor, &now) == 0 else { return }
        if SourceStamp(now) != stamp {
            throw InputError(at: name, found: "a file that changed while it was read", expected: Self.untouched)
        }
    }

    /// All bytes, of a pipe, too, and a zero byte behind them.
    package func contents() throws(InputError) -> [UInt8] {
        let blocks = try ByteBlocks(descriptor: descriptor, name: name)
        var bytes: [UInt8] = []
        if !isStandardInput { bytes.reserveCapacity(Int(status.st_size) + 1) }
        while true {
            let block = unsafe try blocks.next()
            if block.isEmpty { break }
            unsafe bytes.append(contentsOf: block)
        }
        try checkUnchanged()
        bytes.append(0)
        return bytes
    }

    /// Whether the bytes can be mapped, or only be read in their order.
    private var isRegular: Bool { status.st_mode & S_IFMT == S_IFREG && !isStandardInput }

    /// A plain regular file is mapped; all else is a stream, decompressed where its first bytes say so.
    func source(roundBytes: Int) throws(InputError) -> any TextSource {
        try refuseIfEmpty()
        let (decoder, isPlainFile) = try decoder()
        return isPlainFile ? try mapped(roundBytes: roundBytes) : try StreamText(decoder, roundBytes: roundBytes)
    }

    func refuseIfEmpty(expected: String = "rows LABEL INDEX:VALUE …") throws(InputError) {
        if isRegular && status.st_size == 0 { throw InputError(at: name, found: "an empty file", expected: expected) }
    }

    /// The plain regular file as text; valid after the file is closed.
    func mapped(roundBytes: Int? = nil) throws(InputError) -> MappedText {
        let byteCount = Int(status.st_size)
        return try MappedText(
            descriptor: descriptor, byteCount: byteCount, roundBytes: roundBytes ?? byteCount, name: name)
    }

    /// The bytes in their order, decompressed where the first of them say so, and whether they could as well be mapped.
    func decoder() throws(InputError) -> (decoder: any Decoder, isPlainFile: Bool) {
        let blocks = try ByteBlocks(descriptor: descriptor, name: name)
        let skipped = try FileCompression.skipFrames(of: blocks)
        let head = try blocks.head(FileCompression.headBytes)
        if let compression = FileCompression(head: head) {
            return (compression == .gzip ? try GzipDecoder(blocks) : try ArchiveDecoder(blocks), false)
        }
        if let other = FileCompression.unknown(head: head) {
            throw InputError(
                at: name, found: "\(other) data", expected: "data as they are, or compressed by gzip, bzip2, xz or zstd"
            )
        }
        if skipped && !head.isEmpty { throw blocks.broken("a skippable frame of zstd before what is no zstd data") }
        if skipped { return (PlainDecoder(blocks), false) }
        if let named = FileCompression.allCases.first(where: { name.hasSuffix($0.rawValue) }), isRegular {
            throw InputError(at: name, found: "bytes that are not \(named) data", expected: "a whole \(named) file")
        }
        return (PlainDecoder(blocks), isRegular)
    }
}
