// Dense data of any format into memory. The reading thread; CSV is parsed by all workers of a team.

internal import Glibc
public import Platform

/// Reads CSV, IDX, NPY and NPZ, plain or compressed, from a file or standard input.
public struct DenseReader: Sendable {
    /// Whether the first line of a CSV file holds the names of its columns.
    public enum Header: String, Sendable, CaseIterable {
        /// It does unless one of its fields is a number.
        case automatic = "auto"
        case present = "yes"
        case absent = "no"
    }

    /// Where things are in the file.
    public struct Options: Sendable {
        /// Where the labels are: a column of a CSV file, by its name or its number from 1; an IDX or NPY file; an array of an
        /// NPZ file. Without it a CSV or NPY file has none, those of `…-images-idx3-…` are in `…-labels-idx1-…` beside it, and
        /// those of an NPZ file in `y` or `Y`, where there is such a file or array.
        public var label: String?
        /// Without `label`, the name of the column of a CSV file that has the labels, if there is such a column.
        public var usualLabel: String?
        /// The array with the rows in an NPZ file; without it `x` or `X`.
        public var array: String?
        public var header = Header.automatic
        /// Columns of a CSV file to leave out, by name or number.
        public var ignored: [String] = []
        /// Columns of a CSV file whose fields are names, be they numbers or not.
        public var categories: [String] = []
        /// Fields of a CSV file that stand for a missing value, beside empty ones and `NA`, `N/A`, `NaN`, `null` and `?` in capitals or
        /// not; those that are numbers stand for all that are equal.
        public var missing: [String] = []
        /// Whether numbers in a CSV file have a comma before their fraction, and no point.
        public var hasDecimalComma = false
        /// The columns to make of a CSV file: those of the rows that were learned from. Others are left out, and a category
        /// that is not among them is 0 in all its indicators.
        public var like: [DenseColumn]?

        public init() {}
    }

    /// A data set, and what it took to read it.
    public struct Loaded: Sendable {
        public let dataset: DenseDataset
        /// Uncompressed bytes of the file, without those of a separate file of labels.
        public let textBytes: Int
        public let seconds: Double
    }

    public var options: Options
    /// Bytes of CSV text in a chunk, about.
    public var chunkBytes = 256 << 10
    private let team: WorkerTeam

    public init(team: WorkerTeam, options: Options = Options()) {
        self.team = team
        self.options = options
    }

    /// The rows of data that are open, with raw labels.
    ///
    /// Throws where data are cut off, damaged or no such format, a row has another number of fields than the first, a column or
    /// array is not there, rows and labels differ in number, or a number is infinite as a 32-bit float.
    /// - Precondition: the data are dense.
    public func read(_ input: DataInput) throws(InputError) -> Loaded {
        let start = monotonicNanoseconds()
        let (dataset, textBytes) = try input.unchanged { () throws(InputError) in try readDense(input) }
        if let like = options.like, like.count != dataset.columnCount {
            throw InputError(
                at: input.name, found: "\(dataset.columnCount) columns",
                expected: "\(like.count), as in the rows that were learned from")
        }
        return Loaded(
            dataset: dataset, textBytes: textBytes, seconds: Double(monotonicNanoseconds() - start) / 1e9)
    }

    private func readDense(_ input: DataInput) throws(InputError) -> (DenseDataset, Int) {
        switch input.format {
        case .libsvm: preconditionFailure("\(input.name) is sparse")
        case .csv: try readCSV(input)
        case .idx, .npy: try readArray(input)
        case .npz: try readArchive(input)
        }
    }

    private func readCSV(_ input: DataInput) throws(InputError) -> (DenseDataset, Int) {
        let text = try WholeText(input)
        let reader = CSVReader(name: input.name, options: options, team: team, chunkBytes: chunkBytes)
        let dataset = unsafe try reader.read(text.text)
        return (dataset, unsafe text.text.count)
    }

    private func readArray(_ input: DataInput) throws(InputError) -> (DenseDataset, Int) {
        let bytes = try ByteReader(input.decoder)
        let rows = try Self.array(input.name, input.format, bytes)
        guard let path = labelPath(input) else { return (try dataset(rows, labels: nil), bytes.count) }
        let labelInput = try DataInput(path)
        guard labelInput.format == .idx || labelInput.format == .npy else {
            throw InputError(at: path, found: "no IDX or NPY file", expected: "the labels of \(input.name)")
        }
        let labels = try labelInput.unchanged { () throws(InputError) in
            try Self.array(labelInput.name, labelInput.format, ByteReader(labelInput.decoder), asLabels: true)
        }
        return (try dataset(rows, labels: labels), bytes.count)
    }

    private func labelPath(_ input: DataInput) -> String? {
        options.label
            ?? IDXHeader.labelPaths(forImages: input.path).first { path in unsafe access(path, F_OK) == 0 }
    }

    private func readArchive(_ input: DataInput) throws(InputError) -> (DenseDataset, Int) {
        let archive = try NPZArchive(input)
        var names: [String] = []
        var rows: NumberArray?
        var labels: NumberArray?
        var textBytes = 0
        while let name = try archive.nextArray() {
            if names.contains(name) {
                throw InputError(at: input.name, found: "two arrays \"\(name)\"", expected: "names that differ")
            }
            names.append(name)
            let isRows = options.array.map { $0 == name } ?? (name == "x" || name == "X")
            let isLabels = options.label.map { $0 == name } ?? (name == "y" || name == "Y")
            if !isRows && !isLabels { continue }
            let bytes = try ByteReader(archive)
            let array = try Self.array("\(input.name): \(name)", .npy, bytes, asLabels: !isRows)
            textBytes += bytes.count
            if isRows { rows = array } else { labels = array }
        }
        func absent(_ wanted: String, option: String) -> InputError {
            let known = names.isEmpty ? "none" : names.joined(separator: ", ")
            return InputError(at: input.name, found: "arrays \(known)", expected: "\(wanted) (\(option) names another)")
        }
        guard let rows else { throw absent(options.array ?? "x", option: "--array") }
        if let wanted = options.label, labels == nil { throw absent(wanted, option: "--label") }
        return (try dataset(rows, labels: labels), textBytes)
    }

    private static func array(
        _ name: String, _ format: DataFormat, _ bytes: ByteReader, asLabels: Bool = false
    ) throws(InputError) -> NumberArray {
        if format == .idx {
            let header = try IDXHeader(name: name, bytes)
            return try .read(name, shape: header.shape, type: header.type, asLabels: asLabels, from: bytes)
        }
        let header = try NPYHeader(name: name, bytes)
        return try NumberArray.read(
            name, shape: header.shape, type: header.type, isColumnMajor: header.isColumnMajor, asLabels: asLabels,
            from: bytes)
    }

    /// A row for each element of the first dimension; the labels are one number each.
    private func dataset(_ rows: NumberArray, labels: NumberArray?) throws(InputError) -> DenseDataset {
        let (name, rowCount) = (rows.name, rows.rowCount)
        let columns = DenseColumn.numbered(rows.columnCount, kind: rows.type.columnKind)
        guard let labels else {
            return DenseDataset(
                name: name, columns: columns, labelName: nil, classNames: nil, values: rows.values,
                labels: LabelPages(try PageBuffer<Float>(count: rowCount)))
        }
        if labels.columnCount != 1 {
            throw InputError(
                at: labels.name, found: "an array of \(NumberArray.text(labels.shape))",
                expected: "one label for each of the \(rowCount) rows of \(name)")
        }
        if labels.rowCount != rowCount {
            throw InputError(
                at: labels.name, found: "\(labels.rowCount) labels",
                expected: "\(rowCount), one for each row of \(name)")
        }
        if let row = (0..<rowCount).first(where: { labels.values[$0].isNaN }) {
            throw InputError(at: labels.name, found: "NaN as the label of row \(row + 1)", expected: "a number")
        }
        return DenseDataset(
            name: name, columns: columns, labelName: labels.name, classNames: nil, values: rows.values,
            labels: try labels.labels())
    }
}
