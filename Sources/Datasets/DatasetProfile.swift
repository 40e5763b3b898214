// What a data set looks like, and how much its rows would collide under Hogwild. One thread, one pass.

public import Platform

/// Sizes, labels and the features that most updates fall on.
public struct DatasetProfile: Sendable {
    /// How many rows have a feature.
    public struct FeatureCount: Sendable, Equatable {
        /// 0-based.
        public let feature: Int
        public let rows: Int
    }

    public let rowCount: Int
    public let featureCount: Int
    public let nonzeroCount: Int
    /// Nonzeros of a row.
    public let leastNonzeros: Int
    public let mostNonzeros: Int
    public let labels: LabelSummary
    /// The features that occur, by descending number of rows, then ascending.
    public let features: [FeatureCount]
    /// Features that two rows drawn at random have in common, on average: the sum over features of (its share of rows)^2.
    ///
    /// Bounds the probability that two updates that overlap in time touch a common coordinate.
    public let expectedSharedFeatures: Double

    /// Throws where there is no memory for the counting.
    public init(_ dataset: SparseDataset) throws(InputError) {
        let rows = unsafe dataset.rows
        var (least, most) = (Int.max, 0)
        for row in 0..<dataset.rowCount {
            let (begin, end) = unsafe (rows.rowOffsets[row], rows.rowOffsets[row + 1])
            least = min(least, end - begin)
            most = max(most, end - begin)
        }
        // A counter per feature is fastest, unless nearly all of them stay 0.
        let isDense = dataset.featureCount / 16 <= dataset.nonzeroCount
        var features = isDense ? try Self.countInPlace(dataset) : try Self.countBySorting(dataset)
        let shared = features.reduce(0.0) { sum, feature in
            let share = Double(feature.rows) / Double(dataset.rowCount)
            return sum + share * share
        }
        features.sort { ($1.rows, $0.feature) < ($0.rows, $1.feature) }
        rowCount = dataset.rowCount
        featureCount = dataset.featureCount
        nonzeroCount = dataset.nonzeroCount
        leastNonzeros = least
        mostNonzeros = most
        labels = dataset.labelSummary()
        self.features = features
        expectedSharedFeatures = shared
        withExtendedLifetime(dataset) {}
    }

    /// The features that occur, ascending, in time and memory that follow the number of features.
    private static func countInPlace(_ dataset: SparseDataset) throws(InputError) -> [FeatureCount] {
        let counters = try PageBuffer<UInt32>(count: dataset.featureCount)
        let counts = unsafe UnsafeMutableBufferPointer(start: counters.pointer, count: dataset.featureCount)
        let rows = unsafe dataset.rows
        for k in 0..<dataset.nonzeroCount { unsafe counts[Int(rows.indices[k])] += 1 }
        var features: [FeatureCount] = []
        for feature in counts.indices where unsafe counts[feature] > 0 {
            features.append(FeatureCount(feature: feature, rows: unsafe Int(counts[feature])))
        }
        withExtendedLifetime(dataset) {}
        return features
    }

    /// The same in time and memory that follow the number of nonzeros.
    private static func countBySorting(_ dataset: SparseDataset) throws(InputError) -> [FeatureCount] {
        let copy = try PageBuffer<UInt32>(count: dataset.nonzeroCount)
        var indices = unsafe UnsafeMutableBufferPointer(start: copy.pointer, count: dataset.nonzeroCount)
        _ = unsafe indices.update(
            fromContentsOf: UnsafeBufferPointer(start: dataset.rows.indices, count: indices.count))
        unsafe indices.sort()
        var features: [FeatureCount] = []
        var begin = 0
        while begin < indices.count {
            let index = unsafe indices[begin]
            var end = begin + 1
            while unsafe end < indices.count && indices[end] == index { end += 1 }
            features.append(FeatureCount(feature: Int(index), rows: end - begin))
            begin = end
        }
        withExtendedLifetime(dataset) {}
        return features
    }

    /// Share of the cells of the matrix that are stored.
    public var density: Double {
        featureCount == 0 ? 0 : Double(nonzeroCount) / (Double(rowCount) * Double(featureCount))
    }

    /// Share of all coordinate updates that fall on the `count` most frequent features.
    public func shareOfUpdates(onTop count: Int) -> Double {
        let updates = features.prefix(count).reduce(0) { $0 + $1.rows }
        return nonzeroCount == 0 ? 0 : Double(updates) / Double(nonzeroCount)
    }
}
