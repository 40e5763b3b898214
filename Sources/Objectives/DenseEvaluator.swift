// Evaluates dense models on one data set with all workers of a team. Used by one coordinator at a time.

internal import Kernels
public import Platform

/// Loss, accuracy or R2, and the full gradient, of a dense objective on one set of rows.
///
/// The rows are cut into slices that depend on the data alone, and partial sums are added in the order of the slices, so that the
/// same parameters give the same bits whatever the number of workers.
@safe public final class DenseEvaluator {
    /// Bytes that the partial gradients of all slices may take together.
    private static let gradientBudget = 64 << 20
    /// Rows per matrix product.
    public static let blockRows = 256
    /// Rows whose gradients are added up in single precision.
    private static let mostRowsInFloat = 4_096

    public let objective: any DenseObjective
    private let rows: LabelledRows
    private let team: WorkerTeam
    private let workspaces: [any DenseWorkspace]
    private var gradients: PageBuffer<Float>
    /// The sum of squares of the targets about the means of their columns.
    private let targetSumOfSquares: Double

    /// Partial gradients, where there are rows enough.
    private static func gradientCount(parameters: Int) -> Int { max(1, min(16, gradientBudget / (4 * parameters))) }

    /// Bytes of the partial gradients of an evaluation that is asked for the gradient.
    public static func gradientBytes(parameters: Int, rowCount: Int) -> Int {
        4 * parameters * min(gradientCount(parameters: parameters), (rowCount + blockRows - 1) / blockRows)
    }

    /// `rows` stay where they are while the evaluator lives; `name` is for messages.
    ///
    /// Throws where the rows do not fit the objective, or where there is no memory.
    public init(
        objective: any DenseObjective, rows: LabelledRows, name: String, team: WorkerTeam
    ) throws(InputError) {
        try unsafe objective.check(rows, name: name)
        if unsafe rows.rowCount == 0 { throw InputError(at: name, found: "no rows", expected: "at least one") }
        self.objective = objective
        unsafe self.rows = unsafe rows
        self.team = team
        var workspaces: [any DenseWorkspace] = []
        for _ in 0..<team.count { workspaces.append(try objective.makeWorkspace(maximumRows: Self.blockRows)) }
        self.workspaces = workspaces
        gradients = try PageBuffer(count: 0)
        targetSumOfSquares = unsafe Self.sumOfSquaresAboutMeans(rows, in: [0..<rows.rowCount])
    }

    /// The figures at `parameters` on all rows, or a sample of them. All workers of the team take part.
    public func evaluate(_ parameters: Span<Float>, onSample: Bool = false) -> Evaluation {
        let slices = onSample ? slices().map(SampledRows.head) : slices()
        let partial = Locked([DenseSums](repeating: DenseSums(), count: slices.count))
        unsafe forEachSlice(slices, parameters) { slice, x, workspace, rows in
            let sums = unsafe workspace.sums(at: x, of: rows, in: slices[slice])
            partial.withLock { $0[slice] = sums }
        }
        var total = DenseSums()
        for sums in partial.withLock({ $0 }) { total += sums }
        let count = Double(slices.reduce(0) { $0 + $1.count })
        let squares = onSample ? unsafe Self.sumOfSquaresAboutMeans(rows, in: slices) : targetSumOfSquares
        var result = Evaluation(
            loss: total.loss / count, accuracy: total.right.map { Double($0) / count }, auc: nil,
            r2: total.right == nil && squares > 0 ? 1 - 2 * total.loss / squares : nil)
        if onSample { result.sampledRows = Int(count) }
        return result
    }

    /// Writes the gradient of the objective, penalty included, to `gradient`, which has `parameterCount` elements. All workers of the team
    /// take part.
    public func gradient(at parameters: Span<Float>, into gradient: inout [Double]) throws(InputError) {
        let count = objective.parameterCount
        precondition(gradient.count == count, "\(gradient.count) coordinates for \(count)")
        let atOnce = Self.gradientCount(parameters: count)
        let rowCount = unsafe rows.rowCount
        let all = slices(atMost: max(atOnce, (rowCount + Self.mostRowsInFloat - 1) / Self.mostRowsInFloat))
        try gradients.resize(to: min(atOnce, all.count) * count)
        let partial = unsafe gradients.pointer
        let target = unsafe SendablePointer(partial)
        for j in 0..<count { gradient[j] = 0 }
        for first in stride(from: 0, to: all.count, by: atOnce) {
            let slices = Array(all[first..<min(all.count, first + atOnce)])
            unsafe forEachSlice(slices, parameters) { slice, x, workspace, rows in
                var span = unsafe MutableSpan(_unsafeStart: target.pointer + slice * count, count: count)
                _ = unsafe workspace.gradient(at: x, of: rows, in: slices[slice], into: &span)
            }
            unsafe gradient.withUnsafeMutableBufferPointer { gradient in
                for (slice, range) in slices.enumerated() {
                    // Each slice's gradient is a mean over its rows, with the whole penalty.
                    unsafe addScaled(
                        into: gradient.baseAddress!, partial + slice * count,
                        scale: Double(range.count) / Double(rowCount), count: count)
                }
            }
        }
    }

    /// Runs `body` once for each slice, on the workers, which share them out.
    private func forEachSlice(
        _ slices: [Range<Int>], _ parameters: Span<Float>,
        _ body: @Sendable (Int, Span<Float>, any DenseWorkspace, LabelledRows) -> Void
    ) {
        let count = parameters.count
        let workspaces = workspaces
        let rows = unsafe rows
        let workers = team.count
        unsafe parameters.withUnsafeBufferPointer { parameters in
            let x = unsafe SendablePointer(UnsafeMutablePointer(mutating: parameters.baseAddress!))
            _ = team.run { rank in
                for slice in stride(from: rank, to: slices.count, by: workers) {
                    unsafe body(slice, Span(_unsafeStart: x.pointer, count: count), workspaces[rank], rows)
                }
            }
        }
    }

    /// All rows, in up to `limit` parts of whole blocks.
    private func slices(atMost limit: Int = 256) -> [Range<Int>] {
        let rowCount = unsafe rows.rowCount
        let blocks = (rowCount + Self.blockRows - 1) / Self.blockRows
        let count = min(limit, blocks)
        return (0..<count).map {
            min(
                rowCount, blocks * $0 / count * Self.blockRows)..<min(
                    rowCount, blocks * ($0 + 1) / count * Self.blockRows)
        }
    }

    private static func sumOfSquaresAboutMeans(_ rows: LabelledRows, in slices: [Range<Int>]) -> Double {
        guard let labels = unsafe rows.labels else { return 0 }
        let width = unsafe rows.labelsPerRow
        let chosen = slices.joined()
        var sum = 0.0
        for column in 0..<width {
            var mean = 0.0
            for row in chosen { unsafe mean += Double(labels[row * width + column]) }
            mean /= Double(max(1, chosen.count))
            for row in chosen {
                let difference = unsafe Double(labels[row * width + column]) - mean
                sum += difference * difference
            }
        }
        return sum
    }
}
