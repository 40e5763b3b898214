// The model that worker threads share. Any thread reads and writes coordinates; the coordinator copies whole models between runs.

public import Platform
internal import Synchronization

/// d parameters as relaxed atomic floats in pages of their own, zero at first.
///
/// Relaxed suffices for every access, see SparseKernels.swift. Whole-model operations are for moments when no worker writes.
@safe public final class SharedParameters: @unchecked Sendable {
    // Sendable: the buffer never moves or changes size, and its elements are only touched as relaxed atomics.

    /// d, the number of coordinates.
    public let count: Int
    private let buffer: PageBuffer<Float>
    /// The first coordinate; valid while this object is alive.
    public let pointer: ParameterPointer

    /// Throws where there is no memory for `count` floats.
    public init(count: Int) throws(InputError) {
        buffer = try PageBuffer(count: count, hugePages: true)
        self.count = count
        // Atomic<Float> has the layout of a Float, and zeroed pages are zeros of both.
        unsafe pointer = UnsafeMutableRawPointer(buffer.pointer).assumingMemoryBound(to: Atomic<Float>.self)
    }

    /// One coordinate.
    public subscript(index: Int) -> Float {
        get {
            precondition(index >= 0 && index < count, "coordinate \(index) of \(count)")
            return unsafe pointer[index].load(ordering: .relaxed)
        }
        set {
            precondition(index >= 0 && index < count, "coordinate \(index) of \(count)")
            unsafe pointer[index].store(newValue, ordering: .relaxed)
        }
    }

    /// All coordinates, copied.
    public var values: [Float] { (0..<count).map { unsafe pointer[$0].load(ordering: .relaxed) } }

    /// Overwrites all coordinates with those of a model of the same length.
    public func copy(from other: SharedParameters) {
        precondition(count == other.count, "\(other.count) coordinates into \(count)")
        for j in 0..<count { unsafe pointer[j].store(other.pointer[j].load(ordering: .relaxed), ordering: .relaxed) }
    }

    /// Takes `share` of themselves from the first `prefix` coordinates, for a model with one writer.
    public func shrink(by share: Float, prefix: Int) {
        for j in 0..<prefix {
            let x = unsafe pointer[j].load(ordering: .relaxed)
            unsafe pointer[j].store(x.addingProduct(-share, x), ordering: .relaxed)
        }
    }

    /// Spreads the pages over memory nodes in turn, so that no node serves every worker.
    public func interleave(overNodes nodes: [Int]) {
        if nodes.count > 1 { buffer.bind(NodeRanges(0..<count, over: nodes)) }
    }
}
