// Elements chosen out of a vector and put back. One thread per instance.

public import Platform

/// Some elements of a vector of `count` floats: values with their places, in order.
///
/// Places are 16-bit numbers within blocks of 65,536 elements, so that a place costs two bytes in vectors of any length.
@safe public struct SparseSelection: ~Copyable {
    /// Elements of a block.
    public static let block = 1 << 16

    public let count: Int
    /// Most elements that can be chosen.
    public let capacity: Int
    /// How many have been chosen.
    public internal(set) var kept = 0
    let places: PageBuffer<UInt16>
    let floats: PageBuffer<Float>
    /// Elements chosen in each block.
    let keptOfBlock: PageBuffer<UInt32>

    /// Space for `capacity` elements; memory that is never used is never taken.
    public init(count: Int, capacity: Int) throws(InputError) {
        // The kernels write up to 64 elements further than they count.
        let places = try PageBuffer<UInt16>(count: capacity + 64, hugePages: true)
        let floats = try PageBuffer<Float>(count: capacity + 64, hugePages: true)
        keptOfBlock = try PageBuffer(count: Self.blockCount(of: count))
        self.places = places
        self.floats = floats
        self.count = count
        self.capacity = capacity
    }

    /// Bytes that it takes where as many as can be are chosen.
    public var memoryBytes: Int { places.byteCount + floats.byteCount + keptOfBlock.byteCount }

    /// The chosen values, `kept` of them.
    public var values: UnsafeMutablePointer<Float> { unsafe floats.pointer }

    /// Blocks of a vector.
    public static func blockCount(of count: Int) -> Int { (count + block - 1) / block }

    /// The elements of a block.
    func range(ofBlock index: Int) -> Range<Int> { index * Self.block..<min(count, (index + 1) * Self.block) }

    /// Bytes of the places: a UInt32 for each block, how many of its elements are there, then a UInt16 for each element.
    public static func placeBytes(count: Int, kept: Int) -> Int { 4 * blockCount(of: count) + 2 * kept }

    /// Writes the places, `placeBytes` of them.
    public func writePlaces(to bytes: UnsafeMutableRawPointer) {
        let head = 4 * keptOfBlock.count
        unsafe bytes.copyMemory(from: keptOfBlock.pointer, byteCount: head)
        unsafe (bytes + head).copyMemory(from: places.pointer, byteCount: 2 * kept)
    }

    // MARK: Places from outside

    /// How many elements the places name that begin in `byteCount` bytes; nil where these are too few for the blocks, or a block has more
    /// than its elements.
    public static func kept(inPlaces bytes: UnsafeRawPointer, byteCount: Int, count: Int) -> Int? {
        guard byteCount >= 4 * blockCount(of: count) else { return nil }
        var sum = 0
        for block in 0..<blockCount(of: count) {
            let size = unsafe Int(bytes.loadUnaligned(fromByteOffset: 4 * block, as: UInt32.self))
            guard size <= min(Self.block, count - block * Self.block) else { return nil }
            sum += size
        }
        return sum
    }

    /// The first byte of the places that no encoder writes, where some place does not exceed its predecessor or lies beyond the vector;
    /// `bytes` holds as many places as its own counts say.
    public static func firstBadPlace(in bytes: UnsafeRawPointer, count: Int) -> Int? {
        var at = 4 * blockCount(of: count)
        for block in 0..<blockCount(of: count) {
            let size = unsafe Int(bytes.loadUnaligned(fromByteOffset: 4 * block, as: UInt32.self))
            guard size > 0 else { continue }
            let places = unsafe bytes + at
            var isBad = false
            for i in 1..<max(1, size) {
                let (before, this) = unsafe (place(places, i &- 1), place(places, i))
                isBad = isBad || before >= this
            }
            let last = unsafe place(places, size - 1)
            if isBad || Int(last) >= count - block * Self.block { return at }
            at += 2 * size
        }
        return nil
    }

    @inline(__always) private static func place(_ places: UnsafeRawPointer, _ i: Int) -> UInt16 {
        unsafe places.loadUnaligned(fromByteOffset: 2 &* i, as: UInt16.self)
    }

    /// y[place] = value, or += scale * value where `adding`, for places in which `firstBadPlace` found nothing.
    ///
    /// Returns whether all values are finite.
    public static func scatter(
        places bytes: UnsafeRawPointer, values: UnsafeRawPointer, count: Int, adding: Bool, scale: Float,
        into y: UnsafeMutablePointer<Float>
    ) -> Bool {
        var places = unsafe bytes + 4 * blockCount(of: count)
        var from = unsafe values
        var check: Float = 0
        for block in 0..<blockCount(of: count) {
            let size = unsafe Int(bytes.loadUnaligned(fromByteOffset: 4 * block, as: UInt32.self))
            let target = unsafe y + block * Self.block
            for i in 0..<size {
                let value = unsafe from.loadUnaligned(fromByteOffset: 4 &* i, as: Float.self)
                check += value * 0
                let place = unsafe Int(place(places, i))
                unsafe target[place] = adding ? target[place] + scale * value : value
            }
            unsafe places += 2 * size
            unsafe from += 4 * size
        }
        return check == 0
    }
}
