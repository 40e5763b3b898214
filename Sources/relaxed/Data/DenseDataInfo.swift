// What `relaxed data info` says about a dense data set, as JSON and as text.

import Datasets
import Platform
import Reporting

/// The body of the record; its keys are those of the JSON.
struct DenseDataInfo: Encodable {
    struct LabelCount: Encodable {
        let label: String
        let rows: Int
    }

    struct Column: Encodable {
        let name: String
        /// `numeric`, `indicator` or `pixel`.
        let kind: String
        let missing: Int
        let mean: Double
        let deviation: Double
        let min: Double
        let max: Double
    }

    struct Range: Encodable {
        let min: Double
        let max: Double
    }

    let data: String
    let format: String
    let rows: Int
    let columns: Int
    let columnsByKind: [String: Int]
    /// Missing values in all columns, those of a text column counted once.
    let missing: Int
    let constantColumns: Int
    let means: Range
    let deviations: Range
    /// The column, array or file of the labels; absent where there are none.
    let labelSource: String?
    /// Absent where there are too many labels to be classes.
    let labels: [LabelCount]?
    let labelRange: DataInfo.LabelRange?
    let matrixBytes: Int
    let textBytes: Int
    let seconds: Double
    let bytesPerSecond: Double
    let workers: Int
    let statistics: [Column]

    init(name: String, format: DataFormat, loaded: DenseReader.Loaded, workers: Int) {
        let dataset = loaded.dataset
        let statistics = dataset.columnStatistics()
        data = name
        self.format = format.rawValue
        rows = dataset.rowCount
        columns = dataset.columnCount
        self.statistics = zip(dataset.columns, statistics).map { column, statistics in
            Column(
                name: column.name, kind: Self.kind(column), missing: statistics.missing, mean: statistics.mean,
                deviation: statistics.deviation, min: statistics.minimum, max: statistics.maximum)
        }
        columnsByKind = self.statistics.reduce(into: [:]) { $0[$1.kind, default: 0] += 1 }
        var missing = 0
        var lastSource: String?
        for (column, statistics) in zip(dataset.columns, statistics) {
            var source: String?
            if case .indicator(let name, _) = column.kind { source = name }
            // The indicators of a text column stand together and miss the same rows.
            if source == nil || source != lastSource { missing += statistics.missing }
            lastSource = source
        }
        self.missing = missing
        constantColumns = statistics.count { $0.deviation == 0 }
        means = Self.range(statistics.map(\.mean))
        deviations = Self.range(statistics.map(\.deviation))
        labelSource = dataset.labelName
        switch dataset.labelSummary() {
        case .distinct(let counts):
            labels = counts.map { count in
                let text = dataset.classNames.map { $0[Int(count.label.value)] } ?? count.label.text
                return LabelCount(label: text, rows: count.rows)
            }
            labelRange = nil
        case .real(let minimum, let maximum, let mean):
            labels = nil
            labelRange = DataInfo.LabelRange(min: minimum, max: maximum, mean: mean)
        case nil:
            labels = nil
            labelRange = nil
        }
        matrixBytes = dataset.byteCount
        textBytes = loaded.textBytes
        seconds = loaded.seconds
        bytesPerSecond = Double(loaded.textBytes) / loaded.seconds
        self.workers = workers
    }

    private static func kind(_ column: DenseColumn) -> String {
        switch column.kind {
        case .numeric: "numeric"
        case .indicator: "indicator"
        case .pixel: "pixel"
        }
    }

    /// `8 numeric, 5 indicator`.
    static func kinds(of columns: [DenseColumn]) -> String {
        text(columns.reduce(into: [:]) { $0[kind($1), default: 0] += 1 })
    }

    private static func text(_ columnsByKind: [String: Int]) -> String {
        columnsByKind.sorted { $0.key < $1.key }.map { "\(Quantity.grouped($0.value)) \($0.key)" }.joined(
            separator: ", ")
    }

    private static func range(_ values: [Double]) -> Range {
        Range(min: values.min() ?? 0, max: values.max() ?? 0)
    }

    // MARK: Text

    /// Labels that the text shows; the JSON has all.
    private static let shownLabels = 30

    /// As text, with as many columns as `top` says.
    func text(top: Int) -> String {
        var parts = [summary()]
        if let labels { parts.append(labelTable(labels)) }
        if top > 0 { parts.append(columnTable(top)) }
        return parts.joined(separator: "\n")
    }

    private func summary() -> String {
        var lines = [
            ("data", "\(data) (\(format))"),
            ("rows", Quantity.grouped(rows)),
            ("columns", "\(Quantity.grouped(columns)): \(Self.text(columnsByKind))"),
            ("missing values", Quantity.grouped(missing)),
            ("means", "from \(Quantity.number(means.min)) to \(Quantity.number(means.max))"),
            (
                "deviations",
                "from \(Quantity.number(deviations.min)) to \(Quantity.number(deviations.max)), "
                    + "\(Quantity.grouped(constantColumns)) columns constant"
            ),
            ("labels", labelSource.map { "from \($0)" } ?? "none; --label says where they are"),
        ]
        if let labelRange {
            lines.append(
                (
                    "label values",
                    "real, from \(labelRange.min.text) to \(labelRange.max.text), mean "
                        + Quantity.number(labelRange.mean)
                ))
        }
        lines += [
            ("in memory", Quantity.bytes(matrixBytes)),
            (
                "read",
                "\(Quantity.bytes(textBytes)) in \(Quantity.seconds(seconds)), "
                    + "\(Quantity.number(bytesPerSecond / 1e6, digits: 3)) MB/s, "
                    + (workers == 1 ? "1 worker" : "\(workers) workers")
            ),
        ]
        return lines.map { name, value in
            "\(name):" + String(repeating: " ", count: 19 - name.count) + value.printable + "\n"
        }.joined()
    }

    private func labelTable(_ labels: [LabelCount]) -> String {
        var table = TextTable([.number("label"), .number("rows"), .number("share")])
        for label in labels.prefix(Self.shownLabels) {
            table.append([
                label.label, Quantity.grouped(label.rows), Quantity.percent(Double(label.rows) / Double(rows)),
            ])
        }
        let more = labels.count - Self.shownLabels
        return table.rendered() + (more > 0 ? "and \(more) more labels\n" : "")
    }

    private func columnTable(_ top: Int) -> String {
        var table = TextTable([
            .text("column"), .text("kind"), .number("missing"), .number("mean"), .number("deviation"), .number("min"),
            .number("max"),
        ])
        for column in statistics.prefix(top) {
            table.append([
                column.name, column.kind, Quantity.grouped(column.missing), Quantity.number(column.mean),
                Quantity.number(column.deviation), Label(column.min).text, Label(column.max).text,
            ])
        }
        let more = statistics.count - top
        return table.rendered() + (more > 0 ? "and \(more) more columns\n" : "")
    }
}
