// Applying a dense model to rows. One coordinator at a time; all workers of its team take part.

public import Datasets
public import Platform

extension DenseModel {
    /// Raw rows as the network takes them: standardised as the training rows were; labels stay.
    ///
    /// Throws where there is another number of columns.
    public func standardised(_ rows: DenseDataset) throws(InputError) -> DenseDataset {
        if let standardisation { return try standardisation.applied(to: rows) }
        guard rows.columnCount == network.inputs else {
            throw InputError(
                at: rows.name, found: "\(rows.columnCount) columns", expected: "\(network.inputs), as the model has")
        }
        return try rows.narrowed()
    }

    /// `network.outputs` numbers for each of `rows`, which are standardised: scores before the softmax, or values in the unit
    /// of the targets, which 32 bits may not hold. Labels are not read; the bits do not depend on the number of workers.
    ///
    /// - Precondition: there are as many columns as inputs.
    public func predictions(for rows: DenseDataset, team: WorkerTeam) throws(InputError) -> [Double] {
        precondition(rows.columnCount == network.inputs, "\(rows.columnCount) columns for \(network.inputs) inputs")
        let (rowCount, outputs) = (rows.rowCount, network.outputs)
        let blockRows = 256
        var made: [any DenseWorkspace] = []
        for _ in 0..<team.count { made.append(try network.makeWorkspace(maximumRows: blockRows)) }
        let workspaces = made
        var predictions = [Float](repeating: 0, count: rowCount * outputs)
        unsafe predictions.withUnsafeMutableBufferPointer { predictions in
            guard let base = predictions.baseAddress else { return }
            let target = unsafe SendablePointer(base)
            let workers = team.count
            _ = team.run { rank in
                let view = unsafe LabelledRows(rows)
                for start in stride(from: rank * blockRows, to: rowCount, by: workers * blockRows) {
                    let range = start..<min(rowCount, start + blockRows)
                    var span = unsafe MutableSpan(
                        _unsafeStart: target.pointer + start * outputs, count: range.count * outputs)
                    unsafe workspaces[rank].predict(at: parameters.span, for: view, in: range, into: &span)
                }
            }
        }
        withExtendedLifetime(rows) {}
        guard let targets = targetStandardisation else { return predictions.map(Double.init) }
        return predictions.indices.map { i in
            Double(predictions[i]) * targets.scales[i % outputs] + targets.offsets[i % outputs]
        }
    }

    /// Loss, accuracy or R2 on `rows`, which are standardised and have labels: indices of the model's classes, or targets in
    /// their own unit. The loss of a regression is that of training, on standardised targets.
    public func evaluate(_ rows: DenseDataset, team: WorkerTeam) throws(InputError) -> Evaluation {
        let rows =
            try targetStandardisation.map { targets throws(InputError) in try targets.applied(toLabelsOf: rows) }
            ?? rows
        defer { withExtendedLifetime(rows) {} }
        let evaluator = unsafe try DenseEvaluator(
            objective: network, rows: LabelledRows(rows), name: rows.name, team: team)
        return evaluator.evaluate(parameters.span)
    }
}
