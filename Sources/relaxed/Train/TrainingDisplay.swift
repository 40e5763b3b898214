// What `train` prints while its runs go on and at their end. On the main thread.

import Measurement
import Platform
import Reporting

/// One run with a line per evaluation, or several with a line per run.
final class TrainingDisplay {
    private let running: RunningOutput?
    private let algorithms: [String]
    private let jobs: [TrainingJob]
    private let isComparison: Bool
    private let kind: ComparisonTable.Kind
    private var comparison: (cells: ComparisonTable, lines: RunningTable)?

    /// Prints nothing where `running` is nil.
    init(_ running: RunningOutput?, _ jobs: [TrainingJob], algorithms: [String]) {
        self.running = running
        self.algorithms = algorithms
        self.jobs = jobs
        isComparison = jobs.count > 1
        kind = jobs.allSatisfy(\.isDataParallel) ? .exchange : .shared
    }

    func begin(_ rows: TrainingRows, _ placement: Placement) {
        running?.show(rows.description(placement: placement) + "\n")
    }

    /// Where the evaluations of a run go; nil where they are not shown.
    func course(of job: TrainingJob, _ rows: TrainingRows) -> ((TrainingPoint) -> Void)? {
        guard let running, !isComparison else { return nil }
        var table: CourseTable?
        return { point in
            if table == nil {
                let made = job.courseTable(point, rows)
                running.show(made.header)
                table = made
            }
            if let table { running.show(table.line(point)) }
        }
    }

    /// After each run.
    func show(_ record: RunRecord) {
        guard let running, isComparison else { return }
        if comparison == nil {
            let table = ComparisonTable(kind, first: record, names: algorithms)
            comparison = (table, RunningTable(table.columns))
            running.show(RunningTable(table.columns).header)
        }
        if let comparison { running.show(comparison.lines.line(comparison.cells.cells(record))) }
    }

    /// After all runs, at least one.
    func end(_ records: [RunRecord]) {
        guard let running, let first = records.first else { return }
        // What others do on this machine alone is no exchange to tell of.
        let exchanged = zip(jobs, records).filter { job, record in
            record.exchange.map { job.isDataParallel || $0.clock != "native" } ?? false
        }.map(\.1)
        if !isComparison {
            running.show("\n" + TrainingTables.summary(of: first))
        } else if kind == .exchange {
            running.show(TrainingTables.clock(of: first))
        } else if !exchanged.isEmpty {
            running.show("\n" + TrainingTables.exchangeComparison(of: exchanged))
        }
        running.end()
    }
}
