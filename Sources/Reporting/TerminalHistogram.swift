// A distribution of whole numbers as horizontal bars for a terminal. Any thread; a value type.

/// Bars of a distribution: one line per value where few values occur, else one per range, at most `maximumLines`.
///
/// The ranges are equal where the values lie close together (the largest below eight times the median), else they double
/// from line to line. A count that is not zero always shows at least a sliver.
public struct TerminalHistogram: Sendable {
    /// A closed range of values and how often they occurred.
    struct Bin: Equatable, Sendable {
        let range: ClosedRange<UInt64>
        var count: UInt64
    }

    let bins: [Bin]
    private let valueHeader: String
    private let countHeader: String

    /// Bins `counts`, pairs in any order, of which zero counts are ignored; `valueHeader` names the value and its unit.
    public init(
        _ counts: [(value: UInt64, count: UInt64)], valueHeader: String, countHeader: String = "count",
        maximumLines: Int = 20
    ) {
        precondition(maximumLines >= 3, "maximumLines \(maximumLines)")
        self.valueHeader = valueHeader
        self.countHeader = countHeader
        let present = counts.filter { $0.count > 0 }.sorted { $0.value < $1.value }
        guard let least = present.first?.value, let most = present.last?.value else {
            bins = []
            return
        }
        var bins = Self.ranges(
            from: least, to: most, median: Self.median(of: present), lines: UInt64(maximumLines)
        ).map { Bin(range: $0, count: 0) }
        var line = 0
        for (value, count) in present {
            while !bins[line].range.contains(value) { line += 1 }
            bins[line].count += count
        }
        self.bins = bins
    }

    /// The lines, each ended by a newline: value or range, count, share, cumulative share, bar; within `width` columns, by default 90 or
    /// what the terminal has of them.
    public func rendered(width: Int = min(90, Terminal.width ?? 90)) -> String {
        guard let largest = bins.map(\.count).max() else { return "\(valueHeader): no values\n" }
        let total = bins.reduce(0.0) { $0 + Double($1.count) }
        var columns: [TextTable.Column] = [
            .number(valueHeader), .number(countHeader), .number("share"), .number("cumulative"),
        ]
        var rows: [[String]] = []
        var sum = 0.0
        for bin in bins {
            sum += Double(bin.count)
            rows.append([
                Self.label(bin.range), Quantity.grouped(bin.count), Quantity.percent(Double(bin.count) / total),
                Quantity.percent(sum / total),
            ])
        }
        let taken = columns.indices.reduce(0) { taken, column in
            taken + 2 + (rows.map { $0[column].terminalWidth } + [columns[column].header.terminalWidth]).max()!
        }
        columns.append(.text(""))
        var table = TextTable(columns)
        for (row, bin) in zip(rows, bins) {
            table.append(row + [Self.bar(bin.count, of: largest, columns: max(8, width - taken))])
        }
        return table.rendered(width: nil)
    }

    /// A bar in eighths of a column, rounded, but never empty for a count that is not zero.
    static func bar(_ count: UInt64, of largest: UInt64, columns: Int) -> String {
        guard count > 0 else { return "" }
        let eighths = max(1, Int((Double(count) / Double(largest) * Double(columns * 8)).rounded()))
        let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
        return String(repeating: "█", count: eighths / 8) + rest
    }

    private static func label(_ range: ClosedRange<UInt64>) -> String {
        let lower = Quantity.grouped(range.lowerBound)
        return range.count == 1 ? lower : "\(lower)-\(Quantity.grouped(range.upperBound))"
    }

    private static func median(of present: [(value: UInt64, count: UInt64)]) -> UInt64 {
        let half = present.reduce(0.0) { $0 + Double($1.count) } / 2
        var sum = 0.0
        for (value, count) in present {
            sum += Double(count)
            if sum >= half { return value }
        }
        return 0
    }

    private static func ranges(
        from least: UInt64, to most: UInt64, median: UInt64, lines: UInt64
    ) -> [ClosedRange<UInt64>] {
        if most - least < lines { return (least...most).map { $0...$0 } }
        if most / 8 < median { return equalRanges(from: least, to: most, lines: lines) }
        return doublingRanges(from: least, to: most, lines: lines)
    }

    /// Ranges of a width 1, 2 or 5 times a power of ten, starting at a multiple of it.
    private static func equalRanges(from least: UInt64, to most: UInt64, lines: UInt64) -> [ClosedRange<UInt64>] {
        var power: UInt64 = 1
        while true {
            for factor: UInt64 in [1, 2, 5] {
                let (width, overflow) = power.multipliedReportingOverflow(by: factor)
                if overflow { return [least...most] }
                if most / width - least / width < lines {
                    return (least / width...most / width).map { index in
                        let start = index * width
                        return start...(start + min(width - 1, .max - start))
                    }
                }
            }
            let (next, overflow) = power.multipliedReportingOverflow(by: 10)
            if overflow { return [least...most] }
            power = next
        }
    }

    /// Zero, then ranges from one power of 2 (of 4, 8, … where doubling takes too many lines) to the next.
    private static func doublingRanges(from least: UInt64, to most: UInt64, lines: UInt64) -> [ClosedRange<UInt64>] {
        for bits in 1..<64 {
            var ranges: [ClosedRange<UInt64>] = least == 0 ? [0...0] : []
            for start in stride(from: 0, to: 64, by: bits) {
                let lower = UInt64(1) << UInt64(start)
                let upper = start + bits >= 64 ? UInt64.max : (UInt64(1) << UInt64(start + bits)) - 1
                if upper >= least, lower <= most { ranges.append(lower...upper) }
            }
            if ranges.count <= lines { return ranges }
        }
        return [least...most]
    }
}
