// What `relaxed bench collectives` sweeps: how a rank performs it, and what it must leave. The workers' threads run it.

import Collectives
import Kernels
import Messaging
import SwitchModel

/// AllReduce by an algorithm, or another pattern of communication.
enum SweptCollective: Hashable {
    case allReduce(AllReduceAlgorithm)
    case reduceScatter, allGather, broadcast, ringExchange

    static let allCases =
        AllReduceAlgorithm.allCases.map(Self.allReduce) + [
            .reduceScatter, .allGather, .broadcast, .ringExchange,
        ]

    /// `a, b or c`.
    static var names: String {
        let names = allCases.map(\.name)
        return names.dropLast().joined(separator: ", ") + " or " + names[names.count - 1]
    }

    /// What the switch model prices; nil for `direct`, which sends no messages.
    var pattern: Pattern? {
        switch self {
        case .allReduce(let algorithm): algorithm.pattern
        case .reduceScatter: .reduceScatter
        case .allGather: .allGather
        case .broadcast: .broadcast
        case .ringExchange: .ringExchange
        }
    }

    var name: String { pattern?.rawValue ?? AllReduceAlgorithm.direct.rawValue }

    func ranks(workers: Int) -> Int { pattern?.ranks(workers: workers) ?? workers }

    /// How many vectors a worker's memory moves at the least: what busbw counts (nccl-tests, PERFORMANCE.md).
    func busFactor(workers: Int) -> Double {
        let others = Double(workers - 1) / Double(workers)
        return switch self {
        case .allReduce: 2 * others
        case .reduceScatter, .allGather: others
        case .broadcast: workers == 1 ? 0 : 1
        case .ringExchange: workers == 1 ? 0 : 2
        }
    }

    /// `neighbour`, as long as `vector`, is where the ring exchange puts what it gets.
    func perform(_ communicator: Communicator, _ vector: FloatVector, neighbour: FloatVector) throws {
        switch self {
        case .allReduce(let algorithm): try unsafe communicator.allReduce(vector, by: algorithm)
        case .reduceScatter: try unsafe communicator.reduceScatter(vector)
        case .allGather: try unsafe communicator.allGather(vector)
        case .broadcast: try unsafe communicator.broadcast(vector)
        case .ringExchange:
            try unsafe communicator.ringExchange(UnsafeBufferPointer(vector)) { _, found in
                guard let target = neighbour.baseAddress, found.count > 0 else { return }
                unsafe copy(into: target, from: found.baseAddress!, count: found.count)
            }
        }
    }

    /// What `rank` multiplies its elements by in a check: whole numbers from 1, all different up to a thousand workers; with more they
    /// begin again where the sums of them all, times 31, would pass the 2^24 up to which float32 holds whole numbers.
    static func checkFactor(rank: Int, workers: Int) -> Int {
        1 + rank % max(1, (1 << 25) / (31 * workers) - 1)
    }

    /// Performs it on whole numbers that differ by rank and element, and counts the elements that are wrong afterwards.
    func countWrong(_ communicator: Communicator, _ vector: FloatVector, workers: Int) throws -> Int {
        let rank = communicator.rank
        func factor(_ rank: Int) -> Int { Self.checkFactor(rank: rank, workers: workers) }
        let own = factor(rank)
        for i in 0..<vector.count { unsafe vector[i] = Float(own * (1 + i % 31)) }
        try communicator.barrier()
        /// Elements of the range that are not `factor` times the first rank's.
        func wrong(_ found: UnsafeBufferPointer<Float>, _ range: Range<Int>, factor: Int) -> Int {
            range.count { i in unsafe found[i] != Float(factor * (1 + i % 31)) }
        }
        func chunk(_ c: Int) -> Range<Int> { vector.count * c / workers..<vector.count * (c + 1) / workers }
        let found = UnsafeBufferPointer(vector)
        if self == .ringExchange {
            var count = 0
            try unsafe communicator.ringExchange(found) { side, neighbour in
                let peer = (rank + (side == .left ? workers - 1 : 1)) % workers
                count += unsafe wrong(neighbour, neighbour.indices, factor: factor(peer))
            }
            return count
        }
        try unsafe perform(communicator, vector, neighbour: vector)
        let sum = (0..<workers).reduce(0) { $0 + factor($1) }
        return switch self {
        case .reduceScatter: unsafe wrong(found, chunk((rank + 1) % workers), factor: sum)
        case .allGather:
            // Chunk c is that of rank c - 1.
            (0..<workers).reduce(0) {
                unsafe $0 + wrong(found, chunk($1), factor: factor(($1 + workers - 1) % workers))
            }
        case .broadcast: unsafe wrong(found, found.indices, factor: factor(0))
        default: unsafe wrong(found, found.indices, factor: sum)
        }
    }
}

extension SweptCollective: Encodable {
    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(name)
    }
}
