// Merging a replica of a model into a common copy by the sum of its changes. The thread that owns the merge runs these.
//
// With t the common copy, w the replica and b what the replica was when it was merged last: x = t + (w - b), then t = w = b = x. Where t is
// still b nobody else has changed it and x is w to the bit. The caller holds what makes t and b its own meanwhile.

internal import CPlatformShims
public import Synchronization

/// Floats of one cache line, of which merging by lines takes all or none.
public let lineFloats = 16

/// Merges `count` floats of a replica that nobody else touches meanwhile.
public func mergeChanges(
    into total: UnsafeMutablePointer<Float>, from own: UnsafeMutablePointer<Float>,
    since base: UnsafeMutablePointer<Float>, count: Int
) {
    let (t, w, b) = (
        UnsafeMutableRawPointer(total), UnsafeMutableRawPointer(own), UnsafeMutableRawPointer(base)
    )
    let bytes = 4 &* count
    var at = 0
    while at &+ 64 <= bytes {
        // The common copy was last written by another core, and will be written here.
        unsafe relaxed_prefetch_for_writing(t + (at &+ 1_024))
        unsafe mergeEight(t + at, w + at, b + at)
        unsafe mergeEight(t + (at &+ 32), w + (at &+ 32), b + (at &+ 32))
        at &+= 64
    }
    for i in at / 4..<count {
        let x = unsafe merged(total[i], own[i], base[i])
        unsafe (total[i], own[i], base[i]) = (x, x, x)
    }
}

@inline(__always)
private func mergeEight(_ t: UnsafeMutableRawPointer, _ w: UnsafeMutableRawPointer, _ b: UnsafeMutableRawPointer) {
    let total = unsafe t.loadUnaligned(as: SIMD8<Float>.self)
    let own = unsafe w.loadUnaligned(as: SIMD8<Float>.self)
    let base = unsafe b.loadUnaligned(as: SIMD8<Float>.self)
    let x = (total + (own - base)).replacing(with: own, where: total .== base)
    unsafe t.storeBytes(of: x, as: SIMD8<Float>.self)
    unsafe w.storeBytes(of: x, as: SIMD8<Float>.self)
    unsafe b.storeBytes(of: x, as: SIMD8<Float>.self)
}

@inline(__always) private func merged(_ total: Float, _ own: Float, _ base: Float) -> Float {
    total == base ? own : total + (own - base)
}

/// Merges `count` floats of a replica that several workers go on changing meanwhile: relaxed, as every access to a model that threads share.
///
/// What a worker adds between the load and the store of one coordinate is lost where another replica has changed it, too, as it is between
/// two workers; else it is merged next time.
public func mergeSharedChanges(
    into total: UnsafeMutablePointer<Float>, from own: ParameterPointer, since base: UnsafeMutablePointer<Float>,
    count: Int
) {
    for i in 0..<count {
        let w = unsafe own[i].load(ordering: .relaxed)
        let x = unsafe merged(total[i], w, base[i])
        if x.bitPattern != w.bitPattern { unsafe own[i].store(x, ordering: .relaxed) }
        unsafe (total[i], base[i]) = (x, x)
    }
}

/// A byte for each cache line of a replica, not 0 where the line has been changed since it was merged last.
public typealias LineMarks = UnsafeMutablePointer<Atomic<UInt8>>

/// Marks the lines of some coordinates. Releases what was written to them before: pairs with the acquire in `mergeLines`.
@inlinable @inline(__always)
public func markLines(_ marks: LineMarks, _ indices: UnsafePointer<UInt32>, _ count: Int) {
    for k in 0..<count { unsafe marks[Int(indices[k] &>> 4)].store(1, ordering: .releasing) }
}

/// A replica's lines and a common copy's, of which those are merged that one of the two sides has changed.
@safe public struct LineMerge {
    let total: UnsafeMutablePointer<Float>
    let own: ParameterPointer
    let base: UnsafeMutablePointer<Float>
    let marks: LineMarks
    /// The version in which each line of the common copy was changed last.
    let stamps: UnsafeMutablePointer<UInt32>
    /// Whether others go on changing the replica meanwhile.
    let isShared: Bool

    public init(
        into total: UnsafeMutablePointer<Float>, from own: ParameterPointer, since base: UnsafeMutablePointer<Float>,
        marks: LineMarks, stamps: UnsafeMutablePointer<UInt32>, isShared: Bool
    ) {
        unsafe self.total = unsafe total
        unsafe self.own = unsafe own
        unsafe self.base = unsafe base
        unsafe self.marks = unsafe marks
        unsafe self.stamps = unsafe stamps
        self.isShared = isShared
    }

    /// Merges the lines `lines`, a range whose ends are multiples of 8, that are marked or that the common copy has changed after version
    /// `seen`; the marked ones are then of `version`. Returns how many were merged.
    public func merge(_ lines: Range<Int>, seen: UInt32, version: UInt32) -> Int {
        var count = 0
        var first = lines.lowerBound
        while first < lines.upperBound {
            // Eight at a time, since most have not changed.
            let word = unsafe UnsafeMutableRawPointer(marks + first).assumingMemoryBound(to: Atomic<UInt64>.self)
                .pointee.load(ordering: .relaxed)
            let newest = unsafe UnsafeRawPointer(stamps + first).loadUnaligned(as: SIMD8<UInt32>.self)
            if word != 0 || any(newest .> seen) {
                for line in first..<first &+ 8 { count &+= merge(line: line, seen: seen, version: version) }
            }
            first &+= 8
        }
        return count
    }

    @inline(__always) private func merge(line: Int, seen: UInt32, version: UInt32) -> Int {
        // Acquires what was written before the mark: pairs with the release in `markLines`. A mark that comes after is for the next merge.
        let isMarked = unsafe marks[line].load(ordering: .acquiring) != 0
        guard unsafe isMarked || stamps[line] > seen else { return 0 }
        if isMarked {
            if isShared {
                _ = unsafe marks[line].exchange(0, ordering: .acquiring)
            } else {
                unsafe marks[line].store(0, ordering: .relaxed)
            }
            unsafe stamps[line] = version
        }
        let at = line &* lineFloats
        if isShared {
            unsafe mergeSharedChanges(into: total + at, from: own + at, since: base + at, count: lineFloats)
        } else {
            // Atomic<Float> has the layout of a Float.
            let plain = unsafe UnsafeMutableRawPointer(own + at).assumingMemoryBound(to: Float.self)
            unsafe mergeChanges(into: total + at, from: plain, since: base + at, count: lineFloats)
        }
        return 1
    }
}
