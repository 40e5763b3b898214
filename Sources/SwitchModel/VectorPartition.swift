// How a parameter vector is cut into what travels. Plain values; any thread.

/// The sizes of a vector's consecutive partitions, in megabytes of 10^6 bytes.
public struct VectorPartition: Sendable {
    /// How many partitions there are.
    public let count: Int
    /// All of them together.
    public let megabytes: Double
    /// Where each partition begins and the last ends, in bytes; nil for equal ones.
    private let byteOffsets: [Int]?

    /// `count` equal partitions of a vector of `megabytes`, as the closed forms assume.
    public init(megabytes: Double, count: Int) {
        precondition(count >= 1, "\(count) partitions")
        self.count = count
        self.megabytes = megabytes
        byteOffsets = nil
    }

    /// Partitions of the given sizes.
    public init(byteCounts: [Int]) {
        count = byteCounts.count
        let offsets = byteCounts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
        byteOffsets = offsets
        megabytes = Double(offsets[count]) / 1e6
    }

    /// The elements `elements * r / count ..< elements * (r + 1) / count` as partition r, as collectives cut a vector.
    public init(elements: Int, bytesPerElement: Int = 4, count: Int) {
        self.init(
            byteCounts: (0..<count).map {
                (elements * ($0 + 1) / count - elements * $0 / count) * bytesPerElement
            })
    }

    /// The size of one partition.
    public func megabytes(of index: Int) -> Double { megabytes(of: index..<index + 1) }

    /// The size of neighbouring partitions that travel as one message.
    public func megabytes(of range: Range<Int>) -> Double {
        guard let byteOffsets else { return megabytes * Double(range.count) / Double(count) }
        return Double(byteOffsets[range.upperBound] - byteOffsets[range.lowerBound]) / 1e6
    }

    /// The size of `length` partitions from number `start` on, the first following the last, that travel as one message.
    public func megabytes(from start: Int, length: Int) -> Double {
        let end = start + length
        if byteOffsets == nil || end <= count { return megabytes(of: start..<end) }
        return megabytes(of: start..<count) + megabytes(of: 0..<end - count)
    }
}
