// sgd: x_(t+1) = x_t - gamma F'_m(x_t), one row at a time (section 1.2, equation 1.11). The one worker runs it.

internal import Objectives

/// One stretch of serial SGD over the blocks `blocks` of the worker's order.
func stochasticGradientDescent<L: Loss>(
    _: L.Type, _ worker: Worker, _ step: LinearStep, blocks: Range<Int>, stepSize: EpochStepSize
) {
    var cursor = unsafe worker.cursor(blocks, rows: step.rows)
    var t = worker.updates
    var derivative: Float = 0
    while let row = cursor.next() {
        derivative = unsafe L.derivative(step.prediction(row), step.target(row))
        unsafe step.apply(row, derivative: derivative, stepSize: stepSize.value(t))
        t &+= 1
    }
    worker.updates = t
    if !derivative.isFinite { worker.sawNonFinite = true }
}
