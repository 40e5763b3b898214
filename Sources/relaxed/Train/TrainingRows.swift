// What `train` learns from and what it learns: sparse rows and linear models, or dense rows and networks. On the main thread.

import Datasets
import Platform
import Reporting

/// Rows that were read, of either kind.
enum TrainingRows {
    case sparse(SparseRows)
    case dense(DenseTrainingData)

    struct SparseRows {
        let train: SparseDataset
        let test: SparseDataset?
        let seconds: Double
    }

    var rowCount: Int {
        switch self {
        case .sparse(let rows): rows.train.rowCount
        case .dense(let rows): rows.train.rowCount
        }
    }

    var hasTest: Bool {
        switch self {
        case .sparse(let rows): rows.test != nil
        case .dense(let rows): rows.test != nil
        }
    }

    /// What is printed before the run.
    func description(placement: Placement) -> String {
        switch self {
        case .sparse(let rows):
            Self.describe(rows.train, test: rows.test) + Self.reading(rows.seconds, placement)
        case .dense(let rows): rows.describe() + Self.reading(rows.readSeconds, placement)
        }
    }

    /// One line on each data set, each ended.
    private static func describe(_ train: SparseDataset, test: SparseDataset?) -> String {
        func size(_ data: SparseDataset) -> String {
            let perRow = Double(data.nonzeroCount) / Double(max(1, data.rowCount))
            return "\(Quantity.grouped(data.rowCount)) rows, \(Quantity.grouped(data.featureCount)) features, "
                + "\(Quantity.number(perRow, digits: 3)) per row"
        }
        func base(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }
        var text = "train  \(base(train.name).printable): \(size(train))"
        if let test { text += "\ntest   \(base(test.name).printable): \(size(test))" }
        return text + "\n"
    }

    /// How long reading took, and where the workers stand.
    private static func reading(_ seconds: Double, _ placement: Placement) -> String {
        var text =
            "read in \(Quantity.seconds(seconds)) by \(placement.workers.count) \(placement.workers.count == 1 ? "worker" : "workers")"
        // In the order of the ranks, each CPU once: where workers share them the list would only repeat itself.
        var seen: Set<Int> = []
        let cpus = placement.workers.compactMap(\.cpu).filter { seen.insert($0).inserted }
        text += cpus.isEmpty ? ", not pinned" : " on CPUs \(CPUList.format(cpus)) (\(placement.policy))"
        return text + "\n"
    }
}
