// What algorithms are whose workers meet in one vector in shared memory: linear models on sparse rows.

internal import Kernels
internal import Messaging
internal import Objectives
internal import Platform

/// An algorithm on one model in shared memory.
///
/// Its loop is made of the kernels and the memory model of this library: see `MessageAlgorithm` for algorithms of one's own.
protocol SharedAlgorithm: TrainingAlgorithm {}

/// One whose workers change the model in place, row by row or batch by batch.
protocol InPlaceAlgorithm: SharedAlgorithm {
    /// Works on some blocks of the worker's order, on the worker's thread.
    func run(_ worker: SharedWorker, blocks: Range<Int>, stepSize: EpochStepSize, on shared: SharedModel)
}

/// The model that workers share, and what they know of the data.
@safe struct SharedModel {
    let step: LinearStep
    let loss: LossKind
    let parameters: SharedParameters
    let features: Int
    let clock: StampClock
}

extension RunPlan {
    /// Throws where the rows are not sparse or the clock is one of the model: neither is anything for one vector in shared memory.
    func requireSharedMemory(for facts: AlgorithmFacts) throws(InputError) {
        let others = Algorithm.builtIn.filter { $0 is any MessageAlgorithm.Type }.map { $0.facts.name }
        if !(problem is LinearProblem) {
            throw InputError(
                at: "--algorithm", found: "\(facts.name) on dense rows", expected: others.joined(separator: ", "))
        }
        if options.clock.kind.isModel {
            throw InputError(
                at: "--clock", found: "\(options.clock.kind.name) for \(facts.name), whose workers send no messages",
                expected: "native, or --algorithm " + others.joined(separator: ", "))
        }
    }
}
