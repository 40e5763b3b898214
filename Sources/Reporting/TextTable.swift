// A table as text: numbers right, text left, a rule under the header. Any thread; a value type.

internal import Platform

/// Columns with headers (units stand in the header) and rows of cells already formatted by `Quantity`.
///
/// The output is plain text: it holds no control characters, whatever the cells do. On a terminal it is folded to its width.
public struct TextTable: Sendable {
    /// Which side of its column a cell stands on.
    public enum Alignment: Sendable {
        case left, right
    }

    /// A header and the side on which its cells stand.
    public struct Column: Sendable {
        public let header: String
        public let alignment: Alignment
        /// What its cells are expected to take, where the width is fixed before they are known.
        public let width: Int

        /// A column of text.
        public static func text(_ header: String, width: Int = 0) -> Column {
            Column(header: header, alignment: .left, width: width)
        }
        /// A column of numbers; `unit` follows the header in the same cell, as in `time (ms)`.
        public static func number(_ header: String, unit: String? = nil, width: Int = 0) -> Column {
            Column(header: unit.map { "\(header) (\($0))" } ?? header, alignment: .right, width: width)
        }
    }

    public let columns: [Column]
    private var rows: [[String]] = []

    public init(_ columns: [Column]) {
        self.columns = columns
    }

    /// Appends a row of one cell per column; an empty cell stays blank.
    public mutating func append(_ cells: [String]) {
        precondition(cells.count == columns.count, "\(cells.count) cells for \(columns.count) columns")
        rows.append(cells.map(\.printable))
    }

    /// The lines of the table, each ended by a newline, without trailing spaces.
    ///
    /// Where they are wider than `width`, by default the terminal's, the columns follow in bands below each other, each of which begins
    /// with the first column again. Without a terminal nothing is folded.
    public func rendered(width: Int? = Terminal.width) -> String {
        let headers = columns.map(\.header)
        let widths = columns.indices.map { column in
            ([headers] + rows).map { $0[column].terminalWidth }.max() ?? 0
        }
        let rule = columns.indices.map { String(repeating: "-", count: headers[$0].isEmpty ? 0 : widths[$0]) }
        return Self.bands(of: widths, within: width ?? .max).map { band in
            ([headers, rule] + rows).map { line($0, of: band, widths: widths) }.joined()
        }.joined(separator: "\n")
    }

    /// Which columns stand beside each other: all where they fit, else as many as do after the first.
    static func bands(of widths: [Int], within width: Int) -> [[Int]] {
        var bands: [[Int]] = [[]]
        var taken = 0
        for column in widths.indices {
            let isFirstOfBand = bands[bands.count - 1].count < 2
            if !isFirstOfBand, taken + 2 + widths[column] > width {
                bands.append([0])
                taken = widths[0]
            }
            taken += bands[bands.count - 1].isEmpty ? widths[column] : 2 + widths[column]
            bands[bands.count - 1].append(column)
        }
        return bands
    }

    private func line(_ cells: [String], of band: [Int], widths: [Int]) -> String {
        var text = ""
        for (place, column) in band.enumerated() {
            let cell = cells[column]
            let padding = String(repeating: " ", count: widths[column] - cell.terminalWidth)
            if place > 0 { text += "  " }
            text += columns[column].alignment == .left ? cell + padding : padding + cell
        }
        while text.last == " " { text.removeLast() }
        return text + "\n"
    }
}
