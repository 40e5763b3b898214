import Kernels
import Messaging
import Platform
import SwitchModel
import Testing

@Suite struct ReservationBookTests {
    @Test(arguments: PortSemantics.allCases, [UInt64(1), 2, 3])
    func `messages posted late take their ports as if they had been posted in time`(
        ports: PortSemantics, seed: UInt64
    ) throws {
        let cost = try NetworkCost(latencySeconds: 0.25, secondsPerMegabyte: 1, ports: ports)
        let ranks = 6
        var stream = RandomStream(seed: seed)
        func draw(_ bound: Int) -> Int { Int(stream.next(upperBound: UInt64(bound))) }
        // By sender, in the order of their times; ties between senders and within one are frequent.
        var waiting = (0..<ranks).map { from in
            (0..<40).map { _ in
                Posting(
                    at: Double(draw(60)) / 4, from: from, to: (from + 1 + draw(ranks - 1)) % ranks,
                    megabytes: Double(1 + draw(4)) / 8)
            }.sorted { $0.at < $1.at }
        }
        let expected = Timeline(of: waiting.flatMap { $0 }, ranks: ranks, cost: cost).passages
        var book = ReservationBook(ranks: ranks, cost: cost)
        var posted: [Posting] = []
        while posted.count < expected.count {
            let sender = draw(ranks)
            if waiting[sender].isEmpty { continue }
            let next = waiting[sender].removeFirst()
            let first = book.reserve(at: next.at, from: next.from, to: next.to, bytes: Int(next.megabytes * 1e6))
            #expect(first >= next.at + cost.messageSeconds(megabytes: next.megabytes))
            posted.append(next)
        }
        for passage in expected.sorted(by: { ($0.at, $0.start) < ($1.at, $1.start) }) {
            #expect(book.settle(from: passage.from, to: passage.to, at: -1) == passage.end)
            #expect(book.settle(from: passage.from, to: passage.to, at: passage.end) == passage.end)
        }
    }

    @Test func `what has been let in stays, and delays only what comes after it`() throws {
        let cost = try NetworkCost(latencySeconds: 1, secondsPerMegabyte: 0)
        var book = ReservationBook(ranks: 4, cost: cost)
        #expect(book.reserve(at: 2, from: 1, to: 0, bytes: 4) == 3)
        #expect(book.reserve(at: 2.5, from: 2, to: 0, bytes: 4) == 4)
        // Rank 3 was held up: its message of time 0 arrives at 1, and delays nobody.
        #expect(book.reserve(at: 0, from: 3, to: 0, bytes: 4) == 1)
        #expect(book.settle(from: 1, to: 0, at: 3) == 3)
        // That of time 1.5 ends at 2.5, so that those behind it shift, but for the one let in.
        #expect(book.reserve(at: 1.5, from: 3, to: 0, bytes: 4) == 2.5)
        #expect(book.settle(from: 2, to: 0, at: 4) == 4.5)
        #expect(book.sendPortFree(of: 2) == 4.5 && book.sendPortFree(of: 0) == -.infinity)
    }

    @Test func `a message that nobody reads keeps no others from their times`() throws {
        let cost = try NetworkCost(latencySeconds: 1, secondsPerMegabyte: 0)
        var book = ReservationBook(ranks: 4, cost: cost)
        _ = book.reserve(at: 0, from: 0, to: 1, bytes: 4)
        for i in 0..<1_000 {
            let end = Double(i + 1)
            #expect(book.reserve(at: 0.5 * Double(i), from: 2, to: 3, bytes: 4) == end)
            #expect(book.settle(from: 2, to: 3, at: end) == end)
        }
        #expect(book.settle(from: 0, to: 1, at: 1) == 1)
    }
}
