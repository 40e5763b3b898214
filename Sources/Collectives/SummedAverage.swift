// Averages by codecs that are linear in the vector: workers add up what they contribute, by ringAllReduce. The thread of each rank runs it.
//
// All ranks draw alike. Round by round each contributes its floats, which become sums; then all recover the mean from these (`SummedCodec`).

internal import Compression
internal import Kernels
internal import Messaging
internal import Platform

/// One rank's codec, residual and floats.
final class SummedAverage {
    private let codec: any SummedCodec
    let residual: VectorResidual?
    /// Where the floats of each round lie.
    let rounds: [Range<Int>]
    private let share: Float
    private let memory: PageBuffer<Float>

    init(_ codec: any SummedCodec, hasFeedback: Bool, workers: Int) throws(InputError) {
        self.codec = codec
        share = 1 / Float(workers)
        residual = hasFeedback ? try VectorResidual(count: codec.count) : nil
        rounds = codec.roundCounts.reduce(into: []) { rounds, count in
            let start = rounds.last?.upperBound ?? 0
            rounds.append(start..<start + count)
        }
        memory = try PageBuffer(count: codec.roundFloats)
    }

    var memoryBytes: Int { codec.memoryBytes + memory.byteCount + (residual?.memoryBytes ?? 0) }

    /// Bytes that a worker contributes.
    var contributedBytes: Int { 4 * memory.count }

    func floats(of round: Range<Int>) -> FloatVector {
        unsafe FloatVector(start: memory.pointer + round.lowerBound, count: round.count)
    }

    /// Writes this rank's floats of a round for a vector, to which the residual is added in the first.
    func contribute(_ vector: FloatVector, to round: Int, _ iteration: Iteration, _ draw: CodecDraw) throws(CodecError)
    {
        if round == 0 { unsafe residual?.compensate(vector, stepSize: iteration.stepSize) }
        let compensated = unsafe UnsafeBufferPointer(residual?.vector ?? vector)
        var floats = unsafe MutableSpan(_unsafeStart: memory.pointer, count: memory.count)
        try unsafe codec.contribute(
            Span(_unsafeElements: compensated), to: round, share: share, draw: draw, floats: &floats)
        guard let residual, codec.feedsBackOwnContribution, round + 1 == rounds.count else { return }
        try unsafe recover(into: vector, share: 1, draw)
        unsafe residual.subtract(vector)
    }

    /// Writes the mean over the vector.
    func finish(_ vector: FloatVector, _ draw: CodecDraw) throws(CodecError) {
        try unsafe recover(into: vector, share: share, draw)
        if !codec.feedsBackOwnContribution { unsafe residual?.subtract(vector) }
    }

    private func recover(into vector: FloatVector, share: Float, _ draw: CodecDraw) throws(CodecError) {
        var floats = unsafe MutableSpan(_unsafeStart: memory.pointer, count: memory.count)
        var target = unsafe MutableSpan(_unsafeElements: vector)
        try codec.recover(from: &floats, share: share, draw: draw, into: &target)
    }
}

extension CompressedAverage {
    func average(
        _ vector: FloatVector, _ iteration: Iteration, _ communicator: Communicator, by sums: SummedAverage
    ) throws {
        let draw = CodecDraw(seed: seed, step: iteration.step)
        count(floats: elements, encodedBytes: sums.contributedBytes)
        for (round, range) in sums.rounds.enumerated() {
            try code(elements, communicator) { () throws(CodecError) in
                try unsafe sums.contribute(vector, to: round, iteration, draw)
            }
            try unsafe communicator.ringAllReduce(sums.floats(of: range))
        }
        try code(elements, communicator) { () throws(CodecError) in try unsafe sums.finish(vector, draw) }
    }
}
