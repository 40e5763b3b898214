// What is evaluated where nobody says: as much as stays below a fifth of the training. Plain arithmetic; any thread.

internal import Objectives

/// Which evaluations of a run the time of its training pays for.
///
/// It rests on counts alone, so that the same data and epochs have the same points on every machine: a visit to a row by an evaluation is
/// taken to cost 0.45 of a visit by training, so that 2/5 of a visit take 0.18 of its time. Measured are 0.2 to 0.45, of softmax
/// regression 0.5, all threads at work.
struct EvaluationBudget {
    /// Rows of a run without held-out ones are sampled below so many epochs: one pass over all of them would be more than a fifth.
    private static let fewEpochs = 5
    /// Below so many a sample tells little, and a pass over all takes no time that anybody would notice.
    private static let fewRows = 8_192
    /// A pass of less than that, in multiplications, is over in a tenth of a millisecond, whatever training takes.
    private static let smallPass = 100_000.0

    /// Epochs from one evaluation to the next.
    let epochsPerEvaluation: Int
    /// The loss on the training rows beside that on held-out ones.
    let trainLoss: EvaluationTimes
    /// Whether losses on the training rows are those of a sample.
    let samplesTrainingRows: Bool

    /// M training rows of which each takes `rowWork` multiplications, with rows held out or none; `startsAtZero` where the model at the
    /// start takes no products.
    init(epochs: Int, rows: Int, heldOutRows: Int?, rowWork: Double, startsAtZero: Bool) {
        if Double(rows) * rowWork < Self.smallPass {
            (epochsPerEvaluation, trainLoss, samplesTrainingRows) = (1, .ends, false)
            return
        }
        let epochRows = Double(rows)
        let visits = 2 * Double(epochs) * epochRows / 5
        let start = startsAtZero ? 0.0 : 1
        let samples = heldOutRows == nil && epochs < Self.fewEpochs && rows >= Self.fewRows
        let each = heldOutRows.map(Double.init) ?? (samples ? epochRows / Double(SampledRows.of) : epochRows)
        // The last evaluation is always made.
        let affordable = max(1, min(Double(epochs), visits / each - start).rounded(.down))
        let period = (Double(epochs) / affordable).rounded(.up)
        let left = visits - each * ((Double(epochs) / period).rounded(.up) + start)
        epochsPerEvaluation = Int(period)
        samplesTrainingRows = samples
        trainLoss = left >= epochRows * (1 + start) ? .ends : left >= epochRows ? .end : .never
    }
}
