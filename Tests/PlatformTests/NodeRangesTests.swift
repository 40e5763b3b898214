import Platform
import Testing

@Suite struct NodeRangesTests {
    /// 64 chunks of each of the workers of a placement, dealt out in turn: who is next to whom is often on another node.
    private func chunks(of placement: Placement, rows: Int) -> [(range: Range<Int>, node: Int)] {
        let count = 64 * placement.workers.count
        return (0..<count).map { chunk in
            (
                rows * chunk / count..<rows * (chunk + 1) / count,
                placement.workers[chunk % placement.workers.count].memoryNode!
            )
        }
    }

    @Test(arguments: [1, 8, 256, 1_000]) func `rows of any number of workers are bound by a bounded number of calls`(
        workers: Int
    ) throws {
        let topology = try DescribedMachine.twoSockets().topology()
        for policy in [PlacementPolicy.scatter, .compact, .physicalFirst] {
            let wanted = chunks(of: try Placement(policy, workers: workers, on: topology), rows: 10_000_000)
            let ranges = NodeRanges(wanted.reversed())
            #expect(ranges.pieces.count <= 1_024)
            #expect(ranges.pieces.first?.range.lowerBound == 0 && ranges.pieces.last?.range.upperBound == 10_000_000)
            for (piece, next) in zip(ranges.pieces, ranges.pieces.dropFirst()) {
                #expect(piece.range.upperBound == next.range.lowerBound)
            }
            // No node is asked for rows that nobody on it visits, and where the pieces suffice each row is where it was wanted.
            #expect(Set(ranges.pieces.flatMap(\.nodes)) == Set(wanted.map(\.node)))
            if workers == 8 { #expect(ranges.pieces.allSatisfy { $0.nodes.count == 1 }) }
        }
    }

    @Test func `a model is interleaved by one call, however many pages it has`() {
        let ranges = NodeRanges(0..<Int.max / 8, over: [3, 0, 7])
        #expect(ranges.pieces == [.init(range: 0..<Int.max / 8, nodes: [0, 3, 7])])
        #expect(NodeRanges(0..<0, over: [0]).pieces.isEmpty && NodeRanges(0..<9, over: []).pieces.isEmpty)
    }

    @Test func `neighbours on one node are one piece, and gaps stay`() {
        let ranges = NodeRanges([(10..<20, 1), (0..<10, 1), (20..<20, 5), (20..<30, 0), (40..<50, 0)])
        #expect(
            ranges.pieces == [
                .init(range: 0..<20, nodes: [1]), .init(range: 20..<30, nodes: [0]), .init(range: 40..<50, nodes: [0]),
            ])
        #expect(
            ranges.mapped { 2 * max(0, $0 - 25) }.pieces == [
                .init(range: 0..<10, nodes: [0]), .init(range: 30..<50, nodes: [0]),
            ])
    }

    @Test(.enabled(if: NUMA.isAvailable, "no NUMA here")) func `the kernel takes what is asked of it`() throws {
        let buffer = try PageBuffer<UInt8>(count: 1 << 20)
        buffer.bind(NodeRanges(0..<buffer.count, over: [0, 0]))
        for page in stride(from: 0, to: buffer.count, by: 4_096) { unsafe buffer.pointer[page] = 1 }
        #expect(buffer.nodes(ofPagesIn: 0..<buffer.count) == [0])
    }
}
