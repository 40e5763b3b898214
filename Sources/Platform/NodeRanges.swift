// Which memory nodes hold which elements of arrays, in few pieces: each is a call of the kernel and up to two mappings, of which a process
// may have 65,530. Pure arithmetic; any thread.

/// Ranges of elements with the memory nodes on which they are to lie.
public struct NodeRanges: Sendable, Equatable {
    /// Consecutive elements, on one node or, page by page in turn, on several.
    public struct Piece: Sendable, Equatable {
        public let range: Range<Int>
        /// Ascending.
        public let nodes: [Int]

        public init(range: Range<Int>, nodes: [Int]) {
            self.range = range
            self.nodes = nodes
        }
    }

    /// Ascending and disjoint.
    public let pieces: [Piece]

    /// All of `range` page by page over `nodes`: one piece, however long it is.
    public init(_ range: Range<Int>, over nodes: [Int]) {
        pieces = range.isEmpty || nodes.isEmpty ? [] : [Piece(range: range, nodes: Set(nodes).sorted())]
    }

    /// Each range on its node: neighbours on one node are one piece, and where that leaves more than `mostPieces`, runs of neighbours become
    /// pieces that are shared page by page by the nodes wanted there. `wanted` is disjoint, in any order.
    public init(_ wanted: [(range: Range<Int>, node: Int)], mostPieces: Int = 1_024) {
        precondition(mostPieces > 0, "at most \(mostPieces) pieces")
        var merged: [Piece] = []
        for (range, node) in wanted.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) where !range.isEmpty {
            if let last = merged.last, last.range.upperBound == range.lowerBound, last.nodes == [node] {
                merged[merged.count - 1] = Piece(range: last.range.lowerBound..<range.upperBound, nodes: [node])
            } else {
                merged.append(Piece(range: range, nodes: [node]))
            }
        }
        let run = (merged.count + mostPieces - 1) / mostPieces
        pieces =
            run <= 1
            ? merged
            : stride(from: 0, to: merged.count, by: run).map { first in
                let together = merged[first..<min(merged.count, first + run)]
                return Piece(
                    range: merged[first].range.lowerBound..<merged[together.endIndex - 1].range.upperBound,
                    nodes: Set(together.flatMap(\.nodes)).sorted())
            }
    }

    private init(pieces: [Piece]) { self.pieces = pieces }

    /// The same pieces of another array, in which `position` tells where an element's part begins; it does not decrease.
    public func mapped(_ position: (Int) -> Int) -> NodeRanges {
        NodeRanges(
            pieces: pieces.compactMap { piece in
                let range = position(piece.range.lowerBound)..<position(piece.range.upperBound)
                return range.isEmpty ? nil : Piece(range: range, nodes: piece.nodes)
            })
    }
}
