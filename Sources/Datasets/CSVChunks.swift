// Cutting CSV text into chunks of whole records, though newlines may stand in quotes. The reading thread drives the workers.

internal import Glibc
internal import Platform

/// Consecutive records of the text, and where their rows go.
struct CSVChunk {
    var text = 0..<0
    /// Quotes in the chunk's share of bytes, before it is moved to whole records.
    var quotes = 0
    /// Lines that end in the chunk: at least its rows, and exactly those where no line is blank and no newline quoted.
    var lines = 0
    var rows = 0..<0
    var textColumns: [Bool] = []
    var tables: [CategoryTable] = []
    var tallies: [FieldTally] = []
    /// What Doubles do not hold of labels.
    var remainders: [LabelRemainder] = []

    /// Moves the rows to where they are in the end.
    mutating func move(to first: Int) {
        for k in remainders.indices { remainders[k].row += first - rows.lowerBound }
        rows = first..<first + rows.count
    }

    /// Chunks of about `chunkBytes` of the text from `start` on.
    ///
    /// A newline ends a record where the quotes before it are even in number: doubled ones count two.
    static func cut(
        _ text: UnsafeBufferPointer<UInt8>, from start: Int, chunkBytes: Int, team: WorkerTeam
    ) -> [CSVChunk] {
        let count = (text.count - start + chunkBytes - 1) / chunkBytes
        var chunks = (0..<count).map { k in
            let begin = start + k * chunkBytes
            return CSVChunk(text: begin..<min(begin + chunkBytes, text.count))
        }
        // Only read, and not changed before the team's runs end.
        nonisolated(unsafe) let text = unsafe text
        team.share(&chunks) { _, chunk in
            chunk.quotes = unsafe occurrences(of: UInt8(ascii: "\""), in: text, chunk.text)
        }
        var isQuoted = false
        var begin = start
        for k in chunks.indices {
            isQuoted = isQuoted != !chunks[k].quotes.isMultiple(of: 2)
            let end = max(begin, unsafe endOfRecord(text, from: chunks[k].text.upperBound, isQuoted: isQuoted))
            chunks[k].text = begin..<end
            begin = end
        }
        team.share(&chunks) { _, chunk in
            if chunk.text.isEmpty { return }
            chunk.lines = unsafe occurrences(of: UInt8(ascii: "\n"), in: text, chunk.text)
            if unsafe text[chunk.text.upperBound - 1] != UInt8(ascii: "\n") { chunk.lines += 1 }
        }
        return chunks
    }

    /// One past the first newline outside quotes at or after a position, or the end of the text.
    private static func endOfRecord(
        _ text: UnsafeBufferPointer<UInt8>, from position: Int, isQuoted: Bool
    ) -> Int {
        var isQuoted = isQuoted
        for k in position..<text.count {
            let byte = unsafe text[k]
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if byte == UInt8(ascii: "\n") && !isQuoted { return k + 1 }
        }
        return text.count
    }

    private static func occurrences(
        of byte: UInt8, in text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>
    ) -> Int {
        guard let base = text.baseAddress else { return 0 }
        let end = unsafe base + range.upperBound
        var count = 0
        var p = unsafe base + range.lowerBound
        while let found = unsafe memchr(p, Int32(byte), end - p) {
            count += 1
            unsafe p = UnsafePointer(found.assumingMemoryBound(to: UInt8.self)) + 1
        }
        return count
    }
}
