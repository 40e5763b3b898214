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

    /// Reads the first line; `text` has been found to hold one.
    init(
        _ text: UnsafeBufferPointer<UInt8>, name: String, options: DenseReader.Options
    ) throws(InputError) {
        let base = text.baseAddress!
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let start = unsafe text.starts(with: mark) ? mark.count : 0
        let end = unsafe base + text.count
        let firstLine = unsafe UnsafeBufferPointer(
            start: base + start, count: endOfLine(in: text, from: start) - start)
        syntax = unsafe CSVSyntax(line: firstLine)
        var cursor = unsafe CSVCursor(base: base, end: end, separator: syntax.separator, p: base + start)
        guard unsafe cursor.startRecord() else {
            throw InputError(at: name, found: "no rows", expected: "rows of fields between commas, semicolons or tabs")
        }
        let recordStart = unsafe cursor.p - base
        var fields: [String] = []
        var hasNumber = false
        do throws(CSVFault) {
            repeat {
                let field = unsafe try cursor.field()
                unsafe fields.append(field.string)
                if unsafe field.number != nil { hasNumber = true }
            } while unsafe !cursor.endRecord()
        } catch {
            throw InputError(at: "\(name):1", found: error.found, expected: error.expected)
        }
        let hasHeader = options.header == .present || options.header == .automatic && !hasNumber
        names = fields.enumerated().map { hasHeader && !$1.isEmpty ? $1 : "\($0 + 1)" }
        dataStart = unsafe hasHeader ? cursor.p - base : recordStart
        var seen: Set<String> = []
        if let twice = names.first(where: { !seen.insert($0).inserted }) {
            throw InputError(at: "\(name):1", found: "two columns \"\(twice)\"", expected: "names that differ")
        }

        let names = names
        func column(_ wanted: String, option: String) throws(InputError) -> Int {
            if let k = names.firstIndex(of: wanted) { return k }
            if let k = Int(wanted), names.indices.contains(k - 1) { return k - 1 }
            let known = names.prefix(100).joined(separator: ", ") + (names.count > 100 ? ", …" : "")
            throw InputError(
                at: option, found: "\"\(wanted)\"", expected: "one of the \(names.count) columns of \(name): \(known)")
        }
        label = try options.label.map { wanted throws(InputError) in try column(wanted, option: "--label") }
        if let like = options.like {
            var wanted: [String] = []
            for source in like.map(\.source) where wanted.last != source { wanted.append(source) }
            features = try wanted.map { wanted throws(InputError) in try column(wanted, option: name) }
        } else {
            let ignored = try options.ignored.map { wanted throws(InputError) in
                try column(wanted, option: "--ignore")
            }
            let others = [label].compactMap { $0 } + ignored
            features = names.indices.filter { !others.contains($0) }
        }
        if let label, features.contains(label) {
            throw InputError(
                at: "--label", found: "\"\(names[label])\", which was learned from", expected: "another column")
        }
        if features.isEmpty {
            throw InputError(at: name, found: "no column beside the label", expected: "columns to learn from")
        }
    }

    /// Where each column goes, as `CSVTarget` has it.
    var slots: [Int32] {
        var slots = names.map { _ in unsafe CSVTarget.ignored }
        for (place, column) in features.enumerated() { slots[column] = Int32(place) }
        if let label { unsafe slots[label] = CSVTarget.label }
        return slots
    }
}
