// What `train` prints while its runs go on and at their end. On the main thread.

import Measurement
import Platform
import Reporting

/// One run with a line per evaluation, or several with a line per run, or per algorithm where each has several seeds.
final class TrainingDisplay {
    private let running: RunningOutput?
    private let algorithms: [String]
    private let jobs: [TrainingJob]
    /// How many seeds each algorithm has.
    private let seeds: Int
    private let kind: ComparisonTable.Kind
    private var comparison: (cells: ComparisonTable, lines: RunningTable)?
    private var seedsTable: SeedsTable?
    private var courseTable: CourseTable?
    /// The runs so far.
    private var records: [RunRecord] = []

    /// Prints nothing where `running` is nil.
    init(_ running: RunningOutput?, _ jobs: [TrainingJob], algorithms: [String], seeds: Int) {
        self.running = running
        self.algorithms = algorithms
        self.jobs = jobs
        self.seeds = seeds
        kind = jobs.allSatisfy(\.isDataParallel) ? .exchange : .shared
    }

    func begin(_ rows: TrainingRows, _ placement: Placement) {
        running?.show(rows.description(placement: placement) + "\n")
    }

    /// Where the evaluations of a run go; nil where they are not shown.
    func course(of job: TrainingJob, _ rows: TrainingRows) -> ((TrainingPoint) -> Void)? {
        guard let running, algorithms.count == 1, seeds == 1 else { return nil }
        return { [self] point in
            if courseTable == nil {
                courseTable = job.courseTable(point, rows)
                running.show(courseTable?.header ?? "")
            }
            running.show(courseTable?.line(point) ?? "")
        }
    }

    /// After each run.
    func show(_ record: RunRecord) {
        records.append(record)
        if seeds > 1 { showSeed(record) } else if algorithms.count > 1 { showAlgorithm(record) }
    }

    private func showAlgorithm(_ record: RunRecord) {
        guard let running else { return }
        if comparison == nil {
            let table = ComparisonTable(kind, first: record, names: algorithms)
            comparison = (table, RunningTable(table.columns))
            running.show(RunningTable(table.columns).header)
        }
        if let cells = comparison?.cells.cells(record) { running.show(comparison?.lines.line(cells) ?? "") }
    }

    private func showSeed(_ record: RunRecord) {
        guard let running else { return }
        if seedsTable == nil {
            let table = SeedsTable(first: record, algorithms: algorithms.count > 1 ? algorithms : nil)
            seedsTable = table
            running.show(table.header)
        }
        if algorithms.count == 1 { running.show(seedsTable?.line(record) ?? "") }
        if records.count.isMultiple(of: seeds) { showSummary() }
    }

    /// Of the last algorithm that ran.
    private func showSummary() {
        guard let running, let summary = summaries.last else { return }
        running.show(seedsTable?.lines(summary) ?? "")
    }

    /// Over the seeds of each algorithm.
    var summaries: [RunSummary] {
        stride(from: 0, to: records.count, by: seeds).compactMap { first in
            RunSummary(of: Array(records[first..<min(records.count, first + seeds)]))
        }
    }

    /// After all runs, at least one.
    func end() {
        guard let running, let first = records.first else { return }
        // Runs that were stopped before the last seed.
        if seeds > 1 && !records.count.isMultiple(of: seeds) { showSummary() }
        running.show(courseTable?.rest ?? comparison?.lines.rest ?? seedsTable?.rest ?? "")
        // What others do on this machine alone is no exchange to tell of.
        let exchanged = zip(jobs, records).filter { job, record in
            record.exchange.map { job.isDataParallel || $0.clock != "native" } ?? false
        }.map(\.1)
        if algorithms.count == 1 && seeds == 1 {
            running.show("\n" + TrainingTables.summary(of: first))
        } else if kind == .exchange {
            running.show(TrainingTables.clock(of: first))
        } else if seeds == 1 && !exchanged.isEmpty {
            running.show("\n" + TrainingTables.exchangeComparison(of: exchanged))
        }
        running.end()
    }
}
