// Averages by codecs that are linear in the vector: workers add up what they send, by ringAllReduce. The thread of each rank runs it.
//
// All ranks draw alike. low-rank: the mean of P, then of Q, 4 r (rows + columns) bytes in two AllReduces. count-sketch: the mean of
// the tables in one. random-k: the mean of the k values in one; places follow from the draw and do not travel.

internal import Compression
internal import Kernels
internal import Messaging
internal import Platform

/// PowerSGD's buffers on one rank.
final class LowRankAggregate {
    let codec: LowRankCodec
    let residual: VectorResidual?
    let seed: UInt64
    private let memory: PageBuffer<Float>

    init(_ codec: LowRankCodec, hasFeedback: Bool, seed: UInt64) throws(InputError) {
        self.codec = codec
        self.seed = seed
        residual = hasFeedback ? try VectorResidual(count: codec.count) : nil
        memory = try PageBuffer(count: codec.rank * (codec.rows + codec.columns))
    }

    var memoryBytes: Int { codec.memoryBytes + memory.byteCount + (residual?.memoryBytes ?? 0) }

    var p: FloatVector { unsafe FloatVector(start: memory.pointer, count: codec.rank * codec.rows) }
    var q: FloatVector {
        unsafe FloatVector(start: memory.pointer + codec.rank * codec.rows, count: codec.rank * codec.columns)
    }
}

/// A rank's table.
final class CountSketchAggregate {
    let codec: CountSketchCodec
    let residual: VectorResidual?
    let seed: UInt64
    private let memory: PageBuffer<Float>

    init(_ codec: CountSketchCodec, hasFeedback: Bool, seed: UInt64) throws(InputError) {
        self.codec = codec
        self.seed = seed
        residual = hasFeedback ? try VectorResidual(count: codec.count) : nil
        memory = try PageBuffer(count: codec.tableCount)
    }

    var memoryBytes: Int { codec.memoryBytes + memory.byteCount + (residual?.memoryBytes ?? 0) }

    var table: FloatVector { unsafe FloatVector(start: memory.pointer, count: codec.tableCount) }
}

extension CompressedAverage {
    /// The residual is v_n - P transposed(Q_n) with the worker's own Q_n: their mean is the mean of the v_n less the result, as in PowerSGD, but
    /// none of them keeps what distinguishes its worker's data from the others'.
    func average(
        _ vector: FloatVector, _ iteration: Iteration, _ communicator: Communicator, by aggregate: LowRankAggregate
    ) throws {
        let codec = aggregate.codec
        let draw = CodecDraw(seed: aggregate.seed, step: iteration.step)
        let (p, q) = unsafe (aggregate.p, aggregate.q)
        let compensated = unsafe aggregate.residual?.vector ?? vector
        try code(elements, communicator) { () throws(CodecError) in
            unsafe aggregate.residual?.compensate(vector, stepSize: iteration.stepSize)
            var target = unsafe MutableSpan(_unsafeElements: p)
            try unsafe codec.computeP(
                of: Span(_unsafeElements: UnsafeBufferPointer(compensated)), draw: draw, into: &target)
            count(floats: elements, encodedBytes: 4 * (p.count + q.count))
        }
        try unsafe communicator.ringAllReduce(p)
        try code(elements, communicator) { () throws(CodecError) in
            unsafe p.scale(by: share)
            var left = unsafe MutableSpan(_unsafeElements: p)
            var right = unsafe MutableSpan(_unsafeElements: q)
            try unsafe codec.computeQ(
                of: Span(_unsafeElements: UnsafeBufferPointer(compensated)), p: &left, into: &right)
            guard let residual = aggregate.residual else { return }
            try unsafe codec.finish(p, q, into: vector)
            unsafe residual.subtract(vector)
        }
        try unsafe communicator.ringAllReduce(q)
        try code(elements, communicator) { () throws(CodecError) in
            unsafe q.scale(by: share)
            try unsafe codec.finish(p, q, into: vector)
        }
    }

    /// The residual is v_n less the result: a sketch of one vector says nothing of what of it comes out of their sum.
    func average(
        _ vector: FloatVector, _ iteration: Iteration, _ communicator: Communicator,
        by aggregate: CountSketchAggregate
    ) throws {
        let codec = aggregate.codec
        let draw = CodecDraw(seed: aggregate.seed, step: iteration.step)
        let table = unsafe aggregate.table
        try code(elements, communicator) { () throws(CodecError) in
            let compensated = unsafe aggregate.residual?.vector ?? vector
            unsafe aggregate.residual?.compensate(vector, stepSize: iteration.stepSize)
            var target = unsafe MutableSpan(_unsafeElements: table)
            try unsafe codec.sketch(Span(_unsafeElements: UnsafeBufferPointer(compensated)), draw: draw, into: &target)
            count(floats: elements, encodedBytes: 4 * table.count)
        }
        try unsafe communicator.ringAllReduce(table)
        try code(elements, communicator) { () throws(CodecError) in
            unsafe table.scale(by: share)
            var target = unsafe MutableSpan(_unsafeElements: vector)
            try unsafe codec.recover(Span(_unsafeElements: UnsafeBufferPointer(table)), draw: draw, into: &target)
            unsafe aggregate.residual?.subtract(vector)
        }
    }

    /// The values are added up where they stand in the message, which is then that of the sum.
    func averageValues(
        _ vector: FloatVector, _ iteration: Iteration, _ communicator: Communicator, kept: Int
    ) throws {
        try code(elements, communicator) { () throws(CodecError) in
            let length = try unsafe sites.encode(vector, at: 0, step: iteration.step, into: messages.space(0))
            messages.setLength(length, of: 0)
            count(floats: elements, encodedBytes: 4 * kept)
        }
        let values = unsafe UnsafeMutableRawBufferPointer(rebasing: messages.space(0)[RandomKCodec.valuesOffset...])
        try unsafe communicator.ringAllReduce(
            FloatVector(rebasing: values.assumingMemoryBound(to: Float.self)[..<kept]))
        try unsafe decode(messages[0], at: 0, scale: share, into: vector, communicator)
    }
}

extension LowRankCodec {
    fileprivate func finish(_ p: FloatVector, _ q: FloatVector, into vector: FloatVector) throws(CodecError) {
        var target = unsafe MutableSpan(_unsafeElements: vector)
        try unsafe finish(
            p: Span(_unsafeElements: UnsafeBufferPointer(p)), q: Span(_unsafeElements: UnsafeBufferPointer(q)),
            into: &target)
    }
}

extension FloatVector {
    fileprivate func scale(by factor: Float) {
        for i in indices { unsafe self[i] *= factor }
    }
}
