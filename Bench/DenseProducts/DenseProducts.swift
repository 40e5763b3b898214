// `swift run -c release bench-dense`: gradients of dense models, beside the same matrix products called straight from OpenBLAS.

import ArgumentParser
import BenchSupport
import Kernels
import Objectives
import Platform

@main struct DenseProducts: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-dense",
        abstract: "Time of a minibatch gradient of dense models on one pinned worker, and what a second worker gains.")

    @Option(help: "Measured rounds.") var rounds = 9
    @Option(help: "Rows of 784 features in 10 classes.") var rows = 60_000
    @Option(help: "Rows per minibatch.") var batch = 64

    func validate() throws {
        if rounds < 1 || batch < 1 || rows < batch {
            throw ValidationError(
                "found \(rounds) rounds, \(batch) of \(rows) rows, expected at least 1, 1 and \(batch)")
        }
    }

    func run() throws {
        let team = try WorkerTeam(placement: Placement(.physicalFirst, workers: 1, on: .ofThisMachine()))
        let images = try SyntheticImages(count: rows, width: 784, classes: 10)
        var verdicts: [Verdict] = []
        for hidden in [[], [256, 128]] {
            let model = try MultilayerPerceptron(
                inputs: images.width, hidden: hidden, outputs: images.classes, loss: .softmax)
            let name = hidden.isEmpty ? "softmax 784-10" : "perceptron 784-256-128-10"
            let (found, products) = try contest(name, model, images, team)
            verdicts += found
            verdicts += try DataParallelContest(images: images, batch: batch, rounds: rounds)
                .run(name, hidden: hidden, productsMicroseconds: products)
        }
        for verdict in verdicts { print(verdict) }
    }

    private func contest(
        _ name: String, _ model: MultilayerPerceptron, _ images: SyntheticImages, _ team: WorkerTeam
    ) throws -> (verdicts: [Verdict], productsMicroseconds: Double) {
        let batch = batch
        let batches = rows / batch
        let widths = [model.inputs] + model.hidden + [model.outputs]
        let products = try StraightProducts(widths: widths, batch: batch)
        let workspace = try model.makeWorkspace(maximumRows: batch)
        let parameters = try PageBuffer<Float>(count: model.parameterCount)
        let gradient = try PageBuffer<Float>(count: model.parameterCount)
        var stream = RandomStream(seed: 2)
        for (start, (from, to)) in zip(products.weights, zip(widths, widths.dropFirst())) {
            // Biases stay 0, as the products have none.
            for j in start..<start + from * to { unsafe parameters.pointer[j] = 0.1 * (stream.nextUnitFloat() - 0.5) }
        }

        func contestant(_ name: String, _ body: @escaping @Sendable (_ minibatch: Int) -> Double) -> Contest.Contestant
        {
            .init(name) {
                let total = Locked(0.0)
                let seconds = team.run { _ in
                    var sum = 0.0
                    for minibatch in 0..<batches { sum += body(minibatch) }
                    total.withLock { $0 = sum }
                }
                guard total.withLock({ $0.isFinite }) else { throw WrongResult("\(name) came to no finite number") }
                return 1e6 * seconds / Double(batches)
            }
        }
        let contest = try Contest(
            rounds: rounds, unit: "us/minibatch",
            [
                contestant("gradient, rows in place") { minibatch in
                    let x = unsafe Span(_unsafeStart: UnsafePointer(parameters.pointer), count: parameters.count)
                    var g = unsafe MutableSpan(_unsafeStart: gradient.pointer, count: gradient.count)
                    return unsafe workspace.gradient(
                        at: x, of: images.rows, in: minibatch * batch..<(minibatch + 1) * batch, into: &g)
                },
                contestant("gradient, shuffled rows") { minibatch in
                    let x = unsafe Span(_unsafeStart: UnsafePointer(parameters.pointer), count: parameters.count)
                    var g = unsafe MutableSpan(_unsafeStart: gradient.pointer, count: gradient.count)
                    let chosen = unsafe Span(
                        _unsafeStart: UnsafePointer(images.order.pointer) + minibatch * batch, count: batch)
                    return unsafe workspace.gradient(at: x, of: images.rows, chosen: chosen, into: &g)
                },
                contestant("products alone") { minibatch in
                    unsafe products.run(
                        UnsafePointer(images.values.pointer) + minibatch * batch * images.width,
                        parameters: parameters.pointer)
                    return unsafe Double(products.scores[0])
                },
            ])
        print("\n\(name), \(batch) rows a minibatch\n" + contest.rendered(reference: "products alone"))
        if model.hidden.isEmpty {
            var found = [Float](repeating: 0, count: batch * model.outputs)
            var span = found.mutableSpan
            unsafe workspace.predict(
                at: Span(_unsafeStart: UnsafePointer(parameters.pointer), count: parameters.count), for: images.rows,
                in: (batches - 1) * batch..<batches * batch, into: &span)
            for (i, score) in found.enumerated() where unsafe !(abs(score - products.scores[i]) <= 1e-4) {
                throw unsafe WrongResult("score \(i) came to \(score), by the products to \(products.scores[i])")
            }
        }
        let medians = contest.figures.map { $0.quantile(0.5) }
        let verdicts = zip(contest.figures, medians).dropLast().map { figures, median in
            Verdict(
                "\(name): products alone to \(figures.name)", figure: medians[2], reference: median,
                unit: "us/minibatch", ratio: contest.ratio(of: "products alone", to: figures.name), .atLeast(0.8))
        }
        return (verdicts, medians[2])
    }
}

/// Rows of uniform features in random classes, and a random order of them.
final class SyntheticImages: Sendable {
    let width: Int
    let classes: Int
    let values: PageBuffer<Float>
    let labels: PageBuffer<Float>
    let order: PageBuffer<Int>

    init(count: Int, width: Int, classes: Int) throws {
        self.width = width
        self.classes = classes
        values = try PageBuffer(count: count * width)
        labels = try PageBuffer(count: count)
        order = try PageBuffer(count: count)
        var stream = RandomStream(seed: 1)
        for i in 0..<values.count { unsafe values.pointer[i] = stream.nextUnitFloat() }
        for (i, row) in (0..<count).shuffled(using: &stream).enumerated() {
            unsafe labels.pointer[i] = Float(stream.next(upperBound: UInt64(classes)))
            unsafe order.pointer[i] = row
        }
    }

    var rows: LabelledRows {
        unsafe LabelledRows(values: values.pointer, rowCount: order.count, width: width, labels: labels.pointer)
    }
}
