// What a run drives, segment by segment: the two worlds behind one interface. The coordinator's thread.

internal import Measurement
internal import Objectives
internal import Platform

/// Workers of one algorithm, who train until the next evaluation when they are told to.
protocol Runner: AnyObject {
    /// Into how many segments an epoch is cut for so many evaluations.
    func segmentsPerEpoch(evaluations: Int) -> Int

    /// Trains on segment `segment` of a run of `count` of them an epoch, and says in `course` how far that is.
    ///
    /// `progress` is called now and then. Throws where a worker fails for another reason than numbers that are not finite.
    func train(
        segment: Int, of count: Int, _ course: inout TrainingCourse, _ progress: (TrainingProgress) -> Void
    ) throws -> SegmentEnd

    /// The model is as it is now the one to keep.
    func keep()

    /// Figures of the model as it is, or of the one that was kept last.
    func figures(_ wanted: EvaluationFigures, ofKept: Bool) throws(InputError) -> ModelFigures

    /// Whether the model is another than at the start.
    var hasChanged: Bool { get }

    /// Ends what still goes on; the model is then the one that was kept.
    func finish(_ course: TrainingCourse, _ status: RunStatus) throws -> RunnerResult
}

/// How a segment ended.
enum SegmentEnd {
    /// There is more to train.
    case goesOn
    /// The workers have ended.
    case over
    /// Something came out as not finite.
    case notFinite
}

/// What a runner adds to the record.
struct RunnerResult {
    var parameters: [Float]
    var placement: (policy: String, cpus: [Int?])
    var workers: Int
    var batchSize: Int
    /// Rows whose gradient was taken.
    var samples: UInt64
    /// Whether the same seed gives the same bits, unless the real clock or a signal ended the run.
    var isDeterministic: Bool
    /// Whether its seconds are a matter of the seed, too, so that a limit of them is.
    var hasExactTime: Bool
    var staleness: StalenessSummary
    var exchange: RunRecord.Exchange?
    /// Of hogwild.
    var layout: RunRecord.Layout?
    var updateLog: [UpdateLogEntry]
    /// Where it was to be recorded.
    var order: RecordedOrder? = nil
    /// By worker, where the run keeps them: seconds of each computation.
    var computeTrace: [[Double]] = []
}
