// A timeline as a vector drawing in the manner of the book's figures. Any thread.

public import SwitchModel

extension Timeline {
    /// A standalone SVG document: a send and a receive lane per rank, an axis of seconds, a legend; hovering over a block
    /// names its message. `ranks` are named by `name`, the drawing by `title`.
    public func svg(title: String, rank name: (Int) -> String) -> String {
        let lanes = TimelineLanes(of: self).lanes.filter { !$0.segments.isEmpty }
        let (left, right, top, height, drawing) = (120.0, 30.0, 70.0, 20.0, 1000.0)
        let bottom = top + Double(lanes.count) * height
        let axis = TimelineAxis(of: self, marks: 12)
        func x(_ seconds: Double) -> Double { left + (makespan > 0 ? (seconds - firstAt) / makespan * drawing : 0) }
        func place(_ value: Double) -> String { Self.hundredths(value) }
        // A name stands in every block of its rank.
        var names: [Int: String] = [:]
        func escapedName(_ rank: Int) -> String {
            if let known = names[rank] { return known }
            let made = Self.escaped(name(rank))
            names[rank] = made
            return made
        }
        var size = (megabytes: -1.0, text: "")

        var svg = """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(place(left + drawing + right)) \(place(bottom + 50))" \
            font-family="sans-serif" font-size="11">
            <title>\(Self.escaped(title))</title>
            <style>
            .waiting { fill: #cfe2f9 } .latency { fill: #f6d155 } .send { fill: #4a90d9 } .receive { fill: #ee8f3d }
            .lane { stroke: #ddd } .mark { stroke: #999 } rect { stroke: #fff; stroke-width: 0.5 }
            </style>
            <rect width="100%" height="100%" fill="#fff"/>
            <text x="10" y="22" font-size="14">\(Self.escaped(title))</text>

            """
        var legend = left
        for (style, text) in [
            ("waiting", "waiting for a port"), ("latency", "latency"), ("send", "sending"), ("receive", "receiving"),
        ] {
            svg += "<rect class=\"\(style)\" x=\"\(place(legend))\" y=\"36\" width=\"14\" height=\"12\"/>"
            svg += "<text x=\"\(place(legend + 19))\" y=\"46\">\(text)</text>\n"
            legend += 140
        }
        for mark in axis.marks {
            svg += """
                <line class="mark" x1="\(place(x(mark)))" x2="\(place(x(mark)))" y1="\(place(top))" y2="\(place(bottom + 5))" \
                stroke-dasharray="2 3"/><text x="\(place(x(mark)))" y="\(place(bottom + 18))" text-anchor="middle">\
                \(axis.label(mark))</text>

                """
        }
        svg += "<text x=\"\(place(left + drawing / 2))\" y=\"\(place(bottom + 36))\" text-anchor=\"middle\">"
        svg += "time (\(axis.unit))</text>\n"

        for (index, lane) in lanes.enumerated() {
            let y = top + Double(index) * height
            svg += """
                <line class="lane" x1="10" x2="\(place(left + drawing))" y1="\(place(y + height))" y2="\(place(y + height))"/>\
                <text x="\(place(left - 8))" y="\(place(y + 14))" text-anchor="end">\
                \(escapedName(lane.rank)) \(lane.isSending ? "send" : "receive")</text>

                """
            let (blockTop, blockHeight) = (place(y + 2), place(height - 4))
            for segment in lane.segments {
                let passage = passages[segment.passage]
                let width = x(segment.end) - x(segment.start)
                let style = segment.kind == .transfer ? lane.isSending ? "send" : "receive" : segment.kind.rawValue
                if passage.megabytes != size.megabytes {
                    size = (passage.megabytes, Quantity.plain(passage.megabytes))
                }
                svg += """
                    <rect class="\(style)" x="\(place(x(segment.start)))" y="\(blockTop)" width="\(place(width))" \
                    height="\(blockHeight)"><title>\(segment.kind.rawValue): \(escapedName(passage.from)) to \
                    \(escapedName(passage.to)), \(size.text) MB, posted \
                    \(passage.at) s, start \(passage.start) s, end \(passage.end) s</title></rect>
                    """
                if segment.kind == .transfer, width >= 24 {
                    svg += """
                        <text x="\(place(x(segment.start) + width / 2))" y="\(place(y + 14))" text-anchor="middle" \
                        fill="#fff">\(lane.isSending ? "to \(passage.to)" : "from \(passage.from)")</text>
                        """
                }
                svg += "\n"
            }
        }
        return svg + "</svg>\n"
    }

    /// `value`, below 2^53 and not negative, to two digits after the point, without trailing zeros. A drawing has five for each message.
    static func hundredths(_ value: Double) -> String {
        let (whole, rest) = Int((value * 100).rounded()).quotientAndRemainder(dividingBy: 100)
        if rest == 0 { return String(whole) }
        return rest % 10 == 0 ? "\(whole).\(rest / 10)" : rest < 10 ? "\(whole).0\(rest)" : "\(whole).\(rest)"
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }
}
