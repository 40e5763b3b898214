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

    /// Throws where there is no memory for a counter per feature.
    public init(_ dataset: SparseDataset) throws(InputError) {
        let counters = try PageBuffer<UInt32>(count: dataset.featureCount)
        let counts = unsafe UnsafeMutableBufferPointer(start: counters.pointer, count: dataset.featureCount)
        let rows = unsafe dataset.rows
        var (least, most) = (Int.max, 0)
        for row in 0..<dataset.rowCount {
            let (begin, end) = unsafe (rows.rowOffsets[row], rows.rowOffsets[row + 1])
            least = min(least, end - begin)
            most = max(most, end - begin)
            for k in begin..<end { unsafe counts[Int(rows.indices[k])] += 1 }
        }
        var features: [FeatureCount] = []
        var shared = 0.0
        for feature in counts.indices where unsafe counts[feature] > 0 {
            let count = unsafe Int(counts[feature])
            features.append(FeatureCount(feature: feature, rows: count))
            let share = Double(count) / Double(dataset.rowCount)
            shared += share * share
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
