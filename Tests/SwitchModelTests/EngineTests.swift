// The engine on programs drawn at random: ports, order, and the same answer every time.

import Platform
import SwitchModel
import Testing

/// Programs as lists.
private struct ListedPrograms: RankPrograms {
    var lists: [[RankOperation]]
    var rankCount: Int { lists.count }
    func operation(of rank: Int, at step: Int) -> RankOperation? {
        step < lists[rank].count ? lists[rank][step] : nil
    }
}

/// SplitMix64.
private struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

@Suite struct EngineTests {
    /// Rounds in which random pairs exchange messages, with computing and one-sided operations between them.
    private static func programs(seed: UInt64) -> ListedPrograms {
        var random = Generator(state: seed)
        let ranks = Int.random(in: 2...9, using: &random)
        var lists = [[RankOperation]](repeating: [], count: ranks)
        for _ in 0..<60 {
            let from = Int.random(in: 0..<ranks, using: &random)
            let to = (from + Int.random(in: 1..<ranks, using: &random)) % ranks
            // Quarters keep sums exact, and make ties frequent.
            let megabytes = Double(Int.random(in: 0...8, using: &random)) / 4
            switch Int.random(in: 0..<6, using: &random) {
            case 0: lists[from].append(.compute(seconds: megabytes))
            case 1: lists[from].append(.pull(from: to, megabytes: megabytes))
            case 2: lists[from].append(.push(to: to, megabytes: megabytes))
            case 3: lists[from].append(.awaitSendPort)
            default:
                lists[from].append(.send(to: to, megabytes: megabytes))
                lists[to].append(.receive(from: from))
            }
        }
        return ListedPrograms(lists: lists)
    }

    private static func cost(seed: UInt64, _ ports: PortSemantics) throws -> NetworkCost {
        try NetworkCost(latencySeconds: Double(seed % 4) / 2, secondsPerMegabyte: Double(seed % 3), ports: ports)
    }

    @Test(arguments: PortSemantics.allCases)
    func `no two messages share a port, and none starts before it is posted`(ports: PortSemantics) throws {
        for seed in 0..<150 as Range<UInt64> {
            let cost = try Self.cost(seed: seed, ports)
            let timeline = Timeline(running: Self.programs(seed: seed), cost: cost)
            for passage in timeline.passages {
                #expect(passage.start >= passage.at)
                #expect(passage.end == passage.start + cost.messageSeconds(megabytes: passage.megabytes))
            }
            for rank in 0..<timeline.ranks {
                for uses in [
                    timeline.passages.filter { $0.from == rank }.map { passage in
                        ports == .occupied
                            ? (passage.start, passage.end)
                            : (passage.start, passage.start + cost.transferSeconds(megabytes: passage.megabytes))
                    },
                    timeline.passages.filter { $0.to == rank }.map { passage in
                        ports == .occupied
                            ? (passage.start, passage.end) : (passage.start + cost.latencySeconds, passage.end)
                    },
                ] {
                    for (one, next) in zip(uses, uses.dropFirst()) { #expect(one.1 <= next.0) }
                }
            }
        }
    }

    @Test(arguments: PortSemantics.allCases)
    func `ports never stand idle while a message could start`(ports: PortSemantics) throws {
        for seed in 0..<50 as Range<UInt64> {
            let cost = try Self.cost(seed: seed, ports)
            let timeline = Timeline(running: Self.programs(seed: seed), cost: cost)
            for (index, passage) in timeline.passages.enumerated() where passage.start > passage.at {
                let isHeld = timeline.passages[..<index].contains {
                    ($0.from == passage.from || $0.to == passage.to)
                        && $0.start + cost.holdSeconds(megabytes: $0.megabytes) == passage.start
                }
                #expect(isHeld)
            }
        }
    }

    @Test(arguments: PortSemantics.allCases)
    func `two runs give the same timeline, kept or not`(ports: PortSemantics) throws {
        for seed in 0..<20 as Range<UInt64> {
            let cost = try Self.cost(seed: seed, ports)
            let first = Timeline(running: Self.programs(seed: seed), cost: cost)
            #expect(first == Timeline(running: Self.programs(seed: seed), cost: cost))
            #expect(first == Timeline(recorded: first.passages, ranks: first.ranks, cost: cost))
            let brief = Timeline(running: Self.programs(seed: seed), cost: cost, keepingPassages: false)
            #expect(brief.passages.isEmpty)
            #expect(brief.messageCount == first.messageCount && brief.makespan == first.makespan)
        }
    }

    @Test(arguments: Pattern.allCases, PortSemantics.allCases)
    func `a pattern's messages, sent again from a list, take the same time`(
        pattern: Pattern, ports: PortSemantics
    ) throws {
        let cost = try NetworkCost(latencySeconds: 0.5, secondsPerMegabyte: 2, ports: ports)
        for workers in [1, 2, 3, 8, 11] {
            let timeline = PatternPrograms(pattern, workers: workers, megabytes: 3, computeSeconds: 1).timeline(
                over: cost)
            let postings = timeline.passages.map {
                Posting(at: $0.at, from: $0.from, to: $0.to, megabytes: $0.megabytes)
            }
            #expect(Timeline(of: postings, ranks: timeline.ranks, cost: cost) == timeline)
        }
    }

    @Test func `ranks at the same time act in the order of their numbers`() throws {
        let cost = try NetworkCost(latencySeconds: 1, secondsPerMegabyte: 0)
        let programs = ListedPrograms(lists: [
            [.compute(seconds: 2), .send(to: 3, megabytes: 0)],
            [.send(to: 3, megabytes: 0), .send(to: 3, megabytes: 0)],
            [.compute(seconds: 2), .send(to: 3, megabytes: 0)], [],
        ])
        let timeline = Timeline(running: programs, cost: cost)
        #expect(timeline.passages.map(\.from) == [1, 1, 0, 2])
        #expect(timeline.passages.map(\.start) == [0, 1, 2, 3])
    }

    @Test func `messages of a pair are received in the order in which they were sent`() throws {
        let cost = try NetworkCost(latencySeconds: 0, secondsPerMegabyte: 1)
        // Rank 1 sends on after each receive, so that its posts show when it had what.
        let programs = ListedPrograms(lists: [
            (1...100).map { .send(to: 1, megabytes: Double($0 % 3)) },
            (1...100).flatMap { _ in [.receive(from: 0), .send(to: 2, megabytes: 0)] }, [],
        ])
        let timeline = Timeline(running: programs, cost: cost)
        let arrivals = timeline.passages.filter { $0.to == 1 }.map(\.end)
        #expect(timeline.passages.filter { $0.to == 2 }.map(\.at) == arrivals)
        #expect(arrivals.count == 100 && arrivals.last == 100)
    }
}
