// How the values of a dense data set are scaled before they are learned from. One thread, before a run.

public import Platform

/// What is done to each column: (value - offset) / scale, with a missing value replaced by `fill` first.
///
/// It is fitted on the training rows alone and saved with the model, so that rows to be judged are treated alike. A missing
/// value is the mean of the column's training rows, whatever the method: 0 once standardised.
public struct Standardisation: Codable, Sendable, Equatable {
    /// Which columns get mean 0 and standard deviation 1.
    public enum Method: String, Codable, Sendable, CaseIterable {
        /// Measurements do. Indicators stay 0 and 1: a rare category would become a value far from all others, and the step
        /// size would have to suit it. Pixels are divided by the largest in the training rows, 255 as a rule, and so are from
        /// 0 to 1: those near the border of a picture hardly vary, and would be blown up.
        case byKind = "by-kind"
        /// All do.
        case all
        /// None: values stay as in the file, and only missing ones are filled in.
        case none
    }

    public let method: Method
    /// One per column, in its unit.
    public let fills: [Float]
    public let offsets: [Float]
    /// Above 0; 1 for a column whose training rows are all equal.
    public let scales: [Float]

    /// Fits to the rows of `dataset`.
    public init(fitting dataset: DenseDataset, method: Method = .byKind) {
        let statistics = dataset.columnStatistics()
        let brightest = zip(dataset.columns, statistics).reduce(Float(0)) { brightest, column in
            column.0.kind == .pixel ? max(brightest, column.1.maximum) : brightest
        }
        self.method = method
        fills = statistics.map { Float($0.mean) }
        var offsets = [Float](repeating: 0, count: statistics.count)
        var scales = [Float](repeating: 1, count: statistics.count)
        for (c, column) in dataset.columns.enumerated() {
            switch (method, column.kind) {
            case (.all, _), (.byKind, .numeric):
                offsets[c] = fills[c]
                // A deviation that is no normal Float would scale by infinity.
                let deviation = Float(statistics[c].deviation)
                if deviation.isNormal { scales[c] = deviation }
            case (.byKind, .pixel):
                if brightest > 0 { scales[c] = brightest }
            case (.byKind, .indicator), (.none, _): break
            }
        }
        self.offsets = offsets
        self.scales = scales
    }

    /// The data set scaled, in memory of its own.
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
        let rows = unsafe dataset.rows
        let (fills, offsets, scales) = (fills.span, offsets.span, scales.span)
        for row in 0..<dataset.rowCount {
            let (source, target) = unsafe (rows.values + row * width, scaled.pointer + row * width)
            for c in 0..<width {
                let value = unsafe source[c]
                let present = unsafe value == value ? value : fills[unchecked: c]
                unsafe target[c] = unsafe (present - offsets[unchecked: c]) / scales[unchecked: c]
            }
        }
        withExtendedLifetime(dataset) {}
        return DenseDataset(
            name: dataset.name, columns: dataset.columns, labelName: dataset.labelName, classNames: dataset.classNames,
            values: ValuePages(scaled), labels: dataset.labels)
    }
}
