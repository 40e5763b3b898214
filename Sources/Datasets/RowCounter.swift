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

    /// Counts newlines and colons alone; nil where a comment or a line that may be blank makes that wrong.
    private static func countPlain(_ begin: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> RowCounts? {
        typealias Lanes = SIMD32<UInt8>
        let newline = Lanes(repeating: UInt8(ascii: "\n"))
        let colon = Lanes(repeating: UInt8(ascii: ":"))
        let hash = Lanes(repeating: UInt8(ascii: "#"))
        let space = Lanes(repeating: UInt8(ascii: " "))
        let one = Lanes(repeating: 1)
        if unsafe begin[0] <= UInt8(ascii: " ") || begin[0] == UInt8(ascii: "#") { return nil }
        var counts = RowCounts()
        var p = unsafe begin
        while unsafe end - p >= 32 {
            // Lanes count to 255 at most.
            let steps = unsafe min(255, (end - p) / 32)
            var newlines = Lanes.zero
            var colons = Lanes.zero
            var odd = Lanes.zero
            for _ in 0..<steps {
                let text = unsafe UnsafeRawPointer(p).loadUnaligned(as: Lanes.self)
                let following = unsafe UnsafeRawPointer(p + 1).loadUnaligned(as: Lanes.self)
                let ends = text .== newline
                newlines.replace(with: newlines &+ one, where: ends)
                colons.replace(with: colons &+ one, where: text .== colon)
                odd.replace(
                    with: one, where: (ends .& ((following .<= space) .| (following .== hash))) .| (text .== hash))
                unsafe p += 32
            }
            if odd != .zero { return nil }
            counts.newlines += sum(newlines)
            counts.colons += sum(colons)
        }
        while unsafe p < end {
            let byte = unsafe p[0]
            if byte == UInt8(ascii: "#") { return nil }
            if byte == UInt8(ascii: "\n") {
                counts.newlines += 1
                if unsafe p + 1 < end && (p[1] <= UInt8(ascii: " ") || p[1] == UInt8(ascii: "#")) { return nil }
            }
            if byte == UInt8(ascii: ":") { counts.colons += 1 }
            unsafe p += 1
        }
        counts.rows = unsafe counts.newlines + (end[-1] == UInt8(ascii: "\n") ? 0 : 1)
        return counts
    }

    private static func sum(_ lanes: SIMD32<UInt8>) -> Int {
        Int(SIMD32<UInt16>(truncatingIfNeeded: lanes).wrappedSum())
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
