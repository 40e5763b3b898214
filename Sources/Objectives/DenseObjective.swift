// What training on dense rows minimises: a function of one flat vector of floats, which collectives and codecs can exchange.

public import Platform

/// f(x) = (1/M) sum_m F(x; row m) + a penalty, over a flat vector x of `parameterCount` floats: equation 1.1 for dense models.
public protocol DenseObjective: Sendable {
    /// d, the length of the parameter vector.
    var parameterCount: Int { get }
    /// Numbers predicted for each row.
    var predictionsPerRow: Int { get }

    /// Where training starts: the same bits for the same seed, on every machine.
    func initialParameters(seed: UInt64) -> [Float]

    /// Throws where `rows` cannot be trained on or evaluated: features that disagree, labels that are none. `name` is for the message.
    func check(_ rows: LabelledRows, name: String) throws(InputError)

    /// The penalty at `parameters`.
    func penalty(at parameters: Span<Float>) -> Double

    /// What one worker needs for minibatches of up to `maximumRows` rows; larger ones are cut into such blocks.
    ///
    /// Throws where memory or the matrix library is not to be had.
    func makeWorkspace(maximumRows: Int) throws(InputError) -> any DenseWorkspace
}

/// One worker's memory for an objective, and the computations that need it. None of them allocates.
///
/// One thread at a time. Rows must have passed the objective's `check`; `parameters` and `gradient` have `parameterCount` elements.
public protocol DenseWorkspace: AnyObject, Sendable {
    /// Writes the gradient of the mean loss over consecutive rows, penalty included, to `gradient`; returns that mean loss, penalty not
    /// included, which is not finite where the gradient is not to be used.
    func gradient(
        at parameters: Span<Float>, of rows: LabelledRows, in range: Range<Int>, into gradient: inout MutableSpan<Float>
    ) -> Double

    /// As above over the rows with the indices `chosen`, which may repeat.
    func gradient(
        at parameters: Span<Float>, of rows: LabelledRows, chosen: Span<Int>, into gradient: inout MutableSpan<Float>
    ) -> Double

    /// What an evaluation adds up over consecutive rows.
    func sums(at parameters: Span<Float>, of rows: LabelledRows, in range: Range<Int>) -> DenseSums

    /// Writes the predictions of consecutive rows, row after row: scores before the softmax, or values. Labels are not read.
    func predict(
        at parameters: Span<Float>, for rows: LabelledRows, in range: Range<Int>,
        into predictions: inout MutableSpan<Float>)
}

/// Sums over rows, of which an evaluation is made.
public struct DenseSums: Sendable, Equatable {
    public var loss = 0.0
    /// Rows whose class is predicted; nil for regression.
    public var right: Int?

    public init(loss: Double = 0, right: Int? = nil) {
        self.loss = loss
        self.right = right
    }

    static func += (sums: inout DenseSums, more: DenseSums) {
        sums.loss += more.loss
        if let right = more.right { sums.right = (sums.right ?? 0) + right }
    }
}

extension DenseObjective {
    /// f at `parameters` over consecutive rows: their mean loss and the penalty.
    public func value(
        at parameters: Span<Float>, of rows: LabelledRows, in range: Range<Int>, workspace: any DenseWorkspace
    ) -> Double {
        unsafe workspace.sums(at: parameters, of: rows, in: range).loss / Double(max(1, range.count))
            + penalty(at: parameters)
    }
}
