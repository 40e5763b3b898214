// bzip2, xz and zstd by libarchive. Whoever prepares the next round of text.

internal import CArchive
internal import Platform

/// The text of a file that is compressed by one of these.
@safe final class ArchiveDecoder: Decoder {
    private let blocks: ByteBlocks
    private let archive: OpaquePointer
    private var isEmpty = false

    init(_ blocks: ByteBlocks) throws(InputError) {
        self.blocks = blocks
        guard let archive = unsafe archive_read_new() else { throw blocks.broken("no memory for libarchive") }
        unsafe self.archive = unsafe archive
        unsafe archive_read_support_filter_bzip2(archive)
        unsafe archive_read_support_filter_xz(archive)
        unsafe archive_read_support_filter_zstd(archive)
        unsafe archive_read_support_format_raw(archive)
        unsafe archive_read_support_format_empty(archive)
        // `self` keeps the blocks for as long as the archive.
        let client = unsafe Unmanaged.passUnretained(blocks).toOpaque()
        let opened = unsafe archive_read_open(
            archive, client, nil,
            { _, client, start in
                let blocks = unsafe Unmanaged<ByteBlocks>.fromOpaque(client!).takeUnretainedValue()
                guard let block = unsafe try? blocks.next() else { return -1 }
                unsafe start!.pointee = UnsafeRawPointer(block.baseAddress)
                return block.count
            }, nil)
        guard opened == ARCHIVE_OK else { throw broken() }
        // Without a filter the data are too short for one that the first bytes promise.
        if unsafe archive_filter_code(archive, 0) == ARCHIVE_FILTER_NONE {
            throw blocks.broken("the compressed data are cut off or damaged")
        }
        var entry: OpaquePointer?
        switch unsafe archive_read_next_header(archive, &entry) {
        case ARCHIVE_OK: break
        case ARCHIVE_EOF: isEmpty = true
        default: throw broken()
        }
    }

    deinit { unsafe archive_read_free(archive) }

    func read(into target: UnsafeMutablePointer<UInt8>, capacity: Int) throws(InputError) -> Int {
        if isEmpty { return 0 }
        let count = unsafe archive_read_data(archive, target, capacity)
        if count < 0 { throw broken() }
        if count == 0 {
            // libarchive takes what is no further stream, such as one with a damaged header, for the end.
            _ = unsafe try blocks.next()
            // Zeros fill up a block of a tape or a device.
            if unsafe archive_filter_bytes(archive, -1) < blocks.byteCount - blocks.trailingZeros {
                throw blocks.broken("bytes after the compressed data that are no such data")
            }
        }
        return count
    }

    private func broken() -> InputError {
        blocks.broken(unsafe archive_error_string(archive).map { unsafe String(cString: $0) } ?? "no reason given")
    }
}
