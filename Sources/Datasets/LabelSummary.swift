// Which labels a data set has and how often. Any thread.

/// The labels of a data set: the distinct ones with their counts, or their range where there are too many to be classes.
public enum LabelSummary: Sendable, Equatable {
    /// A distinct label and the number of rows that have it.
    public struct Count: Sendable, Equatable {
        public let label: Label
        public let rows: Int

        public init(label: Label, rows: Int) {
            self.label = label
            self.rows = rows
        }
    }

    /// At most `limit` distinct labels, ascending.
    case distinct([Count])
    /// More than `limit` distinct labels.
    case real(minimum: Label, maximum: Label, mean: Double)

    /// Distinct labels beyond which labels are reported as real numbers.
    public static let limit = 1_000
}

extension LabelSummary {
    /// Counts labels, which are finite, in one pass.
    init(of labels: LabelPages) {
        var counts: [Label: Int] = [:]
        var run: (label: Label, rows: Int) = (0, 0)
        for row in 0..<labels.count {
            let label = labels[row]
            if label == run.label {
                run.rows += 1
                continue
            }
            if run.rows > 0 { counts[run.label, default: 0] += run.rows }
            if counts.count > Self.limit { break }
            run = (label, 1)
        }
        if run.rows > 0 { counts[run.label, default: 0] += run.rows }
        if counts.count > Self.limit {
            var (least, greatest, sum) = (labels[0], labels[0], 0.0)
            for row in 0..<labels.count {
                let label = labels[row]
                least = min(least, label)
                greatest = max(greatest, label)
                sum += label.value
            }
            self = .real(minimum: least, maximum: greatest, mean: sum / Double(labels.count))
        } else {
            self = .distinct(counts.map { Count(label: $0.key, rows: $0.value) }.sorted { $0.label < $1.label })
        }
    }
}

extension SparseDataset {
    /// Counts the labels in one pass.
    public func labelSummary() -> LabelSummary { LabelSummary(of: labels) }
}
