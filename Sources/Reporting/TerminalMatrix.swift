// Who delayed whom as a table with shades for a terminal. Any thread; a value type.

/// A matrix of counts: a row for each worker, a column for each other, and in each cell how many updates by the column's worker
/// came between the read and an update of the row's, on the mean.
///
/// Workers who do not fit are put together in blocks of as many.
public struct TerminalMatrix: Sendable {
    private let counts: [[UInt64]]
    /// Updates by row.
    private let updates: [UInt64]

    public init(_ counts: [[UInt64]], updates: [UInt64]) {
        precondition(counts.count == updates.count, "\(counts.count) rows for \(updates.count) workers")
        self.counts = counts
        self.updates = updates
    }

    /// The lines, each ended by a newline, within `width` columns, by default 90 or what the terminal has of them.
    public func rendered(width: Int = min(90, Terminal.width ?? 90), maximumRows: Int = 16) -> String {
        let count = counts.count
        guard count > 0 else { return "" }
        // A cell takes up to seven columns and two between.
        let fitting = max(1, min(maximumRows, (width - 12) / 9))
        let block = (count + fitting - 1) / fitting
        let groups = stride(from: 0, to: count, by: block).map { $0..<min($0 + block, count) }
        let means = groups.map { row in
            groups.map { column -> Double in
                let updates = row.reduce(0.0) { $0 + Double(self.updates[$1]) }
                let sum = row.reduce(0.0) { sum, i in column.reduce(sum) { $0 + Double(counts[i][$1]) } }
                return updates > 0 ? sum / updates : 0
            }
        }
        let most = means.flatMap { $0 }.max() ?? 0
        func name(_ group: Range<Int>) -> String {
            group.count == 1 ? "\(group.lowerBound)" : "\(group.lowerBound)-\(group.upperBound - 1)"
        }
        var table = TextTable([.text("tau of, by")] + groups.map { .number(name($0)) })
        for (row, group) in groups.enumerated() {
            table.append(
                [name(group)] + means[row].map { "\(Quantity.number($0, digits: 3)) \(Self.shade($0, of: most))" })
        }
        return table.rendered(width: nil)
    }

    private static func shade(_ value: Double, of most: Double) -> String {
        guard value > 0, most > 0 else { return " " }
        return ["░", "▒", "▓", "█"][min(3, Int(4 * value / most))]
    }
}
