// Choosing the floats of a vector that are largest in magnitude, or at least as large as a threshold. One thread per instance.

public import Platform

#if arch(x86_64)
    internal import KernelsAVX512
#endif

/// Chooses by magnitude, in a time that is linear in the length whatever the floats are.
///
/// For the k largest a sample says about where the k-th lies; what is at least that large is collected in one pass, and the exact threshold
/// found among it. Where the sample misled (many floats of several equal values, or bad luck) the threshold is found in the whole vector.
/// An exact threshold takes eleven passes that each count against seven numbers at once and so narrow 31 bits by three: no branch
/// depends on the floats.
@safe public struct MagnitudeSelector: ~Copyable {
    public var selection: SparseSelection
    private let instructions: InstructionSet
    private let sample: UnsafeMutablePointer<Float>
    private let thresholds: UnsafeMutablePointer<UInt32>
    private let counts: UnsafeMutablePointer<Int>
    /// What passed of a tile, a bit for each float.
    private let masks: UnsafeMutablePointer<UInt64>

    /// Bits of the smallest magnitude that is not finite.
    private static let infinity: UInt32 = 0x7F80_0000
    private static let largestSample = 1 << 14
    /// Floats that are worked on while they stay in the first-level cache.
    private static let tile = 1 << 12

    /// For vectors of `count` floats of which at most `largest` are chosen.
    public init(count: Int, largest: Int, instructions: InstructionSet = .best) throws(InputError) {
        selection = try SparseSelection(count: count, capacity: min(count, 2 * largest + 2 * Self.tile))
        self.instructions = instructions
        unsafe sample = .allocate(capacity: Self.largestSample)
        unsafe thresholds = .allocate(capacity: 7)
        unsafe counts = .allocate(capacity: 7)
        unsafe masks = .allocate(capacity: Self.tile / 64)
    }

    deinit {
        unsafe sample.deallocate()
        unsafe thresholds.deallocate()
        unsafe counts.deallocate()
        unsafe masks.deallocate()
    }

    /// An exact threshold: the k-th largest magnitude, and how many of those that equal it are among the k.
    private struct Cut {
        var magnitude: UInt32
        var ties: Int
    }

    /// Chooses the `k` largest, 1 ... `largest`, of equal ones the first. What is not finite counts as largest.
    ///
    /// - Parameters:
    ///   - memory: nil, or what error feedback keeps, `feedbackCount` floats, which stand for the residual r: then v = x + factor * r is what
    ///     is chosen from, and what is not chosen of it becomes the residual.
    public mutating func chooseLargest(
        _ k: Int, of x: UnsafePointer<Float>, feedback memory: UnsafeMutablePointer<Float>?, factor: Float
    ) {
        guard let memory = unsafe memory else {
            _ = unsafe chooseLargest(k, of: x, nil)
            return
        }
        let feedback = unsafe Feedback(u: memory, count: selection.count, factor: factor)
        let cut = unsafe chooseLargest(k, of: x, feedback)
        unsafe feedback.store(magnitude: cut.magnitude, boundary: endOfTies(cut.magnitude))
    }

    private mutating func chooseLargest(_ k: Int, of x: UnsafePointer<Float>, _ feedback: Feedback?) -> Cut {
        let count = selection.count
        let values = unsafe feedback.map { unsafe UnsafePointer($0.u) } ?? x
        if count > Self.tile {
            let size = unsafe takeSample(x, feedback)
            // Rather more than fewer: four standard errors.
            let expected = Double(size) * Double(k) / Double(count)
            let rank = Int(expected + 4 * expected.squareRoot()) + 2
            let guess = max(1, roughMagnitude(atRank: rank, size))
            let found = unsafe collect(atLeast: guess, x, feedback)
            if found >= k { return unsafe filter(cut(at: k, of: selection.values, count: found)) }
            if found >= 0 && guess == 1 { return unsafe choose(Cut(magnitude: 0, ties: k - found), of: values) }
            // Too many: are they equal to one of the sample?
            if found < 0, let cut = unsafe cut(at: k, of: values, amongTiesOf: cut(at: rank, of: sample, count: size)) {
                return unsafe choose(cut, of: values)
            }
        } else if let feedback = unsafe feedback {
            for run in unsafe feedback.runs(of: 0..<count) { unsafe addFeedback(x, feedback, run) }
        }
        return unsafe choose(cut(at: k, of: values, count: count), of: values)
    }

    /// Chooses what has at least the magnitude `threshold`, and whatever is not finite.
    ///
    /// The instance must have been made for `count` chosen elements.
    public mutating func choose(atLeast threshold: Float, of x: UnsafePointer<Float>) {
        precondition(threshold >= 0 && selection.capacity == selection.count, "a threshold of \(threshold)")
        _ = unsafe collect(atLeast: threshold.bitPattern, x, nil)
    }

    // MARK: Error feedback

    /// Floats that error feedback keeps.
    public var feedbackCount: Int { selection.count + 3 }

    /// Leaves the residual in the first `count` floats that error feedback keeps, and zeros behind them, which stand for the same.
    public func settle(_ memory: UnsafeMutablePointer<Float>) {
        let feedback = unsafe Feedback(u: memory, count: selection.count, factor: 1)
        for run in unsafe feedback.runs(of: 0..<selection.count) {
            unsafe clearMagnitudes(memory + run.lowerBound, run.count, atLeast: feedback.chosen(from: run.lowerBound))
        }
        unsafe feedback.storeNothingChosen()
    }

    /// What error feedback keeps: the floats u of the last v, and behind them the cut, by which those that were chosen, and so are not of
    /// the residual, are known. To clear them at once would be another pass over memory.
    @unsafe private struct Feedback {
        let u: UnsafeMutablePointer<Float>
        let factor: Float
        /// Chosen are magnitudes above this one, and before `boundary` also those that equal it.
        private let magnitude: UInt32
        private let boundary: Int
        private let tail: UnsafeMutableRawPointer

        /// Nothing exceeds it. What is kept of a magnitude is its distance from here, so that zeros say that nothing was chosen.
        private static let largest = UInt32.max >> 1

        init(u: UnsafeMutablePointer<Float>, count: Int, factor: Float) {
            unsafe (self.u, self.factor) = (u, factor)
            unsafe tail = UnsafeMutableRawPointer(u + count)
            unsafe magnitude = Self.largest - tail.load(as: UInt32.self)
            unsafe boundary = Int(tail.loadUnaligned(fromByteOffset: 4, as: Int64.self))
        }

        func store(magnitude: UInt32, boundary: Int) {
            unsafe tail.storeBytes(of: Self.largest - magnitude, as: UInt32.self)
            unsafe tail.storeBytes(of: Int64(boundary), toByteOffset: 4, as: Int64.self)
        }

        func storeNothingChosen() { unsafe store(magnitude: Self.largest, boundary: 0) }

        /// The magnitude from which on those at `start` and up to the end of its run were chosen.
        func chosen(from start: Int) -> UInt32 { unsafe start < boundary ? magnitude : magnitude + 1 }

        /// A range in parts of at most `tile` floats that do not cross the boundary.
        func runs(of range: Range<Int>) -> some Sequence<Range<Int>> {
            let boundary = unsafe boundary
            return sequence(state: range.lowerBound) { start -> Range<Int>? in
                guard start < range.upperBound else { return nil }
                var end = min(range.upperBound, start - start % MagnitudeSelector.tile + MagnitudeSelector.tile)
                if start < boundary && boundary < end { end = boundary }
                defer { start = end }
                return start..<end
            }
        }
    }

    /// The end of the places of those chosen whose magnitude is `magnitude`, the smallest chosen.
    private func endOfTies(_ magnitude: UInt32) -> Int {
        var i = selection.kept
        for block in (0..<selection.keptOfBlock.count).reversed() {
            let first = unsafe i - Int(selection.keptOfBlock.pointer[block])
            while i > first {
                i -= 1
                guard unsafe selection.values[i].magnitude.bitPattern == magnitude else { continue }
                return unsafe block * SparseSelection.block + Int(selection.places.pointer[i]) + 1
            }
        }
        return 0
    }

    // MARK: Thresholds

    /// Fills the sample; returns its size.
    private func takeSample(_ x: UnsafePointer<Float>, _ feedback: Feedback?) -> Int {
        let size = min(Self.largestSample, selection.count / 32)
        let step = selection.count / size
        for i in 0..<size {
            // Jittered, or it could follow a pattern in the vector.
            let jitter = (i &* 0x9E37_79B9 & 0xFFFF_FFFF) &* step &>> 32
            let place = i &* step &+ jitter
            unsafe sample[i] = x[place]
            guard let feedback = unsafe feedback else { continue }
            let u = unsafe feedback.u[place]
            guard unsafe u.magnitude.bitPattern < feedback.chosen(from: place) else { continue }
            unsafe sample[i] = x[place].addingProduct(u, feedback.factor)
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

    /// Chooses all that reach a threshold; returns how many, or -1 where these do not fit. Adds the feedback to all either way.
    private mutating func collect(
        atLeast threshold: UInt32, _ x: UnsafePointer<Float>, _ feedback: Feedback?
    ) -> Int {
        selection.kept = 0
        var fits = true
        for block in 0..<selection.keptOfBlock.count {
            let before = selection.kept
            let range = selection.range(ofBlock: block)
            if let feedback = unsafe feedback {
                for run in unsafe feedback.runs(of: range) {
                    fits = fits && selection.kept + run.count <= selection.capacity
                    if fits {
                        unsafe appendSums(x, feedback, run, atLeast: threshold)
                    } else {
                        unsafe addFeedback(x, feedback, run)
                    }
                }
            } else {
                guard unsafe append(x, range, atLeast: threshold) else { return -1 }
            }
            unsafe selection.keptOfBlock.pointer[block] = UInt32(selection.kept - before)
        }
        return fits ? selection.kept : -1
    }

    /// Chooses what exceeds the cut and the first of those that equal it.
    private mutating func choose(_ cut: Cut, of x: UnsafePointer<Float>) -> Cut {
        selection.kept = 0
        var ties = cut.ties
        for block in 0..<selection.keptOfBlock.count {
            let before = selection.kept
            let range = selection.range(ofBlock: block)
            let (start, end) = (range.lowerBound, range.upperBound)
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
        return cut
    }

    /// Leaves of the chosen elements those of the cut.
    private mutating func filter(_ cut: Cut) -> Cut {
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
        return cut
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

    /// Adds the feedback to a run, within one block, and appends those that reach a threshold, for all of which there is room.
    private mutating func appendSums(
        _ x: UnsafePointer<Float>, _ feedback: Feedback, _ run: Range<Int>, atLeast threshold: UInt32
    ) {
        let (start, count) = (run.lowerBound, run.count)
        let first = UInt16(truncatingIfNeeded: start)
        let (places, values) = unsafe (selection.places.pointer + selection.kept, selection.values + selection.kept)
        #if arch(x86_64)
            if instructions == .avx512 {
                selection.kept += unsafe KernelsAVX512.wideCollectSums(
                    x + start, feedback: feedback.u + start, factor: feedback.factor,
                    chosen: feedback.chosen(from: start), count: count, threshold: threshold, first: first,
                    masks: masks, places: places, values: values)
                return
            }
        #endif
        selection.kept += unsafe wideCollectSums(
            x + start, feedback: feedback.u + start, factor: feedback.factor, chosen: feedback.chosen(from: start),
            count: count, threshold: threshold, first: first, masks: masks, places: places, values: values)
    }

    private func addFeedback(_ x: UnsafePointer<Float>, _ feedback: Feedback, _ run: Range<Int>) {
        let (start, count) = (run.lowerBound, run.count)
        #if arch(x86_64)
            if instructions == .avx512 {
                return unsafe KernelsAVX512.wideAddFeedback(
                    x + start, feedback: feedback.u + start, factor: feedback.factor,
                    chosen: feedback.chosen(from: start), count: count)
            }
        #endif
        unsafe wideAddFeedback(
            x + start, feedback: feedback.u + start, factor: feedback.factor, chosen: feedback.chosen(from: start),
            count: count)
    }

    private func clearMagnitudes(_ u: UnsafeMutablePointer<Float>, _ count: Int, atLeast chosen: UInt32) {
        #if arch(x86_64)
            if instructions == .avx512 {
                return unsafe KernelsAVX512.wideClearMagnitudes(u, count: count, chosen: chosen)
            }
        #endif
        unsafe wideClearMagnitudes(u, count: count, chosen: chosen)
    }
}
