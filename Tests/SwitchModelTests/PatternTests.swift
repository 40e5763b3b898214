// The sends that the book prints for four workers, and sizes of partitions.

import Platform
import SwitchModel
import Testing

@Suite struct PatternTests {
    /// A send in the book's notation: `M1 > M2`, machines from 1; the server is M5.
    private func sends(of pattern: Pattern, megabytes: Double, message: Double) throws -> [Double: Set<String>] {
        let cost = try NetworkCost(latencySeconds: 1, secondsPerMegabyte: 3)
        let timeline = PatternPrograms(pattern, workers: 4, megabytes: 4).timeline(over: cost)
        var sends: [Double: Set<String>] = [:]
        for passage in timeline.passages {
            #expect(passage.megabytes == megabytes)
            #expect(passage.end - passage.start == message)
            sends[passage.at / message, default: []].insert("M\(passage.from + 1) > M\(passage.to + 1)")
        }
        #expect(sends.values.map(\.count).reduce(0, +) == timeline.passages.count)
        return sends
    }

    private static let ring: Set = ["M1 > M2", "M2 > M3", "M3 > M4", "M4 > M1"]

    @Test func `the ring sends what example 1.3.3 prints`() throws {
        let expected = Dictionary(uniqueKeysWithValues: (0...5).map { (Double($0), Self.ring) })
        #expect(try sends(of: .ringAllReduce, megabytes: 1, message: 4) == expected)
    }

    @Test func `the unpartitioned ring sends what the book prints`() throws {
        let expected: [Double: Set<String>] = [
            0: ["M1 > M2"], 1: ["M2 > M3"], 2: ["M3 > M4"], 3: ["M4 > M1"], 4: ["M1 > M2"], 5: ["M2 > M3"],
        ]
        #expect(try sends(of: .ringUnpartitioned, megabytes: 4, message: 13) == expected)
    }

    @Test func `the servers send what example 1.3.4 prints`() throws {
        let expected: [Double: Set<String>] = [
            0: ["M2 > M1", "M1 > M2", "M4 > M3", "M3 > M4"],
            1: ["M3 > M1", "M4 > M2", "M1 > M3", "M2 > M4"],
            2: ["M4 > M1", "M3 > M2", "M2 > M3", "M1 > M4"],
            3: Self.ring,
            4: ["M1 > M3", "M2 > M4", "M3 > M1", "M4 > M2"],
            5: ["M1 > M4", "M2 > M1", "M3 > M2", "M4 > M3"],
        ]
        #expect(try sends(of: .multiServer, megabytes: 1, message: 4) == expected)
    }

    @Test func `the single server gathers from time 0 and sends all sums when it has the last vector`() throws {
        let sent = try sends(of: .parameterServer, megabytes: 4, message: 13)
        #expect(
            sent == [
                0: ["M1 > M5", "M2 > M5", "M3 > M5", "M4 > M5"], 4: ["M5 > M1", "M5 > M2", "M5 > M3", "M5 > M4"],
            ])
    }

    @Test(arguments: [Pattern.ringAllReduce, .multiServer], [2, 3, 5, 8])
    func `every rank sends once and receives once in each step`(pattern: Pattern, workers: Int) throws {
        let cost = try NetworkCost(latencySeconds: 1, secondsPerMegabyte: Double(workers))
        let timeline = PatternPrograms(pattern, workers: workers, megabytes: 1).timeline(over: cost)
        for step in 0..<2 * (workers - 1) {
            let now = timeline.passages[step * workers..<(step + 1) * workers]
            #expect(now.allSatisfy { $0.start == Double(2 * step) && $0.at == $0.start })
            #expect(Set(now.map(\.from)).count == workers)
            #expect(Set(now.map(\.to)).count == workers)
        }
    }

    /// Sums are checked where vectors travel whole: each message brings what its sender had when it was posted.
    @Test(
        arguments: [Pattern.parameterServer, .ringUnpartitioned, .treeAllReduce, .recursiveDoubling],
        [1, 2, 3, 4, 7, 13])
    func `every worker gets every other worker's vector`(pattern: Pattern, workers: Int) throws {
        let cost = try NetworkCost(latencySeconds: 1, secondsPerMegabyte: 1)
        let timeline = PatternPrograms(pattern, workers: workers, megabytes: 1).timeline(over: cost)
        var known = (0..<timeline.ranks).map { Set([$0]) }
        var arriving = timeline.passages.map { (passage: $0, content: Set<Int>()) }
        let times = Set(timeline.passages.flatMap { [$0.at, $0.end] }).sorted()
        for time in times {
            for entry in arriving where entry.passage.end == time { known[entry.passage.to].formUnion(entry.content) }
            for index in arriving.indices where arriving[index].passage.at == time {
                arriving[index].content = known[arriving[index].passage.from]
            }
        }
        for worker in 0..<workers { #expect(known[worker].isSuperset(of: 0..<workers)) }
    }

    @Test func `a vector is cut into the element ranges M r / N`() {
        let partition = VectorPartition(elements: 10, count: 4)
        #expect((0..<4).map { partition.megabytes(of: $0) } == [8e-6, 12e-6, 8e-6, 12e-6])
        #expect(partition.megabytes(of: 1..<3) == 20e-6)
        #expect(partition.megabytes == 40e-6)
        #expect(VectorPartition(elements: 2, count: 5).megabytes(of: 0) == 0)
        #expect(VectorPartition(megabytes: 3, count: 4).megabytes(of: 1..<3) == 1.5)
    }

    @Test func `unequal partitions travel at their own size`() throws {
        let cost = try NetworkCost(latencySeconds: 0, secondsPerMegabyte: 1e6)
        let programs = PatternPrograms(.ringAllReduce, workers: 3, partition: VectorPartition(elements: 7, count: 3))
        // Rank n begins with partition n: 2, 2 and 3 elements.
        #expect(programs.timeline(over: cost).passages.prefix(3).map { ($0.megabytes * 1e6).rounded() } == [8, 8, 12])
    }

    @Test func `compute times may differ by rank and update`() throws {
        let cost = try NetworkCost(latencySeconds: 0, secondsPerMegabyte: 0)
        let programs = PatternPrograms(
            .asgd, workers: 2, partition: VectorPartition(megabytes: 1, count: 1), updates: 4,
            computeSeconds: { rank, update in rank == 0 ? 1 : 10 + Double(update) })
        let pushes = programs.timeline(over: cost).passages.filter { $0.to == 2 }
        #expect(pushes.map(\.from) == [0, 0, 1, 1])
        #expect(pushes.map(\.at) == [1, 2, 10, 21])
    }
}
