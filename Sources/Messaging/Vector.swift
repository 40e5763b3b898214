// A vector of float32 in pages of its own, for algorithms: no unsafe word is needed to compute with it or to send it.

internal import Kernels
public import Platform

/// d floats, page by page in memory of their own; one rank at a time uses them.
public final class Vector: @unchecked Sendable {
    // Sendable: who uses it is the owner's affair; messages, windows and pauses order one rank's use before another's.

    private let memory: PageBuffer<Float>

    /// `count` zeros.
    ///
    /// Throws where the kernel refuses so much memory.
    public init(count: Int) throws(InputError) { memory = try PageBuffer(count: count, hugePages: true) }

    /// Bytes that a vector of `count` floats takes.
    public static func byteCount(of count: Int) -> Int { PageBuffer<Float>.byteCount(of: count) }

    /// d.
    public var count: Int { memory.count }

    /// The floats where they lie, as long as the vector lives.
    @unsafe public var floats: UnsafeMutableBufferPointer<Float> {
        unsafe UnsafeMutableBufferPointer(start: memory.pointer, count: memory.count)
    }

    public subscript(index: Int) -> Float {
        get { unsafe memory.pointer[checked(index..<index + 1).lowerBound] }
        set { unsafe memory.pointer[checked(index..<index + 1).lowerBound] = newValue }
    }

    /// All floats, copied.
    public var elements: [Float] { unsafe Array(floats) }

    private func checked(_ range: Range<Int>) -> Range<Int> {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "floats \(range) of a vector of \(count)")
        return range
    }

    private func check(_ other: Vector) {
        precondition(other.count == count, "vectors of \(count) and of \(other.count) floats")
    }

    /// Calls `body` with the floats to read.
    public func withSpan<Result, Failure: Error>(
        _ body: (Span<Float>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe body(Span(_unsafeStart: UnsafePointer(memory.pointer), count: count))
    }

    /// Calls `body` with the floats to change.
    public func withMutableSpan<Result, Failure: Error>(
        _ body: (inout MutableSpan<Float>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var span = unsafe MutableSpan(_unsafeStart: memory.pointer, count: count)
        return try body(&span)
    }

    /// Chunk `index` of `owners`: floats d i / owners ..< d (i + 1) / owners.
    public func chunk(_ index: Int, of owners: Int) -> Range<Int> {
        precondition(owners > 0 && (0..<owners).contains(index), "chunk \(index) of \(owners)")
        return count * index / owners..<count * (index + 1) / owners
    }

    /// All floats = `value`.
    public func fill(with value: Float) { unsafe floats.update(repeating: value) }

    /// The floats of `range`, or all, = those of `other`.
    public func copy(_ range: Range<Int>? = nil, from other: Vector) {
        check(other)
        let range = checked(range ?? 0..<count)
        let start = range.lowerBound
        unsafe Kernels.copy(into: memory.pointer + start, from: other.memory.pointer + start, count: range.count)
    }

    /// self += factor other, in the floats of `range`, which both have, or in all.
    public func add(_ factor: Float = 1, times other: Vector, in range: Range<Int>? = nil) {
        if range == nil { check(other) }
        let range = other.checked(checked(range ?? 0..<count))
        let start = range.lowerBound
        unsafe Kernels.add(
            into: memory.pointer + start, from: other.memory.pointer + start, scaledBy: factor, count: range.count)
    }

    /// The floats from `place` on = all of `other`.
    public func copy(at place: Int, from other: Vector) {
        let range = checked(place..<place + other.count)
        unsafe Kernels.copy(
            into: memory.pointer + range.lowerBound, from: other.memory.pointer, count: range.count)
    }

    /// self = the floats of `other` from `place` on, as many as self has.
    public func copy(from other: Vector, at place: Int) {
        let range = other.checked(place..<place + count)
        unsafe Kernels.copy(into: memory.pointer, from: other.memory.pointer + range.lowerBound, count: count)
    }

    /// The floats from `place` on += factor times all of `other`.
    public func add(_ factor: Float = 1, times other: Vector, at place: Int) {
        let range = checked(place..<place + other.count)
        unsafe Kernels.add(
            into: memory.pointer + range.lowerBound, from: other.memory.pointer, scaledBy: factor, count: range.count)
    }

    /// self += factor times the floats of `other` from `place` on, as many as self has.
    public func add(_ factor: Float = 1, times other: Vector, from place: Int) {
        let range = other.checked(place..<place + count)
        unsafe Kernels.add(
            into: memory.pointer, from: other.memory.pointer + range.lowerBound, scaledBy: factor, count: count)
    }

    /// self += factor times floats that a neighbour has sent.
    public func add(_ factor: Float = 1, times other: Span<Float>) {
        precondition(other.count == count, "a vector of \(count) and \(other.count) floats")
        unsafe other.withUnsafeBufferPointer { floats in
            guard let source = floats.baseAddress else { return }
            unsafe Kernels.add(into: memory.pointer, from: source, scaledBy: factor, count: floats.count)
        }
    }

    /// self *= factor.
    public func scale(by factor: Float) { unsafe Kernels.scale(memory.pointer, by: factor, count: count) }

    /// x = x - step g: a step of gradient descent.
    public func descend(_ step: Float, along gradient: Vector) { add(-step, times: gradient) }

    /// The same for the chunk x of a model, of which `gradient` has the floats from `place` on.
    public func descend(_ step: Float, along gradient: Vector, from place: Int) {
        add(-step, times: gradient, from: place)
    }

    /// x = x - step (g + lambda g g (x - read)), element by element: a step along a gradient that was taken at `read`.
    public func descend(_ step: Float, along gradient: Vector, from read: Vector, lambda: Float) {
        check(gradient)
        check(read)
        unsafe Kernels.descendCompensated(
            memory.pointer, along: gradient.memory.pointer, from: read.memory.pointer, lambda: lambda, stepSize: step,
            count: count)
    }

    /// The same with lambda / sqrt(m + 1e-7), where m = decay m + (1 - decay) g g is kept in `meanSquare`.
    public func descend(
        _ step: Float, along gradient: Vector, from read: Vector, lambda: Float, meanSquare: Vector, decay: Float
    ) {
        check(gradient)
        check(read)
        check(meanSquare)
        unsafe Kernels.descendCompensated(
            memory.pointer, along: gradient.memory.pointer, from: read.memory.pointer,
            meanSquare: meanSquare.memory.pointer, decay: decay, lambda: lambda, stepSize: step, count: count)
    }

    /// self = other = (self + other) / 2.
    public func average(with other: Vector) {
        check(other)
        add(times: other)
        scale(by: 0.5)
        other.copy(from: self)
    }

    /// The sum of squares.
    public var sumOfSquares: Double { unsafe Kernels.sumOfSquares(memory.pointer, count: count) }
}
