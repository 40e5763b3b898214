import Collectives
import Kernels
import Messaging
import Platform
import SwitchModel
import Testing

/// Every collective on every kind of vector; the native ones run under ThreadSanitizer as well.
@Suite struct AllReduceConcurrencyTests {
    static let workerCounts = [1, 2, 3, 4, 5, 6, 7, 8, 13]

    private static func lengths(_ workers: Int) -> [Int] { [0, 1, workers - 1, workers, workers + 1, 1_000] }

    /// Where the sum is formed, and whether the server's vector is left out of it.
    private func expectSum(
        _ algorithm: AllReduceAlgorithm, workers: Int, length: Int, clock: FabricClock
    ) throws -> [[Float]] {
        let found = try CollectiveRun.vectors(
            ranks: algorithm.ranks(workers: workers), length: length, clock: clock
        ) { try $0.allReduce($1, by: algorithm) }.vectors
        let sum = CollectiveRun.sum(ranks: 0..<workers, length: length)
        #expect(CollectiveRun.isSum(found[0], sum, terms: workers), "\(algorithm) \(workers) x \(length)")
        #expect(found.allSatisfy { $0 == found[0] }, "\(algorithm) \(workers) x \(length): ranks differ")
        return found
    }

    @Test(arguments: AllReduceAlgorithm.allCases, workerCounts)
    func `every rank ends with the sum of all ranks, to the same bits in every run and clock`(
        algorithm: AllReduceAlgorithm, workers: Int
    ) throws {
        for length in Self.lengths(workers) {
            let native = try expectSum(algorithm, workers: workers, length: length, clock: .native)
            if algorithm == .direct { continue }
            let clock = FabricClock.virtual(CollectiveRun.cost)
            #expect(try expectSum(algorithm, workers: workers, length: length, clock: clock) == native)
        }
    }

    @Test(arguments: AllReduceAlgorithm.allCases.filter { $0 != .direct })
    func `the wall clock changes no sum`(algorithm: AllReduceAlgorithm) throws {
        for workers in [2, 5] {
            for length in [0, workers + 1, 1_000] {
                _ = try expectSum(
                    algorithm, workers: workers, length: length, clock: .wall(CollectiveRun.cost))
            }
        }
    }

    @Test(arguments: AllReduceAlgorithm.allCases) func `a long vector is summed whole`(
        algorithm: AllReduceAlgorithm
    ) throws {
        #if DEBUG
            let length = 10_007
        #else
            let length = 1_000_003
        #endif
        for workers in 2...5 { _ = try expectSum(algorithm, workers: workers, length: length, clock: .native) }
    }

    @Test(arguments: workerCounts) func `several rings give the same bits, and find a vector of another length`(
        workers: Int
    ) throws {
        for length in [0, 1, 3 * workers - 1, 10_000] {
            let whole = try CollectiveRun.vectors(ranks: workers, length: length) { try $0.ringAllReduce($1) }
            for clock in [FabricClock.native, .virtual(CollectiveRun.cost)] {
                let cut = try CollectiveRun.vectors(ranks: workers, length: length, clock: clock) {
                    try $0.ringAllReduce($1, rings: 3)
                }
                #expect(cut.vectors == whole.vectors)
            }
        }
        if workers == 1 { return }
        // Two shares of the one are as long as one share of the other, and the whole other as one of three.
        for rings in [2, 3] {
            let error = #expect(throws: FabricError.self) {
                _ = try CollectiveRun.vectors(ranks: workers, length: 2 * workers) { communicator, vector in
                    let isOther = communicator.rank == 1
                    let half = UnsafeMutableBufferPointer(rebasing: vector[..<workers])
                    try communicator.ringAllReduce(isOther ? half : vector, rings: isOther ? rings - 1 : rings)
                }
            }
            guard case .lengthMismatch = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
    }

    @Test(arguments: workerCounts) func `the two halves of the ring may be called alone`(workers: Int) throws {
        for length in Self.lengths(workers) {
            func chunk(_ rank: Int) -> Range<Int> {
                let c = (rank + 1) % workers
                return length * c / workers..<length * (c + 1) / workers
            }
            let sum = CollectiveRun.sum(ranks: 0..<workers, length: length)
            let scattered = try CollectiveRun.vectors(ranks: workers, length: length) { try $0.reduceScatter($1) }
            for (rank, vector) in scattered.vectors.enumerated() {
                #expect(
                    CollectiveRun.isSum(
                        Array(vector[chunk(rank)]), Array(sum[chunk(rank)]), terms: workers))
            }
            let gathered = try CollectiveRun.vectors(ranks: workers, length: length) { try $0.allGather($1) }
            var chunks = [Float](repeating: 0, count: length)
            for rank in 0..<workers {
                chunks.replaceSubrange(
                    chunk(rank), with: CollectiveRun.input(rank: rank, length: length)[chunk(rank)])
            }
            #expect(gathered.vectors.allSatisfy { $0 == chunks })
        }
    }

    @Test(arguments: workerCounts, [FabricClock.native, .virtual(CollectiveRun.cost)])
    func `a broadcast leaves rank 0's vector everywhere, and an exchange shows each rank its neighbours'`(
        workers: Int, clock: FabricClock
    ) throws {
        for length in Self.lengths(workers) {
            let inputs = (0..<workers).map { CollectiveRun.input(rank: $0, length: length) }
            let all = try CollectiveRun.vectors(ranks: workers, length: length, clock: clock) { try $0.broadcast($1) }
            #expect(all.vectors.allSatisfy { $0 == inputs[0] })

            let exchanged = try CollectiveRun.vectors(ranks: workers, length: length, clock: clock) {
                communicator, vector in
                var sum = Array(vector)
                try communicator.ringExchange(UnsafeBufferPointer(vector)) { side, neighbour in
                    for i in sum.indices { sum[i] = side == .left ? 2 * sum[i] + neighbour[i] : sum[i] - neighbour[i] }
                }
                for i in sum.indices { vector[i] = sum[i] }
            }
            for (rank, vector) in exchanged.vectors.enumerated() {
                let left = inputs[(rank + workers - 1) % workers]
                let right = inputs[(rank + 1) % workers]
                let expected = (0..<length).map { (i: Int) -> Float in 2 * inputs[rank][i] + left[i] - right[i] }
                #expect(vector == expected)
            }
        }
    }

    @Test(arguments: [UInt64(1), 2, 3, 4]) func `collectives follow one another in any order`(seed: UInt64) throws {
        // Whole numbers of up to 2^24 are added without rounding, so that each sum is known exactly.
        let workers = 2 + Int(seed)
        var stream = RandomStream(seed: seed)
        let algorithms = AllReduceAlgorithm.allCases.filter { $0 != .parameterServer }
        let plan = (0..<60).map { _ in
            (
                algorithm: algorithms[Int(stream.next(upperBound: UInt64(algorithms.count)))],
                length: Int(stream.next(upperBound: 400))
            )
        }
        let fabric = try Fabric(count: workers)
        let wrong = try fabric.run { communicator in
            var wrong = 0
            for (step, call) in plan.enumerated() {
                var vector = (0..<call.length).map { Float((communicator.rank + 1) * (step + $0 % 11)) }
                try vector.withUnsafeMutableBufferPointer { try communicator.allReduce($0, by: call.algorithm) }
                for i in 0..<call.length where vector[i] != Float(workers * (workers + 1) / 2 * (step + i % 11)) {
                    wrong += 1
                }
            }
            return wrong
        }
        #expect(wrong.allSatisfy { $0 == 0 })
    }

    @Test(arguments: AllReduceAlgorithm.allCases)
    func `lengths that differ between ranks are an error that names them`(algorithm: AllReduceAlgorithm) throws {
        for workers in [2, 3, 4] {
            for clock in [FabricClock.native, .wall(CollectiveRun.cost), .virtual(CollectiveRun.cost)] {
                if algorithm == .direct, clock.isModel { continue }
                let ranks = algorithm.ranks(workers: workers)
                let fabric = try Fabric(count: ranks, clock: clock)
                let error = #expect(throws: FabricError.self) {
                    _ = try fabric.run { communicator in
                        var vector = [Float](repeating: 1, count: communicator.rank == 1 ? 3_000 : 2_000)
                        try vector.withUnsafeMutableBufferPointer { try communicator.allReduce($0, by: algorithm) }
                    }
                }
                guard case .lengthMismatch(let from, let to, let found, let expected) = error else {
                    Issue.record("\(algorithm) \(workers): \(String(describing: error))")
                    continue
                }
                #expect(from != to && found != expected)
            }
        }
    }

    @Test(arguments: AllReduceAlgorithm.allCases)
    func `a rank that throws, or just ends, leaves no other hanging`(algorithm: AllReduceAlgorithm) throws {
        struct Broken: Error {}
        for clock in [FabricClock.native, .wall(CollectiveRun.cost), .virtual(CollectiveRun.cost)] {
            for throwing in [true, false] {
                let ranks = algorithm.ranks(workers: 4)
                let fabric = try Fabric(count: ranks, clock: clock)
                let error = #expect(throws: (any Error).self) {
                    _ = try fabric.run { communicator in
                        var vector = [Float](repeating: 1, count: 10_000)
                        if communicator.rank == 2 {
                            if throwing { throw Broken() }
                            return
                        }
                        try vector.withUnsafeMutableBufferPointer { try communicator.allReduce($0, by: algorithm) }
                    }
                }
                if algorithm == .direct, fabric.clock.isModel { continue }
                if throwing {
                    #expect(error is Broken)
                } else if case .rankEnded(let rank, _) = error as? FabricError {
                    #expect(rank == 2)
                } else {
                    #expect("\(error!)".hasPrefix("deadlock: "))
                }
            }
        }
    }

    @Test func `direct says that it needs the native clock`() throws {
        let fabric = try Fabric(count: 2, clock: .virtual(CollectiveRun.cost))
        let error = #expect(throws: FabricError.self) {
            _ = try fabric.run { communicator in
                var vector: [Float] = [1, 2]
                try vector.withUnsafeMutableBufferPointer { try communicator.directAllReduce($0) }
            }
        }
        #expect(error == .needsNativeClock(operation: "direct"))
    }
}
