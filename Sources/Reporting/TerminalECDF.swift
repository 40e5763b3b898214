// The empirical distribution function of whole numbers as a curve for a terminal. Any thread; a value type.

internal import Glibc

/// The share of values that are at most as large, over the values: a curve of half-blocks.
///
/// The axis is linear where the largest value is below eight times the median, else logarithmic from 1 on, with 0 in its first column.
public struct TerminalECDF: Sendable {
    private let counts: [(value: UInt64, count: UInt64)]
    private let valueHeader: String

    /// `counts` are pairs in any order, of which zero counts are ignored.
    public init(_ counts: [(value: UInt64, count: UInt64)], valueHeader: String) {
        self.counts = counts.filter { $0.count > 0 }.sorted { $0.value < $1.value }
        self.valueHeader = valueHeader
    }

    /// The lines, each ended by a newline, within `width` columns, by default 90 or what the terminal has of them.
    public func rendered(width: Int = min(90, Terminal.width ?? 90), height: Int = 8) -> String {
        guard let most = counts.last?.value else { return "" }
        let columns = max(8, width - 8)
        let shares = (0..<columns).map { share(upTo: value(at: $0, of: columns, most)) }
        var lines = ["share of updates with at most so many \(valueHeader)"]
        for row in (0..<height).reversed() {
            // At the upper edges of their lines.
            let label = row == height - 1 ? "100%" : 2 * (row + 1) == height ? "50%" : ""
            let bars = shares.map { share in
                // In eighths of a line; what is not zero shows.
                let eighths = Int((share * Double(8 * height)).rounded()) - 8 * row
                return eighths >= 8 ? "█" : eighths <= 0 ? " " : ["▁", "▂", "▃", "▄", "▅", "▆", "▇"][eighths - 1]
            }
            lines.append((String(repeating: " ", count: 5 - label.count) + label + " " + bars.joined()).trimmedAtEnd)
        }
        lines.append("      " + axis(columns, most))
        return lines.joined(separator: "\n") + "\n"
    }

    private var isLinear: Bool {
        let half = counts.reduce(0.0) { $0 + Double($1.count) } / 2
        var sum = 0.0
        for (value, count) in counts {
            sum += Double(count)
            if sum >= half { return counts[counts.count - 1].value / 8 < max(1, value) }
        }
        return true
    }

    /// The largest value that belongs to a column.
    private func value(at column: Int, of columns: Int, _ most: UInt64) -> UInt64 {
        if column == columns - 1 { return most }
        let place = Double(column) / Double(columns - 1)
        if isLinear { return UInt64(place * Double(most)) }
        return column == 0 ? 0 : UInt64(pow(Double(most), place))
    }

    private func share(upTo value: UInt64) -> Double {
        let all = counts.reduce(0.0) { $0 + Double($1.count) }
        return counts.reduce(0.0) { $1.value <= value ? $0 + Double($1.count) : $0 } / all
    }

    /// The values at the ends, and those that fit between.
    private func axis(_ columns: Int, _ most: UInt64) -> String {
        var line = [Character](repeating: " ", count: columns)
        func put(_ text: String, endingAt end: Int) {
            let start = max(0, end - text.count + 1)
            guard end < columns, line[max(0, start - 2)...end].allSatisfy({ $0 == " " }) else { return }
            for (offset, character) in text.enumerated() { line[start + offset] = character }
        }
        put(Quantity.grouped(most), endingAt: columns - 1)
        put("0", endingAt: 0)
        for quarter in 1..<4 {
            let column = columns * quarter / 4
            put(Quantity.grouped(value(at: column, of: columns, most)), endingAt: column)
        }
        return String(line).trimmedAtEnd
    }
}

extension String {
    /// Without spaces at the end.
    fileprivate var trimmedAtEnd: String {
        var text = self
        while text.last == " " { text.removeLast() }
        return text
    }
}
