// The tree of the shortest ways from rank 0 on a graph. Plain values; any thread.

internal import Graphs
internal import SwitchModel

/// Links of a graph that connect all workers and make no circle.
struct SpanningTree: Sendable {
    /// By rank, in the order in which messages leave and arrive: both ends of a link turn to each other at the same time where they can.
    let neighbours: [[Int]]

    /// Nil where rank 0 does not reach all.
    init?(of graph: any Graph) {
        var found = [[Int]](repeating: [], count: graph.workers)
        var isReached = [Bool](repeating: false, count: graph.workers)
        isReached[0] = true
        var queue = [0]
        var next = 0
        while next < queue.count {
            let rank = queue[next]
            next += 1
            for other in graph.targets(of: rank, round: 0) where !isReached[other] {
                isReached[other] = true
                found[rank].append(other)
                found[other].append(rank)
                queue.append(other)
            }
        }
        guard queue.count == graph.workers else { return nil }
        neighbours = Connections.byColour(found.map { $0.sorted() })
    }

    /// The longest way: that from the end of one of the longest ways from anywhere.
    var diameter: Int { farthest(from: farthest(from: 0).rank).distance }

    private func farthest(from start: Int) -> (rank: Int, distance: Int) {
        var distances = [Int?](repeating: nil, count: neighbours.count)
        distances[start] = 0
        var queue = [start]
        var next = 0
        while next < queue.count {
            let rank = queue[next]
            next += 1
            for other in neighbours[rank] where distances[other] == nil {
                distances[other] = distances[rank]! + 1
                queue.append(other)
            }
        }
        // Those who are farthest come last.
        return (queue[queue.count - 1], distances[queue[queue.count - 1]]!)
    }

    /// A round in which all send `elements` floats to each neighbour.
    func shape(_ name: String, elements: Int) -> ExchangeShape {
        var shape = ExchangeShape(name: name, bytes: 4 * elements)
        shape.pairs = 2 * (neighbours.count - 1)
        let neighbours = neighbours
        shape.programs = { _, _ in
            [NeighbourPrograms(targets: neighbours, sources: neighbours, megabytes: Double(4 * elements) / 1e6)]
        }
        return shape
    }
}
