// The arrays in an NPZ file: a zip container of NPY files, read by libarchive, which checks their checksums. The reading thread.

internal import CArchive
internal import Glibc
internal import Platform

/// An open container, entry by entry; each entry's bytes are read before the next is asked for.
@safe final class NPZArchive: Decoder {
    private let input: DataInput
    private let archive: OpaquePointer
    private let buffer: PageBuffer<UInt8>
    private var failure: InputError?

    init(_ input: DataInput) throws(InputError) {
        self.input = input
        buffer = try PageBuffer(count: 256 << 10)
        guard let archive = unsafe archive_read_new() else {
            throw InputError(at: input.name, found: "no memory for libarchive", expected: "more memory")
        }
        unsafe self.archive = unsafe archive
        unsafe archive_read_support_format_zip(archive)
        let opened: Int32
        if input.isPlainFile {
            // With seeking the directory at the end is used, and sizes need not stand before the data.
            lseek(input.file.descriptor, 0, SEEK_SET)
            unsafe opened = archive_read_open_fd(archive, input.file.descriptor, buffer.count)
        } else {
            // The caller keeps `self` for as long as it reads.
            let client = unsafe Unmanaged.passUnretained(self).toOpaque()
            unsafe opened = archive_read_open(
                archive, client, nil,
                { _, client, start in
                    let own = unsafe Unmanaged<NPZArchive>.fromOpaque(client!).takeUnretainedValue()
                    return unsafe own.nextBlock(start!)
                }, nil)
        }
        if opened != ARCHIVE_OK { throw broken() }
    }

    deinit { unsafe archive_read_free(archive) }

    /// The name of the next array, without `.npy`; nil at the end.
    func nextArray() throws(InputError) -> String? {
        var entry: OpaquePointer?
        switch unsafe archive_read_next_header(archive, &entry) {
        case ARCHIVE_OK: break
        case ARCHIVE_EOF: return nil
        default: throw broken()
        }
        let name = unsafe entry.flatMap { unsafe archive_entry_pathname($0) }.map { unsafe String(cString: $0) } ?? "?"
        return name.hasSuffix(".npy") ? String(name.dropLast(4)) : name
    }

    func read(into target: UnsafeMutablePointer<UInt8>, capacity: Int) throws(InputError) -> Int {
        let count = unsafe archive_read_data(archive, target, capacity)
        if count < 0 { throw broken() }
        return count
    }

    private func nextBlock(_ start: UnsafeMutablePointer<UnsafeRawPointer?>) -> Int {
        do throws(InputError) {
            let count = unsafe try input.decoder.read(into: buffer.pointer, capacity: buffer.count)
            unsafe start.pointee = unsafe UnsafeRawPointer(buffer.pointer)
            return count
        } catch {
            failure = error
            return -1
        }
    }

    private func broken() -> InputError {
        if let failure { return failure }
        let reason = unsafe archive_error_string(archive).map { unsafe String(cString: $0) } ?? "no reason given"
        return InputError(
            at: input.name, found: "data that cannot be read (\(reason))",
            expected: "a complete zip file of NumPy arrays")
    }
}
