// What a run in shared memory takes. The coordinator, before anything is laid out.

internal import Datasets
internal import Measurement
internal import Objectives
internal import Platform

extension Trainer {
    /// Refuses a run in which the kernel would end the process; else what the process will take at the most, in bytes.
    static func checkMemory(
        train: SparseDataset, test: SparseDataset?, workers: Int, parameters: Int, _ options: TrainingOptions
    ) throws(InputError) -> Int {
        let vector = PageBuffer<Float>.byteCount(of: parameters)
        let hasPenalty = options.objective.l2 > 0 && options.algorithm != .gd && options.algorithm != .minibatchSGD
        var estimate = MemoryEstimate()
        // The model and the one that is kept.
        estimate.add(vector, times: 2)
        if hasPenalty { estimate.add(vector) }
        estimate.add(Observation.bytes(rows: train.rowCount, workers: workers, options))
        estimate.add(LinearEvaluator.memoryBytes(rowCount: train.rowCount, parameters: 0))
        if let test { estimate.add(LinearEvaluator.memoryBytes(rowCount: test.rowCount, parameters: 0)) }
        estimate.add(WorkerTeam.threadBytes, times: workers)
        let count = options.algorithm.isSerial ? 1 : workers
        estimate.add(
            RowSchedule.memoryBytes(options.order, rowCount: train.rowCount, workers: count)
                + Worker.memoryBytes(batchSize: options.algorithm == .gd ? train.rowCount : options.batchSize),
            times: count)
        // One after the other: what an evaluation or a step of gd takes, and the weights that the run gives back.
        let norm =
            options.gradientNorm == .never
            ? 0 : LinearEvaluator.gradientNormBytes(rowCount: train.rowCount, features: train.featureCount)
        let step =
            options.algorithm == .gd
            ? 12 * parameters + LinearEvaluator.memoryBytes(rowCount: 0, parameters: parameters) : 0
        estimate.add(max(norm + step, vector))
        try estimate.requireFit(at: train.name, "\(train.featureCount) features for \(workers) workers")
        return estimate.peakBytes
    }
}
