// A table whose rows are shown as they come, before it is known what later ones hold. Any thread; a value type.

internal import Platform

/// The lines of a table in columns whose widths are fixed beforehand: that of the header, or the column's `width` where it is larger.
///
/// A cell that is wider pushes the rest of its line to the right, as far as the columns after it have no room to spare.
public struct RunningTable: Sendable {
    public let columns: [TextTable.Column]
    private let widths: [Int]

    public init(_ columns: [TextTable.Column]) {
        self.columns = columns
        widths = columns.map { max($0.header.terminalWidth, $0.width) }
    }

    /// The headers and the rule under them, two lines, each ended by a newline.
    public var header: String {
        line(columns.map(\.header)) + line(widths.map { String(repeating: "-", count: $0) })
    }

    /// A row of one cell per column, ended by a newline, without trailing spaces.
    public func line(_ cells: [String]) -> String {
        precondition(cells.count == columns.count, "\(cells.count) cells for \(columns.count) columns")
        var text = ""
        // How far the line is beyond where it should be.
        var excess = 0
        for (column, cell) in cells.map(\.printable).enumerated() {
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
