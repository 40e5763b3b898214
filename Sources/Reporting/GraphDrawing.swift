// Communication graphs as text and as vector drawings. Any thread.

internal import Glibc
internal import Platform

/// N ranks and the edges between them, round by round.
public struct GraphDrawing: Sendable {
    /// An edge of one round, with its weight.
    public struct Edge: Sendable {
        public let from: Int
        public let to: Int
        public let weight: Double

        public init(from: Int, to: Int, weight: Double) {
            self.from = from
            self.to = to
            self.weight = weight
        }
    }

    private let ranks: Int
    /// What each keeps of its own, by round and rank.
    private let own: [[Double]]
    private let rounds: [[Edge]]

    /// Ranks beyond which a drawing as text would say nothing.
    public static let mostAsText = 40

    /// `own` by round and rank, `rounds` of edges.
    public init(ranks: Int, own: [[Double]], rounds: [[Edge]]) {
        self.ranks = ranks
        self.own = own
        self.rounds = rounds
    }

    /// The matrix of each round, a line a receiver, darker where more is taken; empty for too many ranks. Rounds stand side by side as far as
    /// `width` goes.
    public func text(width: Int?) -> String {
        guard ranks <= Self.mostAsText else { return "" }
        let shades: [(Double, Character)] = [(0.75, "█"), (0.5, "▓"), (0.25, "▒"), (0, "░")]
        func shade(_ weight: Double) -> Character { shades.first { weight > $0.0 }?.1 ?? "·" }
        let digits = "\(max(0, ranks - 1))".count
        let blocks = rounds.indices.map { round -> [String] in
            var cells = [[Double]](repeating: [Double](repeating: 0, count: ranks), count: ranks)
            for edge in rounds[round] { cells[edge.to][edge.from] += edge.weight }
            for rank in 0..<ranks { cells[rank][rank] += own[round][rank] }
            let title = rounds.count == 1 ? "takes of (rank)" : "round \(round)"
            let lines = cells.enumerated().map { rank, row in
                let name = "\(rank)"
                return String(repeating: " ", count: digits - name.count) + name + " " + String(row.map(shade))
            }
            let widest = max(title.count, digits + 1 + ranks)
            return ([title] + lines).map { $0 + String(repeating: " ", count: widest - $0.count) }
        }
        let each = (blocks.first?.first?.count ?? 0) + 3
        let beside = max(1, min(blocks.count, ((width ?? 100) + 3) / max(1, each)))
        var text = ""
        for start in stride(from: 0, to: blocks.count, by: beside) {
            let band = blocks[start..<min(blocks.count, start + beside)]
            for line in 0...ranks {
                var row = band.map { $0[line] }.joined(separator: "   ")
                while row.last == " " { row.removeLast() }
                text += row + "\n"
            }
            if start + beside < blocks.count { text += "\n" }
        }
        return text
    }

    /// A standalone SVG document: the ranks on a circle, the edges of each round beside each other, thicker where they weigh more, those that
    /// go one way with an arrow.
    public func svg(title: String) -> String {
        let (size, radius, top) = (320.0, 125.0, 50.0)
        let columns = min(4, max(1, rounds.count))
        let rows = (rounds.count + columns - 1) / max(1, columns)
        var svg = """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(size) * columns) \(Int(top + size) * rows + 10)" \
            font-family="sans-serif" font-size="12">
            <title>\(escaped(title))</title>
            <defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">\
            <path d="M0 1 L8 4 L0 7 z" fill="#4a90d9"/></marker></defs>
            <style>.edge { stroke: #4a90d9; fill: none } .rank { fill: #fff; stroke: #333 }</style>
            <rect width="100%" height="100%" fill="#fff"/>
            <text x="10" y="20" font-size="14">\(escaped(title))</text>

            """
        let dot = ranks > 40 ? 4.0 : 12.0
        func place(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }
        for (round, edges) in rounds.enumerated() {
            let (x0, y0) = (
                size * (Double(round % columns) + 0.5), (top + size) * Double(round / columns) + top + size / 2
            )
            func at(_ rank: Int) -> (x: Double, y: Double) {
                let (sine, cosine) = Self.direction(rank, of: ranks)
                return (x0 + radius * sine, y0 - radius * cosine)
            }
            if rounds.count > 1 {
                svg +=
                    "<text x=\"\(place(x0))\" y=\"\(place(y0 - size / 2 + 4))\" text-anchor=\"middle\">round \(round)</text>\n"
            }
            let pairs = Set(edges.map { $0.from * ranks + $0.to })
            for edge in edges {
                let isBothWays = pairs.contains(edge.to * ranks + edge.from)
                if isBothWays && edge.from > edge.to { continue }
                let (a, b) = (at(edge.from), at(edge.to))
                let length = ((b.x - a.x) * (b.x - a.x) + (b.y - a.y) * (b.y - a.y)).squareRoot()
                let cut = isBothWays || length == 0 ? 0 : dot / length
                svg += """
                    <line class="edge" x1="\(place(a.x))" y1="\(place(a.y))" x2="\(place(b.x - cut * (b.x - a.x)))" \
                    y2="\(place(b.y - cut * (b.y - a.y)))" stroke-width="\(place(0.5 + 3 * edge.weight))"\
                    \(isBothWays ? "" : " marker-end=\"url(#arrow)\"")><title>\(edge.from) \(isBothWays ? "–" : "→") \
                    \(edge.to): \(Quantity.plain(edge.weight))</title></line>

                    """
            }
            for rank in 0..<ranks {
                let p = at(rank)
                svg += "<circle class=\"rank\" cx=\"\(place(p.x))\" cy=\"\(place(p.y))\" r=\"\(place(dot))\"/>"
                if dot > 4 {
                    svg += "<text x=\"\(place(p.x))\" y=\"\(place(p.y + 4))\" text-anchor=\"middle\">\(rank)</text>"
                }
                svg += "\n"
            }
        }
        return svg + "</svg>\n"
    }

    private static func direction(_ rank: Int, of ranks: Int) -> (Double, Double) {
        let angle = 2 * Double.pi * Double(rank) / Double(max(1, ranks))
        return (sin(angle), cos(angle))
    }

    private func escaped(_ text: String) -> String {
        text.printable.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }
}
