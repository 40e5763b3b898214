// Mean, spread and range of the columns of a dense data set. One thread, two passes over the rows.

internal import Platform

/// What the values of a column are like, those that are missing left out.
public struct ColumnStatistics: Sendable, Equatable {
    /// Values that are missing.
    public let missing: Int
    /// 0 where all are missing, as are the other four.
    public let mean: Double
    /// The standard deviation, with the number of values as the divisor; exactly 0 where all are equal.
    public let deviation: Double
    /// As the file has them: of 32-bit floats the shortest decimals.
    public let minimum: Double
    public let maximum: Double
}

extension DenseDataset {
    /// The statistics of each column; sums are in `Double`.
    public func columnStatistics() -> [ColumnStatistics] {
        defer { withExtendedLifetime(self) {} }
        switch values {
        case .floats(let pages): return unsafe Self.statistics(pages.buffer.pointer, rowCount, width: columnCount)
        case .doubles(let pages): return unsafe Self.statistics(pages.buffer.pointer, rowCount, width: columnCount)
        }
    }

    /// The statistics of the labels, which are 0 where the data have none.
    func labelStatistics() -> ColumnStatistics {
        defer { withExtendedLifetime(self) {} }
        if let doubles = unsafe labels.doubles { return unsafe Self.statistics(doubles, rowCount, width: 1)[0] }
        return unsafe Self.statistics(labels.buffer.pointer, rowCount, width: 1)[0]
    }

    private static func statistics<Value: BinaryFloatingPoint & LosslessStringConvertible>(
        _ values: UnsafePointer<Value>, _ rowCount: Int, width: Int
    ) -> [ColumnStatistics] {
        // Sums are of differences from the first row, so that a column far from 0 loses nothing.
        let origins = (0..<width).map { c in unsafe values[c].isNaN ? 0 : Double(values[c]) }
        var counts = [Int](repeating: 0, count: width)
        var sums = [Double](repeating: 0, count: width)
        var least = [Value](repeating: .infinity, count: width)
        var greatest = [Value](repeating: -.infinity, count: width)
        unsafe sum(values, rowCount, origins, &counts, &sums, &least, &greatest)
        let means = (0..<width).map { c in counts[c] == 0 ? 0 : origins[c] + sums[c] / Double(counts[c]) }
        var squares = [Double](repeating: 0, count: width)
        unsafe sumSquares(values, rowCount, means, &squares)
        return (0..<width).map { c in
            if counts[c] == 0 {
                return ColumnStatistics(missing: rowCount, mean: 0, deviation: 0, minimum: 0, maximum: 0)
            }
            // The mean of equal values may differ from them by its rounding.
            let isConstant = least[c] == greatest[c]
            return ColumnStatistics(
                missing: rowCount - counts[c], mean: isConstant ? Double(least[c]) : means[c],
                deviation: isConstant ? 0 : (squares[c] / Double(counts[c])).squareRoot(),
                minimum: Double("\(least[c])")!, maximum: Double("\(greatest[c])")!)
        }
    }

    // Both loops run over spans, unchecked: an array's check of each access would cost more than the sum.

    private static func sum<Value: BinaryFloatingPoint>(
        _ values: UnsafePointer<Value>, _ rowCount: Int, _ origins: [Double], _ counts: inout [Int],
        _ sums: inout [Double], _ least: inout [Value], _ greatest: inout [Value]
    ) {
        let width = counts.count
        let origins = origins.span
        var counts = counts.mutableSpan
        var sums = sums.mutableSpan
        var least = least.mutableSpan
        var greatest = greatest.mutableSpan
        for row in 0..<rowCount {
            let row = unsafe values + row * width
            for c in 0..<width {
                let value = unsafe row[c]
                let isPresent = value == value
                unsafe counts[unchecked: c] &+= isPresent ? 1 : 0
                unsafe sums[unchecked: c] += isPresent ? Double(value) - origins[unchecked: c] : 0
                let (low, high) = unsafe (least[unchecked: c], greatest[unchecked: c])
                unsafe least[unchecked: c] = value < low ? value : low
                unsafe greatest[unchecked: c] = value > high ? value : high
            }
        }
    }

    private static func sumSquares<Value: BinaryFloatingPoint>(
        _ values: UnsafePointer<Value>, _ rowCount: Int, _ means: [Double], _ squares: inout [Double]
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
