// Choosing the floats of a vector that are largest in magnitude, or at least as large as a threshold. One thread per instance.

public import Platform

#if arch(x86_64)
    internal import KernelsAVX512
#endif

/// Chooses by magnitude, in a time that is linear in the length whatever the floats are.
///
/// For the k largest a sample says about where the k-th lies; what is at least that large is collected in one pass, and the exact threshold
/// found among it. Where the sample misled (many floats of several equal values, or bad luck) the threshold is found in the whole vector. An exact threshold
/// takes eleven passes that each count against seven numbers at once and so narrow 31 bits by three: no branch depends on the floats.
@safe public struct MagnitudeSelector: ~Copyable {
    public var selection: SparseSelection
    private let instructions: InstructionSet
    private let sample: UnsafeMutablePointer<Float>
    private let thresholds: UnsafeMutablePointer<UInt32>
    private let counts: UnsafeMutablePointer<Int>

    /// Bits of the smallest magnitude that is not finite.
    private static let infinity: UInt32 = 0x7F80_0000
    private static let largestSample = 1 << 14
    /// Floats that are worked on while they stay in the first-level cache.
    private static let tile = 1 << 12

    /// For vectors of `count` floats of which at most `largest` are chosen.
    public init(count: Int, largest: Int, instructions: InstructionSet = .best) throws(InputError) {
        selection = try SparseSelection(count: count, capacity: min(count, 2 * largest + Self.tile))
        self.instructions = instructions
        unsafe sample = .allocate(capacity: Self.largestSample)
        unsafe thresholds = .allocate(capacity: 7)
        unsafe counts = .allocate(capacity: 7)
    }

    deinit {
        unsafe sample.deallocate()
        unsafe thresholds.deallocate()
        unsafe counts.deallocate()
    }

    /// An exact threshold: the k-th largest magnitude, and how many of those that equal it are among the k.
    private struct Cut {
        var magnitude: UInt32
        var ties: Int
    }

    /// Chooses the `k` largest, 1 ... `largest`, of equal ones the first. What is not finite counts as largest.
    ///
    /// - Parameters:
    ///   - residual: nil, or r for error feedback: then v = x + feedback * r is what is chosen from and what r becomes.
    public mutating func chooseLargest(
        _ k: Int, of x: UnsafePointer<Float>, residual: UnsafeMutablePointer<Float>?, feedback: Float
    ) {
        let count = selection.count
        let values = unsafe UnsafePointer(residual ?? UnsafeMutablePointer(mutating: x))
        if count > Self.tile {
            let size = unsafe takeSample(x, residual, feedback)
            // Rather more than fewer: four standard errors.
            let expected = Double(size) * Double(k) / Double(count)
            let rank = Int(expected + 4 * expected.squareRoot()) + 2
            let guess = max(1, roughMagnitude(atRank: rank, size))
            let found = unsafe collect(atLeast: guess, x, residual, feedback)
            if found >= k { return unsafe filter(cut(at: k, of: selection.values, count: found)) }
            if found >= 0 && guess == 1 { return unsafe choose(Cut(magnitude: 0, ties: k - found), of: values) }
            // Too many: are they equal to one of the sample?
            if found < 0, let cut = unsafe cut(at: k, of: values, amongTiesOf: cut(at: rank, of: sample, count: size)) {
                return unsafe choose(cut, of: values)
            }
        } else if let residual = unsafe residual {
            unsafe addFeedback(x, residual, feedback, count)
        }
        unsafe choose(cut(at: k, of: values, count: count), of: values)
    }

    /// Chooses what has at least the magnitude `threshold`, and whatever is not finite.
    ///
    /// The instance must have been made for `count` chosen elements.
    public mutating func choose(atLeast threshold: Float, of x: UnsafePointer<Float>) {
        precondition(threshold >= 0 && selection.capacity == selection.count, "a threshold of \(threshold)")
        _ = unsafe collect(atLeast: threshold.bitPattern, x, nil, 0)
    }

    // MARK: Thresholds

    /// Fills the sample; returns its size.
    private func takeSample(
        _ x: UnsafePointer<Float>, _ residual: UnsafeMutablePointer<Float>?, _ feedback: Float
    ) -> Int {
        let size = min(Self.largestSample, selection.count / 32)
        let step = selection.count / size
        for i in 0..<size {
            // Jittered, or it could follow a pattern in the vector.
            let jitter = (i &* 0x9E37_79B9 & 0xFFFF_FFFF) &* step &>> 32
            let place = i &* step &+ jitter
            let value = unsafe x[place]
            unsafe sample[i] = residual == nil ? value : value.addingProduct(residual![place], feedback)
        }
        return size
    }

    /// A magnitude that `rank` of the sample reach, to about a percent.
    private func roughMagnitude(atRank rank: Int, _ size: Int) -> UInt32 {
        var (low, high) = (UInt32(0), Self.infinity)
        for _ in 0..<5 where high - low >= 8 { _ = unsafe narrow(&low, &high, around: rank, sample, size) }
        return low
    }

    /// The k-th largest magnitude if it is that of a cut elsewhere.
    private func cut(at k: Int, of x: UnsafePointer<Float>, amongTiesOf other: Cut) -> Cut? {
        unsafe thresholds[0] = other.magnitude
        for j in 1..<7 { unsafe thresholds[j] = other.magnitude + 1 }
        unsafe countMagnitudes(x, selection.count)
        guard unsafe counts[0] >= k && counts[1] < k else { return nil }
        return unsafe Cut(magnitude: other.magnitude, ties: k - counts[1])
    }

    /// The k-th largest magnitude.
    private func cut(at k: Int, of x: UnsafePointer<Float>, count: Int) -> Cut {
        var (low, high, above) = (UInt32(0), UInt32(1) << 31, 0)
        while high - low > 1 { above = max(above, unsafe narrow(&low, &high, around: k, x, count)) }
        return Cut(magnitude: low, ties: k - above)
    }

    /// Narrows low ... high, where at least k magnitudes reach `low` and fewer reach `high`, to an eighth; returns how many reach `high`, or
    /// 0 where it stays.
    private func narrow(
        _ low: inout UInt32, _ high: inout UInt32, around k: Int, _ x: UnsafePointer<Float>, _ count: Int
    ) -> Int {
        let width = high - low
        for j in 0..<7 {
            let step = width >= 8 ? UInt32(UInt64(width) * UInt64(j + 1) / 8) : min(width, UInt32(j + 1))
            unsafe thresholds[j] = low + step
        }
        unsafe countMagnitudes(x, count)
        return settle(&low, &high, k)
    }

    private func settle(_ low: inout UInt32, _ high: inout UInt32, _ k: Int) -> Int {
        for j in 0..<7 {
            guard unsafe counts[j] >= k else {
                guard unsafe thresholds[j] < high else { return 0 }
                unsafe high = thresholds[j]
                return unsafe counts[j]
            }
            unsafe low = thresholds[j]
        }
        return 0
    }

    // MARK: Choosing

    /// Chooses all that reach a threshold; returns how many, or -1 where these do not fit.
    private mutating func collect(
        atLeast threshold: UInt32, _ x: UnsafePointer<Float>, _ residual: UnsafeMutablePointer<Float>?,
        _ feedback: Float
    ) -> Int {
        let count = selection.count
        selection.kept = 0
        var fits = true
        for block in 0..<selection.keptOfBlock.count {
            let before = selection.kept
            let end = min(count, (block + 1) * SparseSelection.block)
            var start = block * SparseSelection.block
            while start < end {
                let size = unsafe residual == nil ? end - start : min(Self.tile, end - start)
                var from = unsafe x
                if let residual = unsafe residual {
                    unsafe addFeedback(x + start, residual + start, feedback, size)
                    unsafe from = UnsafePointer(residual)
                }
                if fits { fits = unsafe append(from, start..<start + size, atLeast: threshold) }
                if unsafe !fits && residual == nil { return -1 }
                start += size
            }
            unsafe selection.keptOfBlock.pointer[block] = UInt32(selection.kept - before)
        }
        return fits ? selection.kept : -1
    }

    /// Chooses what exceeds the cut and the first of those that equal it.
    private mutating func choose(_ cut: Cut, of x: UnsafePointer<Float>) {
        selection.kept = 0
        var ties = cut.ties
        for block in 0..<selection.keptOfBlock.count {
            let before = selection.kept
            let start = block * SparseSelection.block
            let end = min(selection.count, start + SparseSelection.block)
            // Up to `middle` ties are taken.
            var middle = start
            if ties > 0 {
                unsafe thresholds[0] = cut.magnitude
                for j in 1..<7 { unsafe thresholds[j] = cut.magnitude + 1 }
                unsafe countMagnitudes(x + start, end - start)
                let equal = unsafe counts[0] - counts[1]
                middle = end
                if equal > ties {
                    middle = start
                    while ties > 0 {
                        if unsafe x[middle].magnitude.bitPattern == cut.magnitude { ties -= 1 }
                        middle += 1
                    }
                } else {
                    ties -= equal
                }
            }
            _ = unsafe append(x, start..<middle, atLeast: cut.magnitude)
            _ = unsafe append(x, middle..<end, atLeast: cut.magnitude + 1)
            unsafe selection.keptOfBlock.pointer[block] = UInt32(selection.kept - before)
        }
    }

    /// Leaves of the chosen elements those of the cut.
    private mutating func filter(_ cut: Cut) {
        let (places, values) = unsafe (selection.places.pointer, selection.values)
        var ties = cut.ties
        var (from, to) = (0, 0)
        for block in 0..<selection.keptOfBlock.count {
            let before = to
            let end = unsafe from + Int(selection.keptOfBlock.pointer[block])
            while from < end {
                let value = unsafe values[from]
                let magnitude = value.magnitude.bitPattern
                let isTie = magnitude == cut.magnitude && ties > 0
                unsafe places[to] = places[from]
                unsafe values[to] = value
                ties &-= isTie ? 1 : 0
                to &+= magnitude > cut.magnitude || isTie ? 1 : 0
                from &+= 1
            }
            unsafe selection.keptOfBlock.pointer[block] = UInt32(to - before)
        }
        selection.kept = to
    }

    // MARK: The two widths of the wide kernels

    /// Appends those of a range, within one block, that reach a threshold; returns whether they fit.
    private mutating func append(_ x: UnsafePointer<Float>, _ range: Range<Int>, atLeast threshold: UInt32) -> Bool {
        let first = UInt16(truncatingIfNeeded: range.lowerBound)
        let room = selection.capacity + 64 - selection.kept
        let (places, values) = unsafe (selection.places.pointer + selection.kept, selection.values + selection.kept)
        var found = 0
        #if arch(x86_64)
            if instructions == .avx512 {
                found = unsafe KernelsAVX512.wideCollectMagnitudes(
                    x + range.lowerBound, count: range.count, threshold: threshold, first: first, capacity: room,
                    places: places, values: values)
                selection.kept += max(0, found)
                return found >= 0
            }
        #endif
        found = unsafe wideCollectMagnitudes(
            x + range.lowerBound, count: range.count, threshold: threshold, first: first, capacity: room,
            places: places, values: values)
        selection.kept += max(0, found)
        return found >= 0
    }

    private func countMagnitudes(_ x: UnsafePointer<Float>, _ count: Int) {
        #if arch(x86_64)
            if instructions == .avx512 {
                return unsafe KernelsAVX512.wideCountMagnitudes(x, count: count, thresholds: thresholds, into: counts)
            }
        #endif
        unsafe wideCountMagnitudes(x, count: count, thresholds: thresholds, into: counts)
    }

    private func addFeedback(
        _ x: UnsafePointer<Float>, _ residual: UnsafeMutablePointer<Float>, _ feedback: Float, _ count: Int
    ) {
        #if arch(x86_64)
            if instructions == .avx512 {
                return unsafe KernelsAVX512.wideAddFeedback(x, residual: residual, scale: feedback, count: count)
            }
        #endif
        unsafe wideAddFeedback(x, residual: residual, scale: feedback, count: count)
    }
}
