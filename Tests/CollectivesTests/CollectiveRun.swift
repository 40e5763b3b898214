import Collectives
import Kernels
import Messaging
import Platform
import SwitchModel

/// Runs one collective on ranks whose inputs differ by rank and element.
enum CollectiveRun {
    static let cost = try! NetworkCost(latencySeconds: 1.5e-4, secondsPerMegabyte: 5e-3)

    /// The input of a rank: of both signs and several magnitudes, so that a wrong order or a lost term shows.
    static func input(rank: Int, length: Int, seed: UInt64 = 1) -> [Float] {
        var stream = RandomStream(seed: seed, rank: UInt32(rank))
        return (0..<length).map { i in (stream.nextUnitFloat() - 0.5) * Float(1 + i % 7) + Float(rank + 1) }
    }

    /// The element-wise sum of the ranks' inputs in double precision.
    static func sum(ranks: Range<Int>, length: Int, seed: UInt64 = 1) -> [Double] {
        ranks.reduce(into: Array(repeating: 0.0, count: length)) { sum, rank in
            for (i, x) in input(rank: rank, length: length, seed: seed).enumerated() { sum[i] += Double(x) }
        }
    }

    /// The largest error, relative to what rounding may do to a sum of `terms` such inputs.
    static func isSum(_ found: [Float], _ expected: [Double], terms: Int) -> Bool {
        found.count == expected.count
            && zip(found, expected).allSatisfy { found, expected in
                abs(Double(found) - expected) <= 1e-6 * Double(terms * (terms + 8))
            }
    }

    /// What each rank's vector holds after `body`, and the time at which the last rank is done.
    static func vectors(
        ranks: Int, length: Int, clock: FabricClock = .native, seed: UInt64 = 1,
        _ body: @Sendable (Communicator, UnsafeMutableBufferPointer<Float>) throws -> Void
    ) throws -> (vectors: [[Float]], seconds: Double) {
        let fabric = try Fabric(count: ranks, clock: clock)
        let results = try fabric.run { communicator in
            var vector = input(rank: communicator.rank, length: length, seed: seed)
            try vector.withUnsafeMutableBufferPointer { try body(communicator, $0) }
            return (vector, communicator.now)
        }
        return (results.map(\.0), results.map(\.1).max()!)
    }
}
