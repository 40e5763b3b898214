// What a linear model minimises. Pure values; any thread.

public import Datasets
public import Kernels
public import Platform
public import Synchronization

/// f(w, b) = (1/M) sum_m F(<w, x_m> + b, y_m) + (l2 / 2) norm(w)^2: equation 1.1 for linear models.
///
/// The parameters are the d weights, then, with an intercept, b, which is not penalised.
public struct LinearObjective: Sendable, Codable, Equatable {
    public var loss: LossKind
    /// The weight of the penalty, at least 0.
    public var l2: Double
    public var intercept: Bool

    public init(loss: LossKind = .logistic, l2: Double = 0, intercept: Bool = true) {
        self.loss = loss
        self.l2 = l2
        self.intercept = intercept
    }

    /// A bound on L of the objective over rows of this mean squared norm, the intercept's 1 included: that of the mean loss, at most
    /// 1/4 (logistic) or 1 times it, and the penalty's.
    public func curvature(meanRowNormSquared: Double) -> Double {
        (loss == .logistic ? 0.25 : 1) * meanRowNormSquared + l2
    }

    /// The length of the parameter vector over `features` features.
    public func parameterCount(features: Int) -> Int { features + (intercept ? 1 : 0) }
}

/// The penalty as the sparse step applies it: each row carries its share of the penalty of the features it has.
///
/// With n_j rows that have feature j, a row that has it takes (l2 / 2) (M / n_j) w_j^2, whose mean over the rows is the whole
/// penalty of feature j; so the sparse step touches no other coordinate and its expectation is the gradient of f (Niu et al.,
/// Hogwild, section 2). The step on it is implicit (see `sparseAddDecaying`) and so stable for rare features too.
public final class SparsePenalty: Sendable {
    /// M / n_j for each feature; 0 for features that no row has.
    public let weights: PageBuffer<Float>

    /// Counts the features of the training rows.
    public init(_ data: SparseDataset) throws(InputError) {
        var counts = try FeatureCounts(features: data.featureCount)
        counts.add(data)
        weights = try counts.weights(rowCount: data.rowCount)
    }
}

/// In how many rows each feature stands, exactly: a float would stop at 2^24.
struct FeatureCounts: ~Copyable {
    /// Below 2^32, as the number of rows is.
    private let counts: PageBuffer<UInt32>

    init(features: Int) throws(InputError) { counts = try PageBuffer(count: features) }

    subscript(feature: Int) -> UInt32 {
        get { unsafe counts.pointer[feature] }
        set { unsafe counts.pointer[feature] = newValue }
    }

    mutating func add(_ data: SparseDataset) {
        let rows = unsafe data.rows
        let counts = unsafe counts.pointer
        for k in 0..<data.nonzeroCount { unsafe counts[Int(rows.indices[k])] += 1 }
    }

    /// M / n_j; 0 for features that no row has.
    func weights(rowCount: Int) throws(InputError) -> PageBuffer<Float> {
        let weights = try PageBuffer<Float>(count: counts.count)
        for j in 0..<counts.count where unsafe counts.pointer[j] > 0 {
            unsafe weights.pointer[j] = Float(Double(rowCount) / Double(counts.pointer[j]))
        }
        return weights
    }
}

/// One worker's view of its rows and of the model: the prediction for a row, and the sparse step in place.
@frozen @unsafe public struct LinearStep: @unchecked Sendable {
    // Sendable: rows and penalty are never written while a view exists; the model is relaxed atomics.

    public let rows: CSRRows
    public let model: ParameterPointer
    /// The index of the intercept among the parameters, or -1 without one.
    public let interceptIndex: Int
    /// M / n_j, or nil without a penalty.
    public let penaltyWeights: UnsafePointer<Float>?
    public let l2: Float
    /// One word of the worker's own, for rounding; not nil with a penalty.
    public let dither: UnsafeMutablePointer<UInt64>?

    /// A view that stays valid while the data set, the model and the penalty are alive.
    @inlinable public init(
        objective: LinearObjective, features: Int, rows: CSRRows, model: ParameterPointer,
        penaltyWeights: UnsafePointer<Float>?, dither: UnsafeMutablePointer<UInt64>? = nil
    ) {
        precondition(unsafe penaltyWeights == nil || dither != nil, "a penalty without a word for its rounding")
        unsafe self.dither = unsafe dither
        unsafe self.rows = unsafe rows
        unsafe self.model = unsafe model
        unsafe interceptIndex = objective.intercept ? features : -1
        unsafe self.penaltyWeights = objective.l2 > 0 ? penaltyWeights : nil
        unsafe l2 = Float(objective.l2)
    }

    /// y of one row.
    @inlinable @inline(__always) public func target(_ row: Int) -> Float { unsafe rows.labels[row] }

    /// <w, x> + b for one row.
    @inlinable @inline(__always) public func prediction(_ row: Int) -> Float {
        let start = unsafe rows.rowOffsets[row]
        let count = unsafe rows.rowOffsets[row &+ 1] &- start
        let dot = unsafe sparseDot(model, rows.indices + start, rows.values + start, count)
        return unsafe interceptIndex < 0 ? dot : dot + model[interceptIndex].load(ordering: .relaxed)
    }

    /// The same view without the penalty, for algorithms that apply the penalty's whole gradient themselves.
    @inlinable public var withoutPenalty: LinearStep { unsafe LinearStep(copying: self, penaltyWeights: nil) }

    @inlinable init(copying other: LinearStep, penaltyWeights: UnsafePointer<Float>?) {
        unsafe rows = other.rows
        unsafe model = other.model
        unsafe interceptIndex = other.interceptIndex
        unsafe l2 = other.l2
        unsafe dither = other.dither
        unsafe self.penaltyWeights = unsafe penaltyWeights
    }

    /// sums += derivative * (x, 1), one number a parameter: the gradient of the row's loss.
    public func accumulate(_ row: Int, derivative: Double, into sums: UnsafeMutablePointer<Double>) {
        let start = unsafe rows.rowOffsets[row]
        let count = unsafe rows.rowOffsets[row &+ 1] &- start
        unsafe sparseAccumulate(sums, rows.indices + start, rows.values + start, count, scale: derivative)
        if unsafe interceptIndex >= 0 { unsafe sums[interceptIndex] += derivative }
    }

    /// w -= stepSize * (derivative * x + this row's share of the penalty), b -= stepSize * derivative.
    @inlinable @inline(__always) public func apply(_ row: Int, derivative: Float, stepSize: Float) {
        let start = unsafe rows.rowOffsets[row]
        let count = unsafe rows.rowOffsets[row &+ 1] &- start
        let scale = -stepSize * derivative
        unsafe applyNonzeros(start, count, scale: scale, stepSize: stepSize)
        if unsafe interceptIndex >= 0 { unsafe addProduct(scale, 1, to: model + interceptIndex) }
    }

    /// `apply` in some of the row's nonzeros, and in the intercept where that is asked for.
    @inlinable @inline(__always)
    public func apply(_ row: Int, nonzeros: Range<Int>, intercept: Bool, derivative: Float, stepSize: Float) {
        let start = unsafe rows.rowOffsets[row] &+ nonzeros.lowerBound
        let scale = -stepSize * derivative
        unsafe applyNonzeros(start, nonzeros.count, scale: scale, stepSize: stepSize)
        if unsafe intercept && interceptIndex >= 0 { unsafe addProduct(scale, 1, to: model + interceptIndex) }
    }

    /// `read` of some of the row's nonzeros, and of the intercept where that is asked for, to their places among `coordinates`.
    @inlinable @inline(__always)
    public func read(
        _ row: Int, nonzeros: Range<Int>, intercept: Bool, into coordinates: UnsafeMutablePointer<Float>
    ) {
        let start = unsafe rows.rowOffsets[row]
        let count = unsafe rows.rowOffsets[row &+ 1] &- start
        let first = nonzeros.lowerBound
        unsafe gather(model, rows.indices + start + first, nonzeros.count, into: coordinates + first)
        if unsafe intercept && interceptIndex >= 0 {
            unsafe coordinates[count] = model[interceptIndex].load(ordering: .relaxed)
        }
    }

    /// How many nonzeros of the row belong to features below `feature`.
    public func nonzeros(_ row: Int, below feature: Int) -> Int {
        let start = unsafe rows.rowOffsets[row]
        var (low, high) = (0, unsafe rows.rowOffsets[row &+ 1] &- start)
        while low < high {
            let middle = (low + high) / 2
            if unsafe Int(rows.indices[start + middle]) < feature { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// As `apply`, with the same result, and says what the update of one nonzero overwrote of other workers' updates; nil for nothing.
    ///
    /// That coordinate is written with an exchange: what it replaces differs from what was loaded exactly when somebody else's
    /// update came between and is now lost. `meanwhile` runs between load and exchange.
    @inlinable public func applyWatching(
        _ row: Int, derivative: Float, stepSize: Float, nonzero: Int, meanwhile: () -> Void = {}
    ) -> Float? {
        let start = unsafe rows.rowOffsets[row]
        let count = unsafe rows.rowOffsets[row &+ 1] &- start
        let scale = -stepSize * derivative
        unsafe applyNonzeros(start, nonzero, scale: scale, stepSize: stepSize)

        let j = unsafe Int(rows.indices[start + nonzero])
        let loaded = unsafe model[j].load(ordering: .relaxed)
        var value = unsafe loaded.addingProduct(scale, rows.values[start + nonzero])
        if let weights = unsafe penaltyWeights, let dither = unsafe dither {
            let moved = unsafe scale * rows.values[start + nonzero]
            let increment = unsafe decayingIncrement(loaded, moving: moved, decay: stepSize * l2 * weights[j])
            value = unsafe ditheredSum(loaded, increment, step: moved, dither)
        }
        meanwhile()
        // Relaxed, as every access to the model; see SparseKernels.swift.
        let replaced = unsafe model[j].exchange(value, ordering: .relaxed)

        unsafe applyNonzeros(start + nonzero + 1, count - nonzero - 1, scale: scale, stepSize: stepSize)
        if unsafe interceptIndex >= 0 { unsafe addProduct(scale, 1, to: model + interceptIndex) }
        return replaced.bitPattern == loaded.bitPattern ? nil : replaced - loaded
    }

    /// Marks the cache lines that `apply` changes for one row.
    @inlinable @inline(__always) public func mark(_ row: Int, in marks: LineMarks) {
        let start = unsafe rows.rowOffsets[row]
        unsafe markLines(marks, rows.indices + start, rows.rowOffsets[row &+ 1] &- start)
        if unsafe interceptIndex >= 0 {
            var intercept = unsafe UInt32(truncatingIfNeeded: interceptIndex)
            unsafe markLines(marks, &intercept, 1)
        }
    }

    /// How many parameters `prediction` reads for one row: one per nonzero, and the intercept.
    @inlinable @inline(__always) public func coordinateCount(_ row: Int) -> Int {
        unsafe rows.rowOffsets[row &+ 1] &- rows.rowOffsets[row] &+ (interceptIndex >= 0 ? 1 : 0)
    }

    /// Copies what `prediction` reads of the model for one row to `coordinates`; returns how many floats.
    @inlinable @inline(__always) public func read(_ row: Int, into coordinates: UnsafeMutablePointer<Float>) -> Int {
        let start = unsafe rows.rowOffsets[row]
        let count = unsafe rows.rowOffsets[row &+ 1] &- start
        unsafe gather(model, rows.indices + start, count, into: coordinates)
        if unsafe interceptIndex >= 0 { unsafe coordinates[count] = model[interceptIndex].load(ordering: .relaxed) }
        return unsafe coordinateCount(row)
    }

    /// `prediction`, with the same bits, from what `read` has copied.
    @inlinable @inline(__always) public func prediction(_ row: Int, from coordinates: UnsafePointer<Float>) -> Float {
        let start = unsafe rows.rowOffsets[row]
        let count = unsafe rows.rowOffsets[row &+ 1] &- start
        let dot = unsafe gatheredDot(coordinates, rows.values + start, count)
        return unsafe interceptIndex < 0 ? dot : dot + coordinates[count]
    }

    @inlinable @inline(__always)
    func applyNonzeros(_ start: Int, _ count: Int, scale: Float, stepSize: Float) {
        if let weights = unsafe penaltyWeights, let dither = unsafe dither {
            unsafe sparseAddDecaying(
                model, rows.indices + start, rows.values + start, count, scale: scale, decay: stepSize * l2,
                weights: weights, dither: dither)
        } else {
            unsafe sparseAdd(model, rows.indices + start, rows.values + start, count, scale: scale)
        }
    }
}
