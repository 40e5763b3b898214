// CSV text into a dense data set. The reading thread drives the workers over the text, which stays in memory: what a column is
// shows only at its end.

internal import Glibc
internal import Platform

/// Reads CSV text with all workers of a team; the result does not depend on their number.
///
/// A column is numeric where each of its fields is a number or missing, and refused where nearly all are (`FieldTally`). Any other is
/// one of categories, and becomes an indicator for each, in the order of their UTF-8 bytes; a missing category is missing in all
/// of them.
struct CSVReader {
    let name: String
    let options: DenseReader.Options
    let team: WorkerTeam
    let chunkBytes: Int

    func read(_ text: UnsafeBufferPointer<UInt8>) throws(InputError) -> DenseDataset {
        guard !text.isEmpty else {
            throw InputError(at: name, found: "no text", expected: "rows of fields between commas, semicolons or tabs")
        }
        let layout = unsafe try CSVLayout(text, name: name, options: options)
        var chunks = unsafe CSVChunk.cut(text, from: layout.dataStart, chunkBytes: chunkBytes, team: team)
        var room = 0
        for k in chunks.indices {
            chunks[k].rows = room..<room + chunks[k].lines
            room += chunks[k].lines
        }
        if room > Int(UInt32.max) {
            throw InputError(at: name, found: "more than \(UInt32.max) rows", expected: "at most as many")
        }
        let width = layout.features.count
        var values = try PageBuffer<Double>(count: room * width, hugePages: true)
        var labels = try PageBuffer<Double>(count: room)
        let slots = layout.slots
        let target = unsafe CSVTarget(slots: slots, width: width, values: values.pointer, labels: labels.pointer)

        unsafe try parse(text, &chunks, layout, target)
        let textColumns = layout.names.indices.map { column in chunks.contains { $0.textColumns[column] } }
        let hasText = slots.indices.contains { unsafe textColumns[$0] && slots[$0] != CSVTarget.ignored }
        if hasText { unsafe try categorise(text, &chunks, layout, target, textColumns) }
        if hasText { unsafe try refuseOddFields(of: chunks, in: text, layout) }
        let rowCount = unsafe Self.closeGaps(&chunks, target)
        if rowCount == 0 {
            throw InputError(at: name, found: "no rows", expected: "rows below the names of the columns")
        }
        try values.resize(to: rowCount * width)
        try labels.resize(to: rowCount)

        let categories = try categories(of: chunks, layout, textColumns)
        var classNames: [String]?
        if let label = layout.label, let texts = categories[label] {
            classNames = texts
            let labels = unsafe labels.pointer
            for chunk in chunks {
                let numbers = Self.numbers(of: chunk.tables[label], in: texts)
                for row in chunk.rows { unsafe labels[row] = numbers[Int(labels[row])] }
            }
        }
        if layout.features.contains(where: { categories[$0] != nil }) {
            values = unsafe try expand(values.pointer, &chunks, layout, categories)
        }
        let columns = layout.features.flatMap { column in
            let name = layout.names[column]
            return categories[column].map { $0.map { DenseColumn(column: name, category: $0) } }
                ?? [DenseColumn(name: name)]
        }
        return DenseDataset(
            name: name, columns: columns, labelName: layout.label.map { layout.names[$0] }, classNames: classNames,
            values: .doubles(ValuePages(values)),
            labels: try LabelPages(labels, remainders: classNames == nil ? chunks.flatMap(\.remainders) : []))
    }

    /// The categories of a feature where they are given, by the number of the column.
    private func givenCategories(_ layout: CSVLayout) -> [Int: [String]] {
        var given: [Int: [String]] = [:]
        for (column, categories) in zip(layout.features, layout.categories) { given[column] = categories }
        return given
    }

    // MARK: The passes over the text

    private func parse(
        _ text: UnsafeBufferPointer<UInt8>, _ chunks: inout [CSVChunk], _ layout: CSVLayout, _ target: CSVTarget
    ) throws(InputError) {
        var textColumns = [Bool](repeating: false, count: layout.names.count)
        for column in layout.named.union(givenCategories(layout).keys) { textColumns[column] = true }
        let (given, numbersOnly, syntax) = (textColumns, options.like != nil, layout.syntax)
        // The slots are only read, and each chunk writes to rows of its own.
        nonisolated(unsafe) let target = unsafe target
        unsafe try share(&chunks, text) { base, _, chunk throws(CSVFault) in
            chunk.textColumns = given
            let parser = unsafe CSVParser(
                base: base, begin: base + chunk.text.lowerBound, end: base + chunk.text.upperBound,
                syntax: syntax)
            let first = chunk.rows.lowerBound
            let count = unsafe try parser.parse(
                into: target, firstRow: first, textColumns: &chunk.textColumns, remainders: &chunk.remainders,
                numbersOnly: numbersOnly)
            chunk.rows = first..<first + count
        }
    }

    private func categorise(
        _ text: UnsafeBufferPointer<UInt8>, _ chunks: inout [CSVChunk], _ layout: CSVLayout, _ target: CSVTarget,
        _ textColumns: [Bool]
    ) throws(InputError) {
        let syntax = layout.syntax
        // As in `parse`.
        nonisolated(unsafe) let target = unsafe target
        unsafe try share(&chunks, text) { base, _, chunk throws(CSVFault) in
            chunk.tables = textColumns.map { _ in CategoryTable() }
            chunk.tallies = textColumns.map { _ in FieldTally() }
            let parser = unsafe CSVParser(
                base: base, begin: base + chunk.text.lowerBound, end: base + chunk.text.upperBound,
                syntax: syntax)
            unsafe try parser.categorise(
                into: target, firstRow: chunk.rows.lowerBound, textColumns: textColumns, tables: &chunk.tables,
                tallies: &chunk.tallies)
        }
    }

    /// Runs a pass over all chunks; throws the earliest fault, with its line.
    private func share(
        _ chunks: inout [CSVChunk], _ text: UnsafeBufferPointer<UInt8>,
        _ body: @Sendable (UnsafePointer<UInt8>, Int, inout CSVChunk) throws(CSVFault) -> Void
    ) throws(InputError) {
        let earliest = Locked<CSVFault?>(nil)
        // Only read, and not changed before the team's run ends.
        nonisolated(unsafe) let base = text.baseAddress!
        team.share(&chunks) { k, chunk in
            do throws(CSVFault) {
                unsafe try body(base, k, &chunk)
            } catch {
                earliest.withLock { if $0 == nil || error.position < $0!.position { $0 = error } }
            }
        }
        if let fault = earliest.withLock({ $0 }) { throw unsafe error(fault, in: text) }
    }

    /// A fault, with its line.
    private func error(_ fault: CSVFault, in text: UnsafeBufferPointer<UInt8>) -> InputError {
        var line = 1
        for k in 0..<fault.position where unsafe text[k] == UInt8(ascii: "\n") { line += 1 }
        return InputError(at: "\(name):\(line)", found: fault.found, expected: fault.expected)
    }

    /// Throws where a column of numbers became one of categories by a field that is no number, the earliest of such fields.
    private func refuseOddFields(
        of chunks: [CSVChunk], in text: UnsafeBufferPointer<UInt8>, _ layout: CSVLayout
    ) throws(InputError) {
        // Categories that are given may be anything, and so may labels that are to be compared with a model's.
        let given = Set(givenCategories(layout).keys).union(layout.named)
        let judged = layout.features + (options.like == nil ? [layout.label].compactMap { $0 } : [])
        let faults = judged.filter { !given.contains($0) }.compactMap { column in
            chunks.reduce(into: FieldTally()) { $0 += $1.tallies[column] }.fault(column: layout.names[column])
        }
        guard let fault = faults.min(by: { $0.position < $1.position }) else { return }
        let first = unsafe error(fault, in: text)
        let isInFirstLine = unsafe fault.position < endOfLine(in: text, from: layout.dataStart)
        throw InputError(
            at: first.place, found: first.found,
            expected: first.expected + (isInFirstLine ? layout.headerHint ?? "" : ""))
    }

    // MARK: What follows

    /// Moves the rows of each chunk behind those before them; returns how many there are.
    private static func closeGaps(_ chunks: inout [CSVChunk], _ target: CSVTarget) -> Int {
        var next = 0
        for k in chunks.indices {
            let rows = chunks[k].rows
            if rows.lowerBound != next {
                let (width, count) = unsafe (target.width, rows.count)
                unsafe (target.values + next * width).update(
                    from: target.values + rows.lowerBound * width, count: count * width)
                unsafe (target.labels + next).update(from: target.labels + rows.lowerBound, count: count)
            }
            chunks[k].move(to: next)
            next += rows.count
        }
        return next
    }

    /// The categories of each text column, by the number of the column.
    private func categories(
        of chunks: [CSVChunk], _ layout: CSVLayout, _ textColumns: [Bool]
    ) throws(InputError) -> [Int: [String]] {
        var categories = givenCategories(layout)
        for column in layout.features + [layout.label].compactMap({ $0 })
        where textColumns[column] && categories[column] == nil {
            let texts = chunks.reduce(into: Set<String>()) { $0.formUnion($1.tables[column].strings) }
            if texts.count > CategoryTable.limit {
                throw InputError(
                    at: name, found: CategoryTable.tooMany(in: layout.names[column]), expected: CategoryTable.expected)
            }
            categories[column] = texts.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        }
        return categories
    }

    /// For each number of a chunk's table the place of its text in `texts`; -1 for a text that is not there.
    private static func numbers(of table: CategoryTable, in texts: [String]) -> [Double] {
        let places = Dictionary(uniqueKeysWithValues: texts.enumerated().map { ($1, Double($0)) })
        return table.strings.map { places[$0] ?? -1 }
    }

    /// The matrix with indicators in place of the numbers of categories.
    private func expand(
        _ compact: UnsafePointer<Double>, _ chunks: inout [CSVChunk], _ layout: CSVLayout, _ categories: [Int: [String]]
    ) throws(InputError) -> PageBuffer<Double> {
        let features = layout.features
        let counts = features.map { categories[$0]?.count }
        let width = counts.reduce(0) { $0 + ($1 ?? 1) }
        let rowCount = chunks.last?.rows.upperBound ?? 0
        let expanded = try PageBuffer<Double>(count: rowCount * width, hugePages: true)
        // Each chunk writes to rows of its own; the source is only read.
        nonisolated(unsafe) let source = unsafe compact
        nonisolated(unsafe) let target = unsafe expanded.pointer
        team.share(&chunks) { _, chunk in
            let numbers = features.map { column in
                categories[column].map { Self.numbers(of: chunk.tables[column], in: $0) } ?? []
            }
            for row in chunk.rows {
                var place = unsafe target + row * width
                for k in features.indices {
                    let value = unsafe source[row * features.count + k]
                    guard let count = counts[k] else {
                        unsafe place[0] = value
                        unsafe place += 1
                        continue
                    }
                    if value.isNaN {
                        unsafe place.update(repeating: .nan, count: count)
                    } else {
                        let number = numbers[k][Int(value)]
                        if number >= 0 { unsafe place[Int(number)] = 1 }
                    }
                    unsafe place += count
                }
            }
        }
        return expanded
    }
}
