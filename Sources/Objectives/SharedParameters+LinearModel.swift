// A saved model as parameters that kernels read. The coordinator calls it.

public import Kernels
public import Platform

extension SharedParameters {
    /// The weights, then the intercept where the model has one.
    public convenience init(_ model: LinearModel) throws(InputError) {
        try self.init(count: model.weights.count + (model.intercept == nil ? 0 : 1))
        for (j, weight) in model.weights.enumerated() { self[j] = weight }
        if let intercept = model.intercept { self[model.weights.count] = intercept }
    }
}
