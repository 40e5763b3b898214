// How the values of a dense data set are scaled before they are learned from. One thread, before a run.

public import Platform

/// What is done to each column, or to the targets of a regression: (value - offset) / scale, with a missing value replaced by
/// `fill` first.
///
/// It is fitted on the training rows alone and saved with the model, so that rows to be judged are treated alike. A missing
/// value is the mean of the column's training rows, whatever the method: 0 once standardised.
public struct Standardisation: Sendable, Equatable {
    /// Which columns get mean 0 and standard deviation 1.
    public enum Method: String, Sendable, CaseIterable {
        /// Measurements do. Indicators stay 0 and 1: a rare category would become a value far from all others, and the step
        /// size would have to suit it. Pixels are divided by the largest in the training rows, 255 as a rule, and so are from
        /// 0 to 1: those near the border of a picture hardly vary, and would be blown up.
        case byKind = "by-kind"
        /// All do.
        case all
        /// None: values stay as in the file, and only missing ones are filled in.
        case none
    }

    /// One per column, in its unit.
    public let offsets: [Double]
    /// As many, above 0; 1 for a column whose training rows are all equal.
    public let scales: [Double]
    /// As many, in the unit of the raw values.
    public let fills: [Double]

    /// From numbers that were kept; `fills` are the offsets where they are not given.
    ///
    /// - Precondition: there are as many of each, and scales are above 0.
    public init(offsets: [Double], scales: [Double], fills: [Double]? = nil) {
        let fills = fills ?? offsets
        precondition(
            offsets.count == scales.count && offsets.count == fills.count,
            "\(offsets.count) offsets, \(scales.count) scales, \(fills.count) values for missing ones")
        precondition(scales.allSatisfy { $0 > 0 }, "scales of which one is not above 0")
        self.offsets = offsets
        self.scales = scales
        self.fills = fills
    }

    /// Fits to the rows of `dataset`.
    public init(fitting dataset: DenseDataset, method: Method = .byKind) {
        let statistics = dataset.columnStatistics()
        let brightest = zip(dataset.columns, statistics).reduce(0.0) { brightest, column in
            column.0.kind == .pixel ? max(brightest, column.1.maximum) : brightest
        }
        let means = statistics.map(\.mean)
        var offsets = [Double](repeating: 0, count: statistics.count)
        var scales = [Double](repeating: 1, count: statistics.count)
        for (c, column) in dataset.columns.enumerated() {
            switch (method, column.kind) {
            case (.all, _), (.byKind, .numeric):
                offsets[c] = means[c]
                scales[c] = statistics[c].scale
            case (.byKind, .pixel):
                if brightest > 0 { scales[c] = brightest }
            case (.byKind, .indicator), (.none, _): break
            }
        }
        self.init(offsets: offsets, scales: scales, fills: means)
    }

    /// Fits to the labels of `dataset`, which are numbers: mean 0 and deviation 1, so that a step size does not depend on the
    /// unit they are in.
    public init(fittingLabelsOf dataset: DenseDataset) {
        let statistics = dataset.labelStatistics()
        self.init(offsets: [statistics.mean], scales: [statistics.scale])
    }

    /// The data set scaled, in Double and then narrowed, in memory of its own; the labels are shared.
    ///
    /// Throws where it has another number of columns than the rows that this was fitted to.
    public func applied(to dataset: DenseDataset) throws(InputError) -> DenseDataset {
        let width = scales.count
        guard dataset.columnCount == width else {
            throw InputError(
                at: dataset.name, found: "\(dataset.columnCount) columns",
                expected: "\(width), as in the rows that were learned from")
        }
        let scaled = try PageBuffer<Float>(count: dataset.rowCount * width)
        switch dataset.values {
        case .floats(let pages): unsafe scale(pages.buffer.pointer, rowCount: dataset.rowCount, into: scaled.pointer)
        case .doubles(let pages): unsafe scale(pages.buffer.pointer, rowCount: dataset.rowCount, into: scaled.pointer)
        }
        withExtendedLifetime(dataset) {}
        return dataset.with(values: .floats(ValuePages(scaled)))
    }

    /// The same rows with scaled labels, sharing the values.
    ///
    /// - Precondition: this is of one column, and labels are numbers.
    public func applied(toLabelsOf dataset: DenseDataset) throws(InputError) -> DenseDataset {
        precondition(scales.count == 1 && dataset.classNames == nil, "\(scales.count) columns for labels")
        let scaled = try PageBuffer<Float>(count: dataset.rowCount)
        if let doubles = unsafe dataset.labels.doubles {
            unsafe scale(doubles, rowCount: dataset.rowCount, into: scaled.pointer)
        } else {
            unsafe scale(dataset.labels.buffer.pointer, rowCount: dataset.rowCount, into: scaled.pointer)
        }
        withExtendedLifetime(dataset) {}
        return dataset.with(labels: LabelPages(scaled), classNames: nil)
    }

    private func scale<Value: BinaryFloatingPoint>(
        _ source: UnsafePointer<Value>, rowCount: Int, into target: UnsafeMutablePointer<Float>
    ) {
        let width = scales.count
        let (fills, offsets, scales) = (fills.span, offsets.span, scales.span)
        for row in 0..<rowCount {
            let (source, target) = unsafe (source + row * width, target + row * width)
            for c in 0..<width {
                let value = unsafe Double(source[c])
                let present = unsafe value == value ? value : fills[unchecked: c]
                unsafe target[c] = unsafe Float((present - offsets[unchecked: c]) / scales[unchecked: c])
            }
        }
    }
}

extension ColumnStatistics {
    /// What brings the deviation to 1. One that is no normal Double would scale by infinity, and one of a few units in the last place
    /// of the values is their rounding.
    fileprivate var scale: Double { deviation.isNormal && deviation > 4 * mean.ulp ? deviation : 1 }
}
