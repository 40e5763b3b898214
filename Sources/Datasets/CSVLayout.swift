// What the first line of a CSV file says, and which column goes where. The reading thread.

internal import Platform

/// The columns of a CSV file and what becomes of each.
struct CSVLayout {
    let syntax: CSVSyntax
    /// The columns of the file; their numbers from 1 where the first line is data.
    let names: [String]
    /// Where the data begin in the text.
    let dataStart: Int
    /// The column with the label.
    let label: Int?
    /// The columns that become features, in their order.
    let features: [Int]
    /// For each feature, its categories where they are given.
    let categories: [[String]?]
    /// The columns whose fields are names by the user's word.
    let named: Set<Int>
    /// What to do where the first line, which is read as data, holds names; nil where it does not.
    let headerHint: String?

    /// Reads the first line; `text` has been found to hold one.
    init(
        _ text: UnsafeBufferPointer<UInt8>, name: String, options: DenseReader.Options
    ) throws(InputError) {
        let base = text.baseAddress!
        let start = unsafe try ByteOrderMark.length(in: text, name: name)
        let end = unsafe base + text.count
        let firstLine = unsafe UnsafeBufferPointer(
            start: base + start, count: endOfLine(in: text, from: start) - start)
        let mark = unsafe Array(CSVField.trimmed(firstLine))
        if mark.count < 6 && mark.starts(with: "sep=".utf8) {
            throw InputError(
                at: "\(name):1", found: quoted(mark),
                expected: "names of columns, or a row: such a line tells a spreadsheet what separates")
        }
        syntax = unsafe CSVSyntax(line: firstLine, options: options)
        var cursor = unsafe CSVCursor(base: base, end: end, separator: syntax.separator, p: base + start)
        guard unsafe cursor.startRecord() else {
            throw InputError(at: name, found: "no rows", expected: "rows of fields between commas, semicolons or tabs")
        }
        let recordStart = unsafe cursor.p - base
        var fields: [String] = []
        var number: String?
        do throws(CSVFault) {
            repeat {
                let start = unsafe cursor.p - base
                let field = unsafe try cursor.field()
                if let found = unsafe field.fault {
                    throw unsafe CSVFault(
                        position: start, found: "\(quoted(Array(field.text))), \(found)", expected: "text in UTF-8")
                }
                unsafe fields.append(field.string)
                if unsafe number == nil && syntax.number(field) != nil { number = unsafe field.string }
            } while unsafe !cursor.endRecord()
        } catch {
            throw InputError(at: "\(name):1", found: error.found, expected: error.expected)
        }
        let hasHeader = options.header == .present || options.header == .automatic && number == nil
        names = fields.enumerated().map { hasHeader && !$1.isEmpty ? $1 : "\($0 + 1)" }
        dataStart = unsafe hasHeader ? cursor.p - base : recordStart
        var seen: Set<String> = []
        if let twice = names.first(where: { !seen.insert($0).inserted }) {
            throw InputError(at: "\(name):1", found: "two columns \"\(twice)\"", expected: "names that differ")
        }

        let names = names
        let headerHint = number.flatMap { number in
            options.header == .automatic && fields.contains { $0.contains(where: \.isLetter) }
                ? "; its first line is read as data, since \"\(number)\" is a number: --header yes takes it as names"
                : nil
        }
        self.headerHint = headerHint
        let known = names.prefix(100).joined(separator: ", ") + (names.count > 100 ? ", …" : "")
        func column(_ wanted: String) -> Int? {
            if let k = names.firstIndex(of: wanted) { return k }
            return Int(wanted).flatMap { names.indices.contains($0 - 1) ? $0 - 1 : nil }
        }
        func index(of wanted: String, by option: String) throws(InputError) -> Int {
            if let k = column(wanted) { return k }
            throw InputError(
                at: option, found: "\"\(wanted)\"",
                expected: "one of the \(names.count) columns of \(name): \(known)"
                    + (fields.contains(wanted) ? headerHint ?? "" : ""))
        }
        label =
            try options.label.map { wanted throws(InputError) in try index(of: wanted, by: "--label") }
            ?? options.usualLabel.flatMap { names.firstIndex(of: $0) }
        let categoryColumns = try options.categories.map { wanted throws(InputError) in
            try index(of: wanted, by: "--category")
        }
        // What features are is known where they are to be like others.
        named = Set(options.like == nil ? categoryColumns : categoryColumns.filter { [label] in $0 == label })
        if let like = options.like {
            let groups = Self.groups(like)
            features = try groups.map { group throws(InputError) in
                if let k = column(group.source) { return k }
                throw InputError(
                    at: name, found: "the columns \(known)",
                    expected: "a column \"\(group.source)\", as in the rows that were learned from"
                        + (fields.contains(group.source) ? headerHint ?? "" : ""))
            }
            categories = groups.map(\.categories)
            guard Set(features).count == features.count,
                categories.allSatisfy({ Set($0 ?? []).count == $0?.count ?? 0 })
            else {
                throw InputError(
                    at: name, found: "a column that was learned from as two", expected: "columns that differ")
            }
        } else {
            let ignored = try options.ignored.map { wanted throws(InputError) in try index(of: wanted, by: "--ignore") }
            let others = [label].compactMap { $0 } + ignored
            features = names.indices.filter { !others.contains($0) }
            categories = features.map { _ in nil }
        }
        if let label, features.contains(label) {
            throw InputError(
                at: "--label", found: "\"\(names[label])\", which was learned from", expected: "another column")
        }
        if features.isEmpty {
            throw InputError(at: name, found: "no column beside the label", expected: "columns to learn from")
        }
    }

    /// The columns of a file that `columns` were made from, with their categories, which stand together.
    private static func groups(_ columns: [DenseColumn]) -> [(source: String, categories: [String]?)] {
        var groups: [(source: String, categories: [String]?)] = []
        for column in columns {
            guard case .indicator(let source, let category) = column.kind else {
                groups.append((column.name, nil))
                continue
            }
            if groups.last?.categories != nil && groups.last?.source == source {
                groups[groups.count - 1].categories?.append(category)
            } else {
                groups.append((source, [category]))
            }
        }
        return groups
    }

    /// Where each column goes, as `CSVTarget` has it.
    var slots: [Int32] {
        var slots = names.map { _ in unsafe CSVTarget.ignored }
        for (place, column) in features.enumerated() { slots[column] = Int32(place) }
        if let label { unsafe slots[label] = CSVTarget.label }
        return slots
    }
}
