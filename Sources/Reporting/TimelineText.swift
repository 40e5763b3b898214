// A timeline for a terminal: one line per port. Any thread.

public import SwitchModel

extension Timeline {
    /// The lanes of all ports with an axis of time below, each line ended by a newline.
    ///
    /// `ranks` names the ranks, such as a server; lanes of ports that nobody uses and, beyond `maximumRanks`, the rest are
    /// left out, and the last line says so. By default it is as wide as the terminal.
    public func lanes(width: Int = Terminal.width ?? 110, maximumRanks: Int = 24, rank name: (Int) -> String) -> String
    {
        let all = TimelineLanes(of: self).lanes.filter { !$0.segments.isEmpty }
        guard !all.isEmpty else { return "no port is busy at any time\n" }
        let lanes = all.filter { $0.rank < maximumRanks || $0.rank == ranks - 1 }
        let names = lanes.map { name($0.rank) + ($0.isSending ? " send " : " recv ") }
        let margin = names.map(\.terminalWidth).max() ?? 0
        let columns = max(20, width - margin - 2)
        let axis = TimelineAxis(of: self, marks: max(5, columns / 10))
        func column(_ seconds: Double) -> Int {
            let share = makespan > 0 ? (seconds - firstAt) / makespan : 0
            return Int((share * Double(columns)).rounded())
        }

        var text = ""
        for (lane, name) in zip(lanes, names) {
            var cells = [Character](repeating: " ", count: columns)
            for segment in lane.segments {
                let range = column(segment.start)..<column(segment.end)
                let passage = passages[segment.passage]
                switch segment.kind {
                case .waiting: cells.fill(range, with: "·")
                case .latency: cells.fill(range, with: "░")
                case .transfer:
                    cells.fill(range, with: lane.isSending ? "█" : "▓")
                    let peer = lane.isSending ? ">\(passage.to)" : "<\(passage.from)"
                    if peer.count < range.count { cells.replaceSubrange(range.prefix(peer.count), with: peer) }
                }
            }
            text += String(repeating: " ", count: margin - name.terminalWidth) + name + "|" + String(cells) + "|\n"
        }
        text += String(repeating: " ", count: margin) + axisLine(axis, columns: columns, column: column)
        text += String(repeating: " ", count: margin) + " waiting ·  latency ░  sending █>to  receiving ▓<from\n"
        if lanes.count < all.count { text += "\(all.count - lanes.count) more ports are busy, too\n" }
        return text
    }

    /// A table of the messages in the order in which they start.
    public func table() -> String {
        var table = TextTable([
            .number("from"), .number("to"), .number("size", unit: "MB"), .number("posted", unit: "s"),
            .number("start", unit: "s"), .number("end", unit: "s"),
        ])
        for passage in passages {
            table.append(
                ["\(passage.from)", "\(passage.to)"]
                    + [passage.megabytes, passage.at, passage.start, passage.end].map { Quantity.plain($0) })
        }
        return table.rendered()
    }

    private func axisLine(_ axis: TimelineAxis, columns: Int, column: (Double) -> Int) -> String {
        var line: [Character] = []
        for mark in axis.marks {
            // A label stands right of its mark, or left of it at the end of the line.
            let place = 1 + column(mark)
            let label = axis.label(mark) + (mark == axis.marks.first ? " " + axis.unit : "")
            let isAtEnd = place + 1 + label.count > columns + 2
            let start = isAtEnd ? min(place, columns) - label.count : place
            guard start >= line.count else { continue }
            line += String(repeating: " ", count: start - line.count)
            line += (isAtEnd ? label + "^" : "^" + label) + " "
        }
        while line.last == " " { line.removeLast() }
        return String(line) + "\n"
    }
}

extension [Character] {
    fileprivate mutating func fill(_ range: Range<Int>, with character: Character) {
        for index in range { self[index] = character }
    }
}
