// Pass 1 of reading: how many rows and nonzeros a chunk of LIBSVM text holds, so that pass 2 can write straight into place.
// Every worker thread runs this on chunks of its own.

internal import Glibc

/// What a chunk of text holds, as far as can be told without reading its numbers.
struct RowCounts: Equatable {
    /// Lines with something on them beside a comment.
    var rows = 0
    /// Colons outside comments: at least the nonzeros, and exactly those where every line is well formed.
    var colons = 0
    var newlines = 0

    /// Counts whole lines; the 32 bytes at `end` must be readable.
    static func of(_ begin: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> RowCounts {
        if unsafe begin == end { return RowCounts() }
        return unsafe countPlain(begin, end) ?? countCarefully(begin, end)
    }

    private typealias Lanes = SIMD32<UInt8>
    private typealias Mask = SIMDMask<SIMD32<Int8>>

    /// Counts newlines and colons alone; nil where a comment, or a line that does not begin as a number does, makes that wrong.
    ///
    /// Comparisons for equality and masks only: Swift 6.3 compiles `<=`, `replace` and `&` of 32 bytes to a loop over them.
    private static func countPlain(_ begin: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> RowCounts? {
        if unsafe !beginsNumber(begin[0]) { return nil }
        var counts = RowCounts()
        var p = unsafe begin
        while unsafe end - p >= 32 {
            // Lanes count to 255 at most.
            let steps = unsafe min(255, (end - p) / 32)
            var newlines = Lanes.zero
            var colons = Lanes.zero
            var odd = Mask(repeating: false)
            for _ in 0..<steps {
                let text = unsafe UnsafeRawPointer(p).loadUnaligned(as: Lanes.self)
                let following = unsafe UnsafeRawPointer(p + 1).loadUnaligned(as: Lanes.self)
                let ends = text .== Lanes(repeating: UInt8(ascii: "\n"))
                let begins =
                    (Self.and(following, 0xF0) .== Lanes(repeating: 0x30))
                    .| (Self.and(following, 0xF8) .== Lanes(repeating: 0x28))
                newlines = Self.count(ends, into: newlines)
                colons = Self.count(text .== Lanes(repeating: UInt8(ascii: ":")), into: colons)
                odd .|= (ends .& .!begins) .| (text .== Lanes(repeating: UInt8(ascii: "#")))
                unsafe p += 32
            }
            if odd != Mask(repeating: false) { return nil }
            for lane in 0..<32 {
                counts.newlines += Int(newlines[lane])
                counts.colons += Int(colons[lane])
            }
        }
        while unsafe p < end {
            let byte = unsafe p[0]
            if byte == UInt8(ascii: "#") { return nil }
            if byte == UInt8(ascii: "\n") {
                counts.newlines += 1
                if unsafe p + 1 < end && !beginsNumber(p[1]) { return nil }
            }
            if byte == UInt8(ascii: ":") { counts.colons += 1 }
            unsafe p += 1
        }
        counts.rows = unsafe counts.newlines + (end[-1] == UInt8(ascii: "\n") ? 0 : 1)
        return counts
    }

    /// Adds 1 to the lanes where the mask is set: as a number such a lane is -1.
    @inline(__always) private static func count(_ mask: Mask, into lanes: Lanes) -> Lanes {
        unsafe lanes &- unsafeBitCast(mask, to: Lanes.self)
    }

    @inline(__always) private static func and(_ lanes: Lanes, _ byte: UInt8) -> Lanes {
        let bytes = SIMD4<UInt64>(repeating: UInt64(byte) &* 0x0101_0101_0101_0101)
        return unsafe unsafeBitCast(unsafeBitCast(lanes, to: SIMD4<UInt64>.self) & bytes, to: Lanes.self)
    }

    /// Digits, signs, the point and a few that begin no line, but no space, newline or `#`.
    @inline(__always) private static func beginsNumber(_ byte: UInt8) -> Bool {
        byte & 0xF0 == 0x30 || byte & 0xF8 == 0x28
    }

    /// Line by line: blank lines and comments are no rows.
    private static func countCarefully(_ begin: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> RowCounts {
        var counts = RowCounts()
        var p = unsafe begin
        while unsafe p < end {
            var isBlank = true
            var isComment = false
            while unsafe p < end && p[0] != UInt8(ascii: "\n") {
                let byte = unsafe p[0]
                if byte == UInt8(ascii: "#") { isComment = true }
                if !isComment {
                    if byte == UInt8(ascii: ":") { counts.colons += 1 }
                    if !isSpace(byte) { isBlank = false }
                }
                unsafe p += 1
            }
            if unsafe p < end {
                counts.newlines += 1
                unsafe p += 1
            }
            if !isBlank { counts.rows += 1 }
        }
        return counts
    }
}

/// Space, tab or carriage return: what may stand between the parts of a line.
@inline(__always) func isSpace(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
}
