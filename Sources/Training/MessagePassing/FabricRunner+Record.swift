// What was exchanged in a run, and what the switch model says of it. The coordinator, when the ranks are idle.

internal import Collectives
internal import Measurement
internal import Messaging
internal import SwitchModel

extension FabricRunner {
    func exchangeFigures(of course: TrainingCourse) -> RunRecord.Exchange {
        let (clock, rule) = (plan.options.clock, plan.options.stepRule)
        let cost = clock.kind.cost
        let averages = workers.compactMap(\.average)
        let shape = exchange
        var figures = RunRecord.Exchange(
            collective: shape.name, codec: shape.codec, errorFeedback: averages.first?.hasFeedback ?? false,
            momentum: rule.momentum, nesterov: rule.isNesterov, weightDecay: rule.weightDecay, clipNorm: rule.clipNorm,
            warmUpEpochs: rule.warmUpEpochs, clock: clock.kind.name, latencySeconds: cost?.latencySeconds,
            secondsPerMegabyte: cost?.secondsPerMegabyte, ports: cost?.ports.rawValue,
            straggler: clock.straggler == .none ? nil : clock.straggler.text,
            computeSeconds: clock.straggler.isTrace ? nil : compute.seconds,
            computeWasMeasured: compute.wasMeasured)
        if cost != nil && !averages.isEmpty { figures.codecTime = clock.codecTime.description }
        if let cost, let compute = compute.seconds, !clock.straggler.isDrawn {
            figures.predictedSecondsPerIteration = predictedSeconds(
                shape, over: cost, computeSeconds: compute, steps: Int(max(1, course.updates)))
        }
        figures.decodingCondition = workers.lazy.compactMap(\.code).first?.largestCondition
        guard course.updates > 0 else { return figures }
        let iterations = Double(course.updates)
        figures.secondsPerIteration = course.seconds / iterations
        if shape.mayDrop {
            let dropped = workers.reduce(0) { $0 + $1.dropped }
            figures.droppedGradients = dropped
            figures.droppedShare =
                Double(dropped) / (Double(dropped) + iterations * Double(algorithm.gradientsPerUpdate))
        }
        let traffic = traffic
        figures.bytesPerIteration = Double(traffic.bytes) / iterations
        figures.messagesPerIteration = Double(traffic.messages) / iterations
        let (plain, encoded) = averages.reduce((0, 0)) { ($0.0 + $1.uncompressedBytes, $0.1 + $1.encodedBytes) }
        if encoded > 0 {
            figures.compressionRatio = Double(plain) / Double(encoded)
            figures.codecSecondsPerIteration = averages.map(\.codecSeconds).max().map { $0 / iterations }
        }
        return figures
    }

    /// Seconds of one step, the mean of as many as the run had: the workers' computation, then the exchange; nil where the model has no
    /// program for it.
    private func predictedSeconds(
        _ shape: ExchangeShape, over cost: NetworkCost, computeSeconds: Double, steps: Int
    ) -> Double? {
        let factors = (0..<plan.workers).map { plan.options.clock.straggler.factor(rank: $0, step: 0) }
        if shape.isAsynchronous {
            guard factors.allSatisfy({ $0 == factors[0] }) else { return nil }
            return predictedSeconds(shape, over: cost, gradientSeconds: factors[0] * computeSeconds, updates: steps)
        }
        let coding = ExchangeShape.CodingPrice(secondsPerMegabyte: codecSecondsPerMegabyte, factors: factors)
        guard let programs = shape.programs?(workers[0], coding) else {
            return rankCount == 1 ? Double(plan.workers) * factors[0] * computeSeconds : nil
        }
        let (rounds, rest) = steps.quotientAndRemainder(dividingBy: shape.period)
        let alone = Double(rest) * (factors.max() ?? 1) * computeSeconds
        if rounds == 0 { return alone / Double(steps) }
        return
            (IterationPrograms(programs, computeSeconds: factors.map { $0 * computeSeconds * Double(shape.period) })
            .seconds(iterations: rounds, over: cost) + alone) / Double(steps)
    }

    /// Seconds of an update of asynchronous workers who are all alike.
    private func predictedSeconds(
        _ shape: ExchangeShape, over cost: NetworkCost, gradientSeconds: Double, updates: Int
    ) -> Double? {
        guard let servers = shape.servers else {
            return shape.pattern.map {
                $0.closedForm(
                    workers: plan.workers, megabytes: Double(shape.bytes) / 1e6, over: cost, updates: updates,
                    computeSeconds: gradientSeconds
                ).seconds / Double(updates)
            }
        }
        let closed = servers.closedForm(
            workers: plan.workers, over: cost, updates: updates, computeSeconds: gradientSeconds)
        if let closed { return closed.seconds / Double(updates) }
        // Where chunks are not alike, nothing but a simulation tells who waits for whom: of as many rounds as make the ends small.
        let count = min(updates, max(1_000, 100 * plan.workers))
        let programs = servers.programs(workers: plan.workers, updates: count) { _, _ in gradientSeconds }
        return Timeline(running: programs, cost: cost, keepingPassages: false).makespan / Double(count)
    }

    /// What the model's clock charges for coding; where it is measured, what it took on the mean of all ranks.
    private var codecSecondsPerMegabyte: Double {
        switch plan.options.clock.codecTime {
        case .none: return 0
        case .perMegabyte(let seconds): return seconds
        case .measured:
            let (seconds, floats) = workers.compactMap(\.average).reduce((0.0, 0)) {
                ($0.0 + $1.codecSeconds, $0.1 + $1.codedFloats)
            }
            return floats > 0 ? seconds / (Double(floats) * 4 / 1e6) : 0
        }
    }
}
