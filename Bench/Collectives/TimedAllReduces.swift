// AllReduce of two threads, measured as the C yardstick measures: the same quantity, the same statistic. Main thread and two workers.

import BenchSupport
import Collectives
import Messaging
import Platform

/// Batches of single AllReduces: before each the ranks rewrite their vectors and meet; rank 0 times it. A batch's figure is its
/// mean, an algorithm's the lower quartile of its batches; both algorithms take turns at each size.
struct TimedAllReduces {
    let algorithms: [AllReduceAlgorithm]
    /// Vector sizes in bytes.
    let sizes: [Int]
    /// How long a batch ought to take.
    let batchSeconds: Double

    struct Figure: Sendable {
        let algorithm: AllReduceAlgorithm
        let bytes: Int
        let seconds: Double
    }

    /// Throws `WrongResult` where an AllReduce of numbers that differ by rank and element is wrong.
    func run(placement: Placement) throws -> [Figure] {
        let fabric = try Fabric(count: placement.workers.count, clock: .native, placement: placement)
        let outcomes = try fabric.run(on: WorkerTeam(placement: placement)) { communicator in
            let memory = try PageBuffer<Float>(count: sizes.max()! / 4, hugePages: true)
            var figures: [Figure] = []
            for bytes in sizes {
                let vector = unsafe FloatVector(start: memory.pointer, count: bytes / 4)
                for algorithm in algorithms {
                    try unsafe check(communicator, vector, algorithm)
                    figures.append(
                        Figure(
                            algorithm: algorithm, bytes: bytes,
                            seconds: try unsafe quartile(communicator, vector, algorithm)))
                }
            }
            return figures
        }
        return outcomes[0]
    }

    private func quartile(_ communicator: Communicator, _ vector: FloatVector, _ algorithm: AllReduceAlgorithm) throws
        -> Double
    {
        let batches = vector.count >= 4 << 20 ? 15 : 41
        var size = 3
        var means: [Double] = []
        for batch in -1..<batches {
            let mean = try unsafe self.batch(communicator, vector, algorithm, size)
            if batch >= 0 {
                means.append(mean)
                continue
            }
            // Rank 0 decides for all.
            var agreed = Float(max(1, min(200_000, batchSeconds / mean)))
            if communicator.rank > 0 { agreed = 0 }
            try unsafe withUnsafeMutablePointer(to: &agreed) {
                try unsafe communicator.ringAllReduce(FloatVector(start: $0, count: 1))
            }
            size = Int(agreed)
        }
        return means.sorted()[batches / 4]
    }

    private func batch(
        _ communicator: Communicator, _ vector: FloatVector, _ algorithm: AllReduceAlgorithm, _ size: Int
    ) throws -> Double {
        var nanoseconds: UInt64 = 0
        for _ in 0..<size {
            unsafe vector.update(repeating: 1)
            try communicator.barrier()
            let start = monotonicNanoseconds()
            try unsafe communicator.allReduce(vector, by: algorithm)
            nanoseconds += monotonicNanoseconds() - start
        }
        return Double(nanoseconds) / 1e9 / Double(size)
    }

    private func check(_ communicator: Communicator, _ vector: FloatVector, _ algorithm: AllReduceAlgorithm) throws {
        for i in 0..<vector.count { unsafe vector[i] = Float((communicator.rank + 1) * (1 + i % 31)) }
        try communicator.barrier()
        try unsafe communicator.allReduce(vector, by: algorithm)
        let ranks = communicator.count * (communicator.count + 1) / 2
        for i in 0..<vector.count where unsafe vector[i] != Float(ranks * (1 + i % 31)) {
            throw WrongResult("\(algorithm.rawValue) of \(vector.count) floats, element \(i)")
        }
    }
}
