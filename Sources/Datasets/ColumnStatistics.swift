// Mean, spread and range of the columns of a dense data set. One thread, two passes over the rows.

/// What the values of a column are like, those that are missing left out.
public struct ColumnStatistics: Sendable, Equatable {
    /// Values that are missing.
    public let missing: Int
    /// 0 where all are missing, as are the other four.
    public let mean: Double
    /// The standard deviation, with the number of values as the divisor; exactly 0 where all are equal.
    public let deviation: Double
    public let minimum: Float
    public let maximum: Float
}

extension DenseDataset {
    /// The statistics of each column; sums are in `Double`.
    public func columnStatistics() -> [ColumnStatistics] {
        defer { withExtendedLifetime(self) {} }
        return unsafe Self.statistics(rows.values, rowCount, width: columnCount)
    }

    /// The statistics of the labels, which are 0 where the data have none.
    func labelStatistics() -> ColumnStatistics {
        defer { withExtendedLifetime(self) {} }
        return unsafe Self.statistics(rows.labels, rowCount, width: 1)[0]
    }

    private static func statistics(
        _ values: UnsafePointer<Float>, _ rowCount: Int, width: Int
    ) -> [ColumnStatistics] {
        var counts = [Double](repeating: 0, count: width)
        var sums = counts
        var least = [Float](repeating: .infinity, count: width)
        var greatest = [Float](repeating: -.infinity, count: width)
        unsafe sum(values, rowCount, &counts, &sums, &least, &greatest)
        let means = zip(sums, counts).map { $1 == 0 ? 0 : $0 / $1 }
        var squares = [Double](repeating: 0, count: width)
        unsafe sumSquares(values, rowCount, means, &squares)
        return (0..<width).map { c in
            if counts[c] == 0 {
                return ColumnStatistics(missing: rowCount, mean: 0, deviation: 0, minimum: 0, maximum: 0)
            }
            // The mean of equal values may differ from them by its rounding.
            let deviation = least[c] == greatest[c] ? 0 : (squares[c] / counts[c]).squareRoot()
            return ColumnStatistics(
                missing: rowCount - Int(counts[c]), mean: means[c], deviation: deviation, minimum: least[c],
                maximum: greatest[c])
        }
    }

    // Both loops run over spans, unchecked: an array's check of each access would cost more than the sum.

    private static func sum(
        _ values: UnsafePointer<Float>, _ rowCount: Int, _ counts: inout [Double], _ sums: inout [Double],
        _ least: inout [Float], _ greatest: inout [Float]
    ) {
        let width = counts.count
        var counts = counts.mutableSpan
        var sums = sums.mutableSpan
        var least = least.mutableSpan
        var greatest = greatest.mutableSpan
        for row in 0..<rowCount {
            let row = unsafe values + row * width
            for c in 0..<width {
                let value = unsafe row[c]
                let isPresent = value == value
                unsafe counts[unchecked: c] += isPresent ? 1 : 0
                unsafe sums[unchecked: c] += isPresent ? Double(value) : 0
                let (low, high) = unsafe (least[unchecked: c], greatest[unchecked: c])
                unsafe least[unchecked: c] = value < low ? value : low
                unsafe greatest[unchecked: c] = value > high ? value : high
            }
        }
    }

    private static func sumSquares(
        _ values: UnsafePointer<Float>, _ rowCount: Int, _ means: [Double], _ squares: inout [Double]
    ) {
        let width = means.count
        let means = means.span
        var squares = squares.mutableSpan
        for row in 0..<rowCount {
            let row = unsafe values + row * width
            for c in 0..<width {
                let value = unsafe row[c]
                let difference = unsafe value == value ? Double(value) - means[unchecked: c] : 0
                unsafe squares[unchecked: c] += difference * difference
            }
        }
    }
}
