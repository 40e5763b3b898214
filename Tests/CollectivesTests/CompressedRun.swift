import Collectives
import Compression
import Kernels
import Messaging
import Platform
import SwitchModel

/// Runs averages of compressed vectors on all ranks.
struct CompressedRun {
    var collective: CompressedCollective
    var codec: String
    var workers: Int
    var length: Int
    var clock = FabricClock.native
    var hasFeedback = false
    var seed: UInt64 = 5
    var stepSizes = [1.0]
    var codecTime = CodecTime.none
    var kinds = CodecKind.builtIn

    /// What a rank has after each iteration.
    struct Outcome: Sendable {
        var vectors: [[Float]] = []
        var residuals: [[Double]] = []
        var seconds = 0.0
        var predictedSeconds = 0.0
        var sentBytes = 0
        var encodedBytes = 0
        var uncompressedBytes = 0
    }

    var configuration: CodecConfiguration {
        get throws { try CodecConfiguration(parsing: codec, of: kinds) }
    }

    var ranks: Int { collective.ranks(workers: workers) }

    /// The gradient of a worker at an iteration.
    func gradient(_ rank: Int, _ t: Int) -> [Float] {
        CollectiveRun.input(rank: rank, length: length, seed: UInt64(1 + t))
    }

    func average(rank: Int) throws -> CompressedAverage {
        try CompressedAverage(
            collective, codec: configuration, hasFeedback: hasFeedback, elements: length, rank: rank,
            workers: workers, seed: seed, codecTime: codecTime)
    }

    /// One average for each step size, in one fabric.
    func outcomes() throws -> [Outcome] {
        let fabric = try Fabric(count: ranks, clock: clock)
        return try fabric.run { communicator in
            let rank = communicator.rank
            let average = try average(rank: rank)
            var outcome = Outcome()
            for (t, stepSize) in stepSizes.enumerated() {
                var vector = gradient(rank, t)
                if rank == workers { vector = vector.map { _ in .nan } }
                try vector.withUnsafeMutableBufferPointer {
                    try average.average($0, step: UInt64(t), stepSize: stepSize, over: communicator)
                }
                var residual = [Double](repeating: 0, count: length)
                average.addResiduals(to: &residual)
                outcome.vectors.append(vector)
                outcome.residuals.append(residual)
            }
            outcome.seconds = communicator.now
            outcome.sentBytes = communicator.sent.bytes
            outcome.encodedBytes = average.encodedBytes
            outcome.uncompressedBytes = average.uncompressedBytes
            if case .virtual(let cost) = clock { outcome.predictedSeconds = average.predictedSeconds(over: cost) }
            return outcome
        }
    }

    /// The mean of the workers' gradients at an iteration.
    func mean(_ t: Int) -> [Double] {
        CollectiveRun.sum(ranks: 0..<workers, length: length, seed: UInt64(1 + t)).map { $0 / Double(workers) }
    }
}

/// Codecs called on arrays, one after the other: what the collectives must give.
struct SerialCompression {
    let run: CompressedRun

    func chunk(_ c: Int) -> Range<Int> { run.length * c / run.workers..<run.length * (c + 1) / run.workers }

    /// The encoded form of a vector at a site.
    func encoded(_ vector: [Float], rank: Int, site: Int, t: Int) throws -> [UInt8] {
        let draw = CompressedAverage.draw(
            seed: run.seed, rank: rank, workers: run.workers, site: site, step: UInt64(t))
        return try encoded(vector, draw: draw)
    }

    func encoded(_ vector: [Float], draw: CodecDraw) throws -> [UInt8] {
        let codec = try run.configuration.makeCodec(count: vector.count)
        var bytes = [UInt8](repeating: 0, count: codec.maximumEncodedBytes)
        var elements = bytes.mutableSpan
        var space = elements.mutableBytes
        return try Array(bytes[..<codec.encode(vector.span, draw: draw, into: &space)])
    }

    /// Q(vector) at a site.
    func compressed(_ vector: [Float], rank: Int, site: Int, t: Int) throws -> [Float] {
        var result = [Float](repeating: 0, count: vector.count)
        try add(encoded(vector, rank: rank, site: site, t: t), scale: 1, to: &result)
        return result
    }

    /// sum += scale * what was encoded.
    func add(_ message: [UInt8], scale: Float, to sum: inout [Float]) throws {
        let codec = try run.configuration.makeCodec(count: sum.count)
        var target = sum.mutableSpan
        try codec.decode(message.span.bytes, adding: scale, to: &target)
    }

    /// 1/N sum of Q(g_n) over a chunk, as its server adds it up.
    func serverMean(of range: Range<Int>, server c: Int, t: Int) throws -> [Float] {
        var mean = [Float](repeating: 0, count: range.count)
        for k in 0..<run.workers {
            // Of several servers each adds its own first, then in the order in which messages come.
            let n =
                run.collective == .parameterServer
                ? k : run.workers.nonzeroBitCount == 1 ? c ^ k : (c + run.workers - k) % run.workers
            let message = try encoded(Array(run.gradient(n, t)[range]), rank: n, site: c, t: t)
            try add(message, scale: 1 / Float(run.workers), to: &mean)
        }
        return mean
    }

    /// Eq. 3.2, chunk by chunk, or whole at a dedicated server.
    func serverAverage(t: Int) throws -> [Float] {
        if run.collective == .parameterServer {
            let mean = try serverMean(of: 0..<run.length, server: 0, t: t)
            return try compressed(mean, rank: run.workers, site: 0, t: t)
        }
        return try (0..<run.workers).flatMap { c in
            try compressed(serverMean(of: chunk(c), server: c, t: t), rank: c, site: run.workers, t: t)
        }
    }

    /// Eq. 3.3, chunk by chunk, divided by N.
    func ringAverage(t: Int) throws -> [Float] {
        var result: [Float] = []
        for c in 0..<run.workers {
            var message: [UInt8] = []
            for k in 0..<run.workers {
                let n = (c + k) % run.workers
                var sum = Array(run.gradient(n, t)[chunk(c)])
                if k > 0 { try add(message, scale: 1, to: &sum) }
                message = try encoded(sum, rank: n, site: c, t: t)
            }
            var mean = [Float](repeating: 0, count: chunk(c).count)
            try add(message, scale: 1 / Float(run.workers), to: &mean)
            result += mean
        }
        return result
    }
}
