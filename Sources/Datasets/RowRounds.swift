// The growing arrays of a data set that is being read. The reading thread owns them and grows them between the passes; during
// a pass the workers write to separate ranges.

internal import Glibc
internal import Platform

/// Turns rounds of text into compressed sparse rows.
struct RowRounds: ~Copyable {
    private let name: String
    private let team: WorkerTeam
    private let chunkBytes: Int
    private var rowOffsets: PageBuffer<Int>
    private var indices: PageBuffer<UInt32>
    private var values: PageBuffer<Float>
    private var labels: PageBuffer<Double>
    private var remainders: [LabelRemainder] = []
    private var featureCount = 0
    private var lines = 0
    private var textBytes = 0

    init(name: String, team: WorkerTeam, chunkBytes: Int) throws(InputError) {
        let rowOffsets = try PageBuffer<Int>(count: 1)
        let indices = try PageBuffer<UInt32>(count: 0)
        let values = try PageBuffer<Float>(count: 0)
        let labels = try PageBuffer<Double>(count: 0)
        self.name = name
        self.team = team
        self.chunkBytes = chunkBytes
        self.rowOffsets = rowOffsets
        self.indices = indices
        self.values = values
        self.labels = labels
    }

    /// Adds the rows of a round; meanwhile one worker prepares the round after it.
    mutating func append(_ text: UnsafeBufferPointer<UInt8>, from source: any TextSource) throws(InputError) {
        let mark = unsafe textBytes > 0 ? 0 : try ByteOrderMark.length(in: text, name: name)
        let text = unsafe UnsafeBufferPointer(rebasing: text[mark...])
        textBytes += mark
        var chunks = [Chunk](repeating: Chunk(), count: (text.count + chunkBytes - 1) / chunkBytes)
        unsafe count(text, &chunks)
        try makeRoom(&chunks)
        let target = unsafe RowTarget(
            rowOffsets: rowOffsets.pointer, indices: indices.pointer, values: values.pointer, labels: labels.pointer)
        if let (k, fault) = unsafe parse(text, &chunks, target, meanwhile: source) {
            let line = chunks[..<k].reduce(lines + fault.line + 1) { $0 + $1.counts.newlines }
            throw InputError(at: "\(name):\(line)", found: fault.found, expected: fault.expected)
        }
        remainders += chunks.flatMap(\.remainders)
        featureCount = chunks.reduce(featureCount) { max($0, Int($1.greatestIndex)) }
        lines += chunks.reduce(0) { $0 + $1.counts.newlines }
        textBytes += text.count
    }

    /// The data set, and how many bytes of text it was.
    consuming func finish() throws(InputError) -> (dataset: SparseDataset, textBytes: Int) {
        if labels.count == 0 {
            let found = textBytes == 0 ? "no text" : "no rows"
            throw InputError(at: name, found: found, expected: "rows LABEL INDEX:VALUE …")
        }
        let labels = try LabelPages(labels, remainders: remainders)
        let dataset = SparseDataset(
            name: name, featureCount: featureCount,
            nonzeros: NonzeroPages(rowOffsets: rowOffsets, indices: indices, values: values), labels: labels)
        return (dataset, textBytes)
    }

    // MARK: The passes

    /// Pass 1: where each chunk begins and ends, and what it holds.
    private func count(_ text: UnsafeBufferPointer<UInt8>, _ chunks: inout [Chunk]) {
        let chunkBytes = chunkBytes
        // Only read, and not changed before the team's run ends.
        nonisolated(unsafe) let text = unsafe text
        team.share(&chunks) { k, chunk in
            let range = unsafe Self.lines(of: text, from: k * chunkBytes, to: (k + 1) * chunkBytes)
            chunk.text = range
            unsafe chunk.counts = RowCounts.of(
                text.baseAddress! + range.lowerBound, text.baseAddress! + range.upperBound)
        }
    }

    /// Grows the arrays by what the chunks hold and says where each writes.
    private mutating func makeRoom(_ chunks: inout [Chunk]) throws(InputError) {
        var rows = labels.count
        var nonzeros = indices.count
        for k in chunks.indices {
            chunks[k].rows = rows..<rows + chunks[k].counts.rows
            chunks[k].nonzeros = nonzeros..<nonzeros + chunks[k].counts.colons
            rows = chunks[k].rows.upperBound
            nonzeros = chunks[k].nonzeros.upperBound
        }
        if rows > Int(UInt32.max) {
            throw InputError(at: name, found: "more than \(UInt32.max) rows", expected: "at most as many")
        }
        try rowOffsets.resize(to: rows + 1)
        try labels.resize(to: rows)
        try indices.resize(to: nonzeros)
        try values.resize(to: nonzeros)
    }

    /// Pass 2; the fault of the earliest bad line, with the chunk it is in.
    private func parse(
        _ text: UnsafeBufferPointer<UInt8>, _ chunks: inout [Chunk], _ target: RowTarget,
        meanwhile source: any TextSource
    ) -> (chunk: Int, fault: RowFault)? {
        let earliest = Locked<(chunk: Int, fault: RowFault)?>(nil)
        // The text is only read, and each chunk writes to rows and nonzeros of its own.
        nonisolated(unsafe) let text = unsafe text
        nonisolated(unsafe) let target = unsafe target
        team.share(&chunks, meanwhile: source) { k, chunk in
            let parser = unsafe RowParser(
                begin: text.baseAddress! + chunk.text.lowerBound, end: text.baseAddress! + chunk.text.upperBound)
            do throws(RowFault) {
                unsafe chunk.greatestIndex = try parser.parse(
                    into: target, rows: chunk.rows, nonzeros: chunk.nonzeros, remainders: &chunk.remainders)
            } catch {
                earliest.withLock { if $0 == nil || k < $0!.chunk { $0 = (k, error) } }
            }
        }
        return earliest.withLock { $0 }
    }

    /// The lines that begin in `from ..< to`: what a chunk between these bytes is responsible for.
    private static func lines(of text: UnsafeBufferPointer<UInt8>, from: Int, to: Int) -> Range<Int> {
        let start = unsafe from == 0 ? 0 : endOfLine(in: text, from: from - 1)
        return unsafe start..<endOfLine(in: text, from: to - 1)
    }
}

/// Consecutive lines of a round, and where their rows go.
private struct Chunk {
    var text = 0..<0
    var counts = RowCounts()
    var rows = 0..<0
    var nonzeros = 0..<0
    var greatestIndex: UInt32 = 0
    var remainders: [LabelRemainder] = []
}
