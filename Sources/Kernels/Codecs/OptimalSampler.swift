// Sparsification with the probabilities that give the least variance (Wangni et al., 2018, Algorithm 3). One thread per instance.

public import Platform

#if arch(x86_64)
    internal import KernelsAVX512
#endif

/// Keeps x with probability p = min(1, |x| / scale), as x where that is 1 and as +-scale otherwise, so that the mean is x.
///
/// The scale is such that the probabilities add up to a given number: among all probabilities with that sum these have the least variance,
/// the sum of |x| (scale - |x|) over the |x| below the scale. A draw is 31 bits, so that p is right to 2^-31.
@safe public struct OptimalSampler: ~Copyable {
    public var selection: SparseSelection
    private let instructions: InstructionSet
    private let draw: UnsafeMutablePointer<UInt64>
    private let sum: UnsafeMutablePointer<Double>

    public init(count: Int, instructions: InstructionSet = .best) throws(InputError) {
        selection = try SparseSelection(count: count, capacity: count)
        self.instructions = instructions
        unsafe draw = .allocate(capacity: 4)
        unsafe sum = .allocate(capacity: 1)
    }

    /// Bytes of the memory that grows with the vector.
    public var memoryBytes: Int { selection.memoryBytes }

    deinit {
        unsafe draw.deallocate()
        unsafe sum.deallocate()
    }

    /// The scale at which the probabilities add up to `expected`, above 0, or to the number of floats that are not zero if that is less; NaN
    /// where something is not finite.
    ///
    /// Newton's method on the sum as a function of 1/scale, which is concave and made of straight pieces: each pass divides the product of
    /// what is missing and of the slope by four or more, and the last lands on the scale itself. Ordinary vectors take three to six.
    public func scale(of x: UnsafePointer<Float>, expected: Double) -> Float {
        var large = unsafe sumSmaller(x, than: .infinity)
        guard unsafe large == 0 && sum.pointee < .infinity else { return .nan }
        // A scale that no float can be would keep fewer; the largest float keeps more, with the same mean.
        var scale = unsafe min(max(Float(sum.pointee / expected), .leastNonzeroMagnitude), .greatestFiniteMagnitude)
        while true {
            let before = large
            large = unsafe sumSmaller(x, than: scale)
            let missing = expected - Double(large)
            guard unsafe large > before && missing > 0 && sum.pointee > 0 else { return scale }
            let next = unsafe max(Float(sum.pointee / missing), .leastNonzeroMagnitude)
            // Rounding can stop it one step earlier.
            guard next < scale else { return scale }
            scale = next
        }
    }

    /// Chooses elements of x with its `scale`.
    public mutating func sample(_ x: UnsafePointer<Float>, scale: Float, bits: DrawBits) {
        unsafe bits.store(to: draw)
        selection.kept = 0
        for block in 0..<selection.keptOfBlock.count {
            let start = block * SparseSelection.block
            let size = min(SparseSelection.block, selection.count - start)
            let found = unsafe append(x + start, size, scale, UInt64(start / 4))
            for i in selection.kept..<selection.kept + found {
                let value = unsafe selection.values[i]
                unsafe selection.values[i] = value.magnitude < scale ? (value < 0 ? -scale : scale) : value
            }
            unsafe selection.keptOfBlock.pointer[block] = UInt32(found)
            selection.kept += found
        }
    }

    // MARK: The two widths of the wide kernels

    private func sumSmaller(_ x: UnsafePointer<Float>, than threshold: Float) -> Int {
        #if arch(x86_64)
            if instructions == .avx512 {
                return unsafe KernelsAVX512.wideSumSmaller(x, count: selection.count, threshold: threshold, sum: sum)
            }
        #endif
        return unsafe wideSumSmaller(x, count: selection.count, threshold: threshold, sum: sum)
    }

    private func append(_ x: UnsafePointer<Float>, _ size: Int, _ scale: Float, _ block: UInt64) -> Int {
        let (places, values) = unsafe (selection.places.pointer + selection.kept, selection.values + selection.kept)
        #if arch(x86_64)
            if instructions == .avx512 {
                return unsafe KernelsAVX512.wideSampleMagnitudes(
                    x, count: size, scale: scale, draw: draw, block: block, first: 0, places: places, values: values)
            }
        #endif
        return unsafe wideSampleMagnitudes(
            x, count: size, scale: scale, draw: draw, block: block, first: 0, places: places, values: values)
    }
}
