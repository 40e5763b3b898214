import Collectives
import Compression
import Kernels
import Messaging
import Platform
import Testing

/// The variance of the compressed gradient on a quadratic (section 3.2).
///
/// f_n(x) = |x - a_n|^2 / 2, and worker n draws the gradient x - a_n + noise, of variance sigma^2. The codec rounds to 256 knobs Delta apart
/// at random: an element that may lie anywhere between two knobs gets the variance sigma'^2 = Delta^2 / 6. The first and the last element of
/// each chunk set the knobs and do not count; they differ between workers and draws by a few percent, and so do the a_n, or means of
/// knobs would too often be knobs themselves.
@Suite struct CompressedVarianceTests {
    private static let chunk = 14
    private static let draws = 10_000
    private static let knobs = 255.0

    /// Mean and standard error of |g - f'(x)|^2 over draws, with sigma^2 and sigma'^2.
    private struct Measured {
        var variance = 0.0
        var standardError = 0.0
        var sigmaSquared = 0.0
        var codecSquared = 0.0
    }

    private func measure(_ collective: CompressedCollective, workers: Int) throws -> Measured {
        let length = Self.chunk * workers
        let delta = 2 / Self.knobs
        let (spread, noise) = (0.1, 2 * delta)
        // Where x stands: f'(x), with -1 and 1 at the ends of each chunk.
        let gradient = (0..<length).map { (i: Int) -> Double in
            switch i % Self.chunk {
            case 0: return -1
            case Self.chunk - 1: return 1
            default: return 0.6 * Double(i % Self.chunk) / Double(Self.chunk) - 0.3
            }
        }
        @Sendable func isEnd(_ i: Int) -> Bool { i % Self.chunk == 0 || i % Self.chunk == Self.chunk - 1 }
        /// How the gradients of the workers differ; none in the mean.
        @Sendable func shift(_ rank: Int) -> Double { 0.6 * (Double(rank) / Double(workers - 1) - 0.5) }
        let fabric = try Fabric(count: workers)
        let errors = try fabric.run { communicator in
            let average = try CompressedAverage(
                collective, codec: CodecConfiguration(parsing: "quantize:bits=8,bucket=whole"), hasFeedback: false,
                elements: length, rank: communicator.rank, workers: workers, seed: 11)
            var vector = [Float](repeating: 0, count: length)
            var (sum, squares) = (0.0, 0.0)
            for t in 0..<Self.draws {
                var stream = RandomStream(seed: 3, rank: UInt32(communicator.rank), step: UInt64(t))
                for i in 0..<length {
                    let unit = Double(stream.nextUnitFloat()) - 0.5
                    vector[i] = Float(
                        gradient[i] + (isEnd(i) ? unit * spread : unit * noise + shift(communicator.rank)))
                }
                try vector.withUnsafeMutableBufferPointer {
                    try average.average($0, step: UInt64(t), over: communicator)
                }
                if communicator.rank > 0 { continue }
                var error = 0.0
                for i in 0..<length where !isEnd(i) {
                    let difference = Double(vector[i]) - gradient[i]
                    error += difference * difference
                }
                sum += error
                squares += error * error
            }
            return (sum, squares)
        }[0]
        let mean = errors.0 / Double(Self.draws)
        let inner = Double(length - 2 * workers)
        return Measured(
            variance: mean,
            standardError: ((errors.1 / Double(Self.draws) - mean * mean) / Double(Self.draws)).squareRoot(),
            sigmaSquared: inner * noise * noise / 12,
            codecSquared: inner * delta * delta / 6)
    }

    @Test(arguments: [2, 3]) func `through servers it is sigma^2/N + (1 + 1/N) sigma'^2`(workers: Int) throws {
        let found = try measure(.multiServer, workers: workers)
        let n = Double(workers)
        let expected = found.sigmaSquared / n + (1 + 1 / n) * found.codecSquared
        #expect(abs(found.variance - expected) <= 3 * found.standardError, "\(found), not \(expected)")
        // Neither source is lost in the other's error.
        #expect(min(found.sigmaSquared / n, found.codecSquared / n) > 10 * found.standardError)
    }

    /// The k-th of N compressions has a sum of k gradients before it, whose range and knobs are k times as wide: k^2 sigma'^2.
    @Test(arguments: [2, 3]) func `round the ring it is sigma^2/N and what each of N compressions adds, over N^2`(
        workers: Int
    ) throws {
        let found = try measure(.ring, workers: workers)
        let n = Double(workers)
        let hops = (1...workers).reduce(0) { $0 + Double($1 * $1) } * found.codecSquared
        let expected = found.sigmaSquared / n + hops / (n * n)
        #expect(abs(found.variance - expected) <= 3 * found.standardError, "\(found), not \(expected)")
        #expect(min(found.sigmaSquared / n, found.codecSquared / (n * n)) > 10 * found.standardError)
    }
}
