import Collectives
import Compression
import Kernels
import Messaging
import Platform
import SwitchModel
import Testing

/// Averages of compressed vectors on real threads; these run under ThreadSanitizer as well.
@Suite struct CompressedAverageConcurrencyTests {
    static let workerCounts = [1, 2, 3, 4, 7, 8, 13]
    static let chunked = CompressedCollective.allCases.filter { $0 != .natural }

    private static func lengths(_ workers: Int) -> Set<Int> { [0, 1, workers - 1, workers, workers + 1, 1_000] }

    @Test(arguments: chunked, workerCounts)
    func `without loss every rank ends with the mean, to the same bits in every run and clock`(
        collective: CompressedCollective, workers: Int
    ) throws {
        for length in Self.lengths(workers) {
            var run = CompressedRun(collective: collective, codec: "identity", workers: workers, length: length)
            let mean = run.mean(0).map { $0 * Double(workers) }
            let outcomes = try run.outcomes()
            let found = outcomes[0].vectors[0]
            #expect(
                CollectiveRun.isSum(found.map { $0 * Float(workers) }, mean, terms: workers), "\(workers) x \(length)")
            #expect(outcomes.allSatisfy { $0.vectors[0] == found }, "\(workers) x \(length): ranks differ")
            run.clock = .virtual(CollectiveRun.cost)
            #expect(try run.outcomes().allSatisfy { $0.vectors[0] == found })
        }
    }

    @Test(arguments: ["quantize:bits=2,bucket=16", "qsgd:levels=4,layout=elias", "top-k:fraction=0.2", "count-sketch"])
    func `servers and rings give what eq. 3.2 and 3.3 say, to the bit`(codec: String) throws {
        for workers in Self.workerCounts {
            for length in [0, workers - 1, workers + 1, 230] {
                for collective in Self.chunked {
                    let run = CompressedRun(
                        collective: collective, codec: codec, workers: workers, length: length, stepSizes: [1, 1])
                    let serial = SerialCompression(run: run)
                    let outcomes = try run.outcomes()
                    for t in 0..<2 {
                        let expected = try collective == .ring ? serial.ringAverage(t: t) : serial.serverAverage(t: t)
                        #expect(
                            outcomes.allSatisfy { $0.vectors[t] == expected },
                            "\(collective) \(workers) x \(length), \(t)")
                    }
                }
            }
        }
    }

    @Test(arguments: [1, 2, 3, 4, 7]) func `a replica on the servers gets the mean of what was compressed once`(
        workers: Int
    ) throws {
        let length = 5 * workers + 2
        for clock in [FabricClock.native, .virtual(CollectiveRun.cost)] {
            for collective in [CompressedCollective.multiServer, .parameterServer] {
                let run = CompressedRun(
                    collective: collective, codec: "quantize:bits=3", workers: workers, length: length, clock: clock)
                let serial = SerialCompression(run: run)
                let isWhole = collective == .parameterServer
                let fabric = try Fabric(count: run.ranks, clock: clock)
                let models = try fabric.run { communicator in
                    let rank = communicator.rank
                    let average = try run.average(rank: rank)
                    var vector = run.gradient(rank, 0)
                    try vector.withUnsafeMutableBufferPointer { vector in
                        try average.reduceToServers(vector, step: 0, over: communicator)
                        try communicator.barrier()
                        let predicted = average.predictedSeconds(over: CollectiveRun.cost, isPush: true)
                        #expect(!clock.isModel || abs(communicator.now - predicted) <= 1e-12 * predicted)
                        try isWhole
                            ? communicator.parameterServerBroadcast(vector) : communicator.multiServerAllGather(vector)
                    }
                    return vector
                }
                var expected: [Float] = []
                for c in 0..<(isWhole ? 1 : workers) {
                    expected += try serial.serverMean(of: isWhole ? 0..<length : serial.chunk(c), server: c, t: 0)
                }
                #expect(models.allSatisfy { $0 == expected }, "\(collective), \(workers)")
            }
        }
    }

    @Test(arguments: CompressedCollective.allCases)
    func `a gradient that is not finite is an error with its index, and leaves no rank hanging`(
        collective: CompressedCollective
    ) throws {
        for workers in [1, 2, 5] {
            for hasFeedback in [false, true] {
                for clock in [FabricClock.native, .wall(CollectiveRun.cost), .virtual(CollectiveRun.cost)] {
                    let run = CompressedRun(
                        collective: collective, codec: "top-k:fraction=0.2", workers: workers, length: 600,
                        clock: clock,
                        hasFeedback: hasFeedback)
                    let fabric = try Fabric(count: run.ranks, clock: clock)
                    let error = #expect(throws: (any Error).self) {
                        _ = try fabric.run { communicator in
                            let average = try run.average(rank: communicator.rank)
                            for t in 0..<3 {
                                var vector = run.gradient(communicator.rank, t)
                                if t == 1, communicator.rank == workers - 1 { vector[431] = .infinity }
                                try vector.withUnsafeMutableBufferPointer {
                                    try average.average($0, step: UInt64(t), over: communicator)
                                }
                            }
                        }
                    }
                    #expect(error as? CodecError == .notFinite(index: 431, value: .infinity))
                }
            }
        }
    }

    @Test(arguments: ["identity", "nonzeros", "top-k:fraction=0.1"])
    func `lengths that differ between ranks are an error`(codec: String) throws {
        for collective in CompressedCollective.allCases where collective != .natural || codec != "identity" {
            for workers in [2, 3] {
                let fabric = try Fabric(count: collective.ranks(workers: workers))
                #expect(throws: (any Error).self) {
                    _ = try fabric.run { communicator in
                        let run = CompressedRun(
                            collective: collective, codec: codec, workers: workers,
                            length: communicator.rank == 1 ? 300 : 200)
                        var vector = run.gradient(communicator.rank, 0)
                        let average = try run.average(rank: communicator.rank)
                        try vector.withUnsafeMutableBufferPointer {
                            try average.average($0, step: 0, over: communicator)
                        }
                    }
                }
            }
        }
    }

    @Test(arguments: CompressedCollective.allCases) func `the wall clock takes its time and changes no bit`(
        collective: CompressedCollective
    ) throws {
        var run = CompressedRun(
            collective: collective, codec: "random-k:fraction=0.5", workers: 3, length: 600, hasFeedback: true,
            stepSizes: [1, 0.5])
        let native = try run.outcomes()
        run.clock = .wall(CollectiveRun.cost)
        let wall = try run.outcomes()
        #expect(wall.map(\.vectors) == native.map(\.vectors) && wall.map(\.residuals) == native.map(\.residuals))
        let predicted = try 2 * run.average(rank: 0).predictedSeconds(over: CollectiveRun.cost)
        #expect(wall.map(\.seconds).max()! >= predicted)
    }

    @Test func `long chunks and many averages in a row stay apart`() throws {
        for collective in CompressedCollective.allCases {
            let run = CompressedRun(
                collective: collective, codec: "nonzeros+quantize:bits=8", workers: 4, length: 9_000,
                stepSizes: Array(repeating: 1, count: 6))
            let outcomes = try run.outcomes()
            for t in 0..<6 {
                let mean = run.mean(t)
                #expect(zip(outcomes[0].vectors[t], mean).allSatisfy { abs(Double($0) - $1) < 0.3 })
                #expect(outcomes.allSatisfy { $0.vectors[t] == outcomes[0].vectors[t] })
            }
        }
    }
}
