// What `relaxed data info` says about a data set, as JSON and as text.

import Datasets
import Platform
import Reporting

/// The body of the record; its keys are those of the JSON.
struct DataInfo: Encodable {
    struct NonzerosPerRow: Encodable {
        let min: Int
        let mean: Double
        let max: Int
    }

    struct LabelCount: Encodable {
        let label: Label
        let rows: Int
    }

    struct LabelRange: Encodable {
        let min: Label
        let max: Label
        let mean: Double
    }

    /// The two sides that `--positive` makes.
    struct Classes: Encodable {
        let positive: [Label]
        let negative: [Label]
        let positiveRows: Int
        let negativeRows: Int

        init(_ binary: SparseDataset) {
            positive = binary.classes?.positive ?? []
            negative = binary.classes?.negative ?? []
            positiveRows = (0..<binary.rowCount).count { binary.label(ofRow: $0) > 0 }
            negativeRows = binary.rowCount - positiveRows
        }
    }

    struct TopShare: Encodable {
        let features: Int
        let shareOfUpdates: Double
    }

    struct TopFeature: Encodable {
        /// As in the file, from 1.
        let index: Int
        let rows: Int
        let shareOfRows: Double
        let shareOfUpdates: Double
    }

    let data: String
    let rows: Int
    let features: Int
    let usedFeatures: Int
    let nonzeros: Int
    let density: Double
    let nonzerosPerRow: NonzerosPerRow
    /// Absent where there are too many labels to be classes.
    let labels: [LabelCount]?
    let labelRange: LabelRange?
    let classes: Classes?
    let csrBytes: Int
    let textBytes: Int
    let workers: Int
    let fromCache: Bool
    let seconds: Double
    let bytesPerSecond: Double
    let topShares: [TopShare]
    let topFeatures: [TopFeature]
    let expectedSharedFeatures: Double

    init(
        name: String, loaded: DatasetFile.Loaded, profile: DatasetProfile, classes: Classes?, workers: Int, top: Int
    ) {
        data = name
        rows = profile.rowCount
        features = profile.featureCount
        usedFeatures = profile.features.count
        nonzeros = profile.nonzeroCount
        density = profile.density
        nonzerosPerRow = NonzerosPerRow(
            min: profile.leastNonzeros, mean: Double(profile.nonzeroCount) / Double(profile.rowCount),
            max: profile.mostNonzeros)
        switch profile.labels {
        case .distinct(let counts):
            labels = counts.map { LabelCount(label: $0.label, rows: $0.rows) }
            labelRange = nil
        case .real(let minimum, let maximum, let mean):
            labels = nil
            labelRange = LabelRange(min: minimum, max: maximum, mean: mean)
        }
        self.classes = classes
        csrBytes = loaded.dataset.byteCount
        textBytes = loaded.textBytes
        self.workers = workers
        fromCache = loaded.isFromCache
        seconds = loaded.seconds
        bytesPerSecond = Double(loaded.textBytes) / loaded.seconds
        let powersOfTen = sequence(first: 1) { $0 * 10 }.prefix { [used = profile.features.count] in $0 < used }
        topShares = powersOfTen.map { TopShare(features: $0, shareOfUpdates: profile.shareOfUpdates(onTop: $0)) }
        topFeatures = profile.features.prefix(top).map {
            TopFeature(
                index: $0.feature + 1, rows: $0.rows, shareOfRows: Double($0.rows) / Double(profile.rowCount),
                shareOfUpdates: Double($0.rows) / Double(profile.nonzeroCount))
        }
        expectedSharedFeatures = profile.expectedSharedFeatures
    }

    // MARK: Text

    /// Labels that the text shows; the JSON has all.
    private static let shownLabels = 30

    func text() -> String {
        var parts = [summary()]
        if let labels { parts.append(labelTable(labels)) }
        if !topShares.isEmpty { parts.append(shareTable()) }
        if !topFeatures.isEmpty { parts.append(featureTable()) }
        return parts.joined(separator: "\n")
    }

    private func summary() -> String {
        var lines = [
            ("data", data),
            ("rows", Quantity.grouped(rows)),
            ("features", "\(Quantity.grouped(features)), of which \(Quantity.grouped(usedFeatures)) occur"),
            ("nonzeros", "\(Quantity.grouped(nonzeros)), density \(Quantity.number(density, digits: 3))"),
            (
                "nonzeros per row",
                "min \(nonzerosPerRow.min), mean \(Quantity.number(nonzerosPerRow.mean)), max \(nonzerosPerRow.max)"
            ),
        ]
        if let labelRange {
            let mean = Quantity.number(labelRange.mean)
            lines.append(
                (
                    "labels",
                    "real, from \(labelRange.min.text) to \(labelRange.max.text), mean \(mean)"
                ))
        }
        if let classes {
            lines.append(
                (
                    "classes",
                    "\(Quantity.grouped(classes.positiveRows)) rows positive, "
                        + "\(Quantity.grouped(classes.negativeRows)) negative"
                ))
        }
        lines += [
            ("in memory", Quantity.bytes(csrBytes)),
            (
                fromCache ? "loaded from cache" : "read",
                "\(Quantity.bytes(textBytes)) of text in \(Quantity.seconds(seconds)), "
                    + "\(Quantity.number(bytesPerSecond / 1e6, digits: 3)) MB/s, "
                    + (workers == 1 ? "1 worker" : "\(workers) workers")
            ),
            (
                "collisions",
                "two rows at random share \(Quantity.number(expectedSharedFeatures, digits: 3)) features on average"
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
                label.label.text, Quantity.grouped(label.rows),
                Quantity.percent(Double(label.rows) / Double(rows)),
            ])
        }
        let more = labels.count - Self.shownLabels
        return table.rendered() + (more > 0 ? "and \(more) more labels\n" : "")
    }

    private func shareTable() -> String {
        var table = TextTable([.number("most frequent features"), .number("share of updates")])
        for share in topShares {
            table.append([Quantity.grouped(share.features), Quantity.percent(share.shareOfUpdates)])
        }
        return table.rendered()
    }

    private func featureTable() -> String {
        var table = TextTable([
            .number("feature"), .number("rows"), .number("share of rows"), .number("share of updates"),
        ])
        for feature in topFeatures {
            table.append([
                "\(feature.index)", Quantity.grouped(feature.rows), Quantity.percent(feature.shareOfRows),
                Quantity.percent(feature.shareOfUpdates),
            ])
        }
        return table.rendered()
    }
}
