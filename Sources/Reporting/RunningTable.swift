// A table whose rows are shown as they come, before it is known what later ones hold. Any thread; a value type.

internal import Platform

/// The lines of a table in columns whose widths are fixed beforehand: that of the header, or the column's `width` where it is larger.
///
/// A cell that is wider pushes the rest of its line to the right, as far as the columns after it have no room to spare. Columns that the
/// terminal has no room for are kept for the end.
public struct RunningTable: Sendable {
    public let columns: [TextTable.Column]
    private let widths: [Int]
    /// Of the terminal; nil without one, where all columns are shown.
    private let width: Int?
    /// How many columns are shown as rows come.
    private let shown: Int
    /// All of whose columns are not shown.
    private var rows: [[String]] = []

    public init(_ columns: [TextTable.Column], width: Int? = Terminal.width) {
        self.columns = columns
        self.width = width
        let widths = columns.map { max($0.header.terminalWidth, $0.width) }
        self.widths = widths
        shown = width.map { TextTable.bands(of: widths, within: $0)[0].count } ?? columns.count
    }

    /// The headers and the rule under them, two lines, each ended by a newline.
    public var header: String {
        text(columns.map(\.header)) + text(widths.map { String(repeating: "-", count: $0) })
    }

    /// A row of one cell per column, ended by a newline, without trailing spaces.
    public mutating func line(_ cells: [String]) -> String {
        precondition(cells.count == columns.count, "\(cells.count) cells for \(columns.count) columns")
        if shown < columns.count { rows.append(cells) }
        return text(cells)
    }

    /// After the last row the columns that the terminal had no room for, in bands that begin with the first column again, as a
    /// `TextTable` has them; empty where there are none.
    public var rest: String {
        if rows.isEmpty { return "" }
        var table = TextTable([columns[0]] + columns[shown...])
        for row in rows { table.append([row[0]] + row[shown...]) }
        return "\n" + table.rendered(width: width)
    }

    private func text(_ cells: [String]) -> String {
        var text = ""
        // How far the line is beyond where it should be.
        var excess = 0
        for (column, cell) in cells.prefix(shown).map(\.printable).enumerated() {
            if column > 0 { text += "  " }
            let room = widths[column] - cell.terminalWidth - excess
            excess = max(0, -room)
            let padding = String(repeating: " ", count: max(0, room))
            text += columns[column].alignment == .left ? cell + padding : padding + cell
        }
        while text.last == " " { text.removeLast() }
        return text + "\n"
    }
}
