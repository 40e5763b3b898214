// Compressed or piped text: libarchive recognises and undoes gzip, bzip2, xz and zstd. Two buffers, one being parsed while a
// worker fills the other.

internal import CArchive
internal import Glibc
internal import Platform

/// The lines of whatever a file descriptor delivers, decompressed where it is compressed.
@safe final class ArchiveText: TextSource {
    private let name: String
    private let roundBytes: Int
    private let archive: OpaquePointer
    private var current: PageBuffer<UInt8>
    private var next: PageBuffer<UInt8>
    /// Bytes of whole lines in `current`, and all its bytes: the rest begins the next round.
    private var currentLines = 0
    private var currentBytes = 0
    private var nextLines = 0
    private var nextBytes = 0
    private var isPrepared = false
    private var isAtEnd = false
    private var failure: InputError?

    private static let readAhead = 64

    /// Reads from an open descriptor, which the caller closes after the source is gone.
    init(descriptor: Int32, roundBytes: Int, name: String) throws(InputError) {
        self.name = name
        self.roundBytes = roundBytes
        current = try PageBuffer(count: Self.readAhead)
        next = try PageBuffer(count: roundBytes + Self.readAhead)
        guard let archive = unsafe archive_read_new() else {
            throw InputError(at: name, found: "no memory for libarchive", expected: "some")
        }
        unsafe self.archive = unsafe archive
        unsafe archive_read_support_filter_gzip(archive)
        unsafe archive_read_support_filter_bzip2(archive)
        unsafe archive_read_support_filter_xz(archive)
        unsafe archive_read_support_filter_zstd(archive)
        unsafe archive_read_support_format_raw(archive)
        unsafe archive_read_support_format_empty(archive)
        var entry: OpaquePointer?
        guard unsafe archive_read_open_fd(archive, descriptor, 256 << 10) == ARCHIVE_OK else { throw broken() }
        switch unsafe archive_read_next_header(archive, &entry) {
        case ARCHIVE_OK: break
        case ARCHIVE_EOF: isAtEnd = true
        default: throw broken()
        }
    }

    deinit { unsafe archive_read_free(archive) }

    func nextRound() throws(InputError) -> UnsafeBufferPointer<UInt8>? {
        if !isPrepared { prepareNext() }
        if let failure { throw failure }
        swap(&current, &next)
        (currentLines, currentBytes) = (nextLines, nextBytes)
        isPrepared = false
        return currentLines == 0 ? nil : unsafe UnsafeBufferPointer(start: current.pointer, count: currentLines)
    }

    func prepareNext() {
        do throws(InputError) {
            try fillNext()
        } catch {
            failure = error
        }
        isPrepared = true
    }

    private func fillNext() throws(InputError) {
        let carried = currentBytes - currentLines
        var capacity = max(roundBytes, 2 * carried)
        if next.count < capacity + Self.readAhead { try next.resize(to: capacity + Self.readAhead) }
        unsafe memcpy(next.pointer, current.pointer + currentLines, carried)
        nextBytes = carried
        while true {
            while nextBytes < capacity && !isAtEnd {
                let count = unsafe archive_read_data(archive, next.pointer + nextBytes, capacity - nextBytes)
                if count < 0 { throw broken() }
                if count == 0 { isAtEnd = true }
                nextBytes += count
            }
            if isAtEnd {
                nextLines = nextBytes
                break
            }
            let text = unsafe UnsafeBufferPointer(start: next.pointer, count: nextBytes)
            if let end = unsafe endOfLastLine(in: text, carried..<nextBytes) {
                nextLines = end
                break
            }
            // One line longer than the buffer.
            capacity *= 2
            try next.resize(to: capacity + Self.readAhead)
        }
        unsafe memset(next.pointer + nextBytes, 0, Self.readAhead)
    }

    private func broken() -> InputError {
        let reason = unsafe archive_error_string(archive).map { unsafe String(cString: $0) } ?? "no reason given"
        return InputError(
            at: name, found: "data that cannot be read (\(reason))",
            expected: "text, or a complete gzip, bzip2, xz or zstd file of it")
    }
}
