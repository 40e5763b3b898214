// What a run in shared memory takes. The coordinator, before anything is laid out.

internal import Datasets
internal import Measurement
internal import Objectives
internal import Platform

extension SharedRunner {
    /// Refuses a run in which the kernel would end the process; else what the process will take at the most, in bytes.
    static func checkMemory(
        _ algorithm: any SharedAlgorithm, _ plan: RunPlan, workers: Int
    ) throws(InputError) -> Int {
        guard let problem = plan.problem as? LinearProblem else { preconditionFailure("\(plan.problem)") }
        let (options, train, parameters) = (plan.options, problem.train, problem.parameterCount)
        let facts = options.algorithm.facts
        let isDescent = options.algorithm.type is GradientDescent.Type
        let vector = PageBuffer<Float>.byteCount(of: parameters)
        let hasPenalty = problem.objective.l2 > 0 && !isDescent && !(options.algorithm.type is MinibatchSGD.Type)
        var estimate = MemoryEstimate()
        // The model and the one that is kept.
        estimate.add(vector, times: 2)
        if hasPenalty { estimate.add(vector) }
        if let hogwild = algorithm as? Hogwild {
            let topology = try Topology.ofThisMachine()
            let places = try Placement(.physicalFirst, workers: workers, on: topology).workers
            let choice = LayoutChoice(hogwild.layout, plan, problem, workers: places, caches: topology.lastCaches)
            estimate.add(choice.memoryBytes(parameters: parameters))
            // What a trial's workers have of their own.
            if !choice.candidates.isEmpty && hogwild.layout == .auto {
                estimate.add(
                    SharedWorker.memoryBytes(batchSize: options.batchSize),
                    times: workers * (1 + choice.candidates.count))
            }
        }
        estimate.add(Observation.bytes(rows: train.rowCount, workers: workers, options))
        estimate.add(LinearEvaluator.memoryBytes(rowCount: train.rowCount, parameters: 0))
        if let test = problem.test { estimate.add(LinearEvaluator.memoryBytes(rowCount: test.rowCount, parameters: 0)) }
        estimate.add(WorkerTeam.threadBytes, times: workers)
        if !isDescent {
            let count = facts.isSerial ? 1 : workers
            estimate.add(
                RowSchedule.memoryBytes(options.order, rowCount: train.rowCount, workers: count)
                    + SharedWorker.memoryBytes(batchSize: options.batchSize),
                times: count)
        }
        // One after the other: what an evaluation or a step of gd takes, and the weights that the run gives back.
        let norm =
            options.gradientNorm == .never
            ? 0 : LinearEvaluator.gradientNormBytes(rowCount: train.rowCount, features: train.featureCount)
        let step =
            isDescent ? 12 * parameters + LinearEvaluator.memoryBytes(rowCount: 0, parameters: parameters) : 0
        estimate.add(max(norm + step, vector))
        try estimate.requireFit(at: train.name, "\(train.featureCount) features for \(workers) workers")
        return estimate.peakBytes
    }
}
