// All text of a file at once. The reading thread.

internal import Platform

/// The text of data: mapped where the file is plain, and otherwise in memory.
@safe final class WholeText {
    /// 32 bytes beyond the end are readable, and no digit follows the end.
    let text: UnsafeBufferPointer<UInt8>
    private let mapped: MappedText?
    private let buffer: PageBuffer<UInt8>

    private static let readAhead = 64

    init(_ input: DataInput) throws(InputError) {
        if input.isPlainFile {
            try input.file.refuseIfEmpty(expected: "rows of fields between commas, semicolons or tabs")
            let mapped = try input.file.mapped()
            unsafe text = mapped.nextRound() ?? UnsafeBufferPointer(start: nil, count: 0)
            self.mapped = mapped
            buffer = try PageBuffer(count: 0)
            return
        }
        var buffer = try PageBuffer<UInt8>(count: 1 << 20)
        var count = 0
        while true {
            if buffer.count - count <= Self.readAhead { try buffer.resize(to: 2 * buffer.count) }
            let room = buffer.count - count - Self.readAhead
            let more = unsafe try input.decoder.read(into: buffer.pointer + count, capacity: room)
            if more == 0 { break }
            count += more
        }
        unsafe (buffer.pointer + count).update(repeating: 0, count: Self.readAhead)
        unsafe text = UnsafeBufferPointer(start: buffer.pointer, count: count)
        mapped = nil
        self.buffer = buffer
    }
}
