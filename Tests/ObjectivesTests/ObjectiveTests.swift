import Datasets
import Foundation
import Kernels
import Objectives
import Platform
import Testing

@Suite struct ObjectiveTests {
    static let points = [-30.0, -3, -1.5, -0.25, 0, 0.25, 1.5, 3, 30]

    private func check<L: Loss>(_: L.Type, targets: [Double]) {
        for target in targets {
            for z in Self.points {
                let h = 1e-5
                let slope = (L.value(z + h, target) - L.value(z - h, target)) / (2 * h)
                #expect(
                    abs(L.derivative(z, target) - slope) < 1e-5 * max(1, abs(slope)), "\(L.self) at \(z), \(target)")
                #expect(
                    abs(Double(L.derivative(Float(z), Float(target))) - L.derivative(z, target)) < 1e-5
                        * max(1, abs(slope)))
            }
        }
    }

    @Test func `derivatives are the slopes of the values`() {
        check(LogisticLoss.self, targets: [-1, 1])
        check(HingeLoss.self, targets: [-1, 1])
        check(SquaredLoss.self, targets: [-2, 0.5, 7])
    }

    @Test func `the logistic loss neither overflows nor loses small values`() {
        #expect(LogisticLoss.value(1_000, -1) == 1_000 && LogisticLoss.value(1_000, 1) == 0)
        #expect(abs(LogisticLoss.value(40, 1) / 4.248354255291589e-18 - 1) < 1e-12)
    }

    /// Against the definition: the share of pairs in order, ties half.
    @Test func `the area under the curve is the share of pairs in order`() {
        var stream = RandomStream(seed: 4)
        let scores = (0..<60).map { _ in Float(Int(stream.next(upperBound: 9)) - 4) / 2 }
        let labels = (0..<60).map { _ in stream.next(upperBound: 3) == 0 ? Float(1) : -1 }
        var pairs = 0.0
        var inOrder = 0.0
        for i in 0..<60 where labels[i] > 0 {
            for j in 0..<60 where labels[j] < 0 {
                pairs += 1
                inOrder += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0
            }
        }
        #expect(abs(areaUnderROC(scores: scores, labels: labels)! - inOrder / pairs) < 1e-12)
        #expect(areaUnderROC(scores: [1, 2], labels: [1, 1]) == nil)
        #expect(areaUnderROC(scores: [-0.0, 0.0], labels: [1, -1]) == 0.5)
    }

    @Test func `losses of many rows add up as one by one, at both ends of the scale`() throws {
        for scale in [0, 1e-6, 0.01, 1, 12, 40, 800, 1e38] as [Float] {
            let scores = (0..<3_000).map { (i: Int) -> Float in
                let place = Float(i * 37 % 101)
                return scale * (place / 50 - 1)
            }
            let labels = (0..<3_000).map { (i: Int) -> Float in i % 3 == 0 ? 1 : -1 }
            let sum = scores.withUnsafeBufferPointer { z in
                labels.withUnsafeBufferPointer { y in
                    LogisticLoss.sum(z.baseAddress!, targets: y.baseAddress!, count: 3_000)
                }
            }
            let exact = zip(scores, labels).reduce(0) { $0 + LogisticLoss.value(Double($1.0), Double($1.1)) }
            #expect(abs(sum - exact) <= 1e-12 * exact, "\(scale)")
        }
        // Only rows that are told apart well: the factors 1 + exp(-z) would lose them.
        let far = [Float](repeating: 25, count: 500)
        let sum = far.withUnsafeBufferPointer { z in
            [Float](repeating: 1, count: 500).withUnsafeBufferPointer { y in
                LogisticLoss.sum(z.baseAddress!, targets: y.baseAddress!, count: 500)
            }
        }
        #expect(abs(sum / (500 * exp(-25.0)) - 1) < 1e-10)
        for bad in [Float.nan, -.infinity] {
            let loss = [1, bad, 2].withUnsafeBufferPointer { z in
                [Float](repeating: 1, count: 3).withUnsafeBufferPointer { y in
                    LogisticLoss.sum(z.baseAddress!, targets: y.baseAddress!, count: 3)
                }
            }
            #expect(!loss.isFinite)
        }
    }

    @Test func `figures are the same for any number of workers and rows, and AUC is left out where nobody asks`() throws
    {
        let rows: [(Float, [(UInt32, Float)])] = (0..<5_000).map { (i: Int) in
            let label: Float = i % 3 == 0 ? 1 : -1
            let value = Float(i * 31 % 17) / 8 - 1
            return (label, [(UInt32(i % 4), value)])
        }
        let evaluator = try LinearEvaluator(
            data: SparseDataset(featureCount: 4, rows: rows), objective: LinearObjective(loss: .logistic), features: 4)
        let model = try SharedParameters(count: 5)
        for (j, w) in [0.3, -2, 0.5, 0.1, -0.4].enumerated() { model[j] = Float(w) }
        let figures = try [1, 2, 5].map { workers in
            evaluator.evaluate(model, team: try WorkerTeam(placement: .unpinned(workers: workers)))
        }
        #expect(figures[0] == figures[1] && figures[0] == figures[2])
        let plain = zip(evaluator.predictions, rows).reduce(0) {
            $0 + LogisticLoss.value(Double($1.0), Double($1.1.0))
        }
        #expect(abs(figures[0].loss - plain / 5_000) < 1e-12)
        let right = zip(evaluator.predictions, rows).count { ($0 > 0) == ($1.0 > 0) }
        #expect(figures[0].accuracy == Double(right) / 5_000 && figures[0].auc != nil)
        let team = try WorkerTeam(placement: .unpinned(workers: 2))
        #expect(evaluator.evaluate(model, team: team, withAUC: false).auc == nil)
    }

    private func data() throws -> SparseDataset {
        try SparseDataset(
            featureCount: 4,
            rows: [(1, [(0, 1), (2, 2)]), (-1, [(1, -1)]), (1, []), (-1, [(0, 0.5), (1, 1), (3, 3)]), (1, [(2, 1)])])
    }

    @Test func `the full gradient is the slope of the objective, for any number of workers`() throws {
        let objective = LinearObjective(loss: .logistic, l2: 0.1, intercept: true)
        let evaluator = try LinearEvaluator(data: data(), objective: objective, features: 4)
        let model = try SharedParameters(count: 5)
        for (j, w) in [0.3, -0.2, 0.5, 0.1, -0.4].enumerated() { model[j] = Float(w) }
        let one = try WorkerTeam(placement: .unpinned(workers: 1))
        var gradient = [Double](repeating: 0, count: 5)
        try evaluator.gradient(of: model, team: one, into: &gradient)
        let figures = evaluator.evaluate(model, team: one)
        var again = gradient
        let three = try WorkerTeam(placement: .unpinned(workers: 3))
        try evaluator.gradient(of: model, team: three, into: &again)
        #expect(evaluator.evaluate(model, team: three) == figures && again == gradient)
        for j in 0..<5 {
            let (w, h) = (model[j], Float(1.0 / 64))
            model[j] = w + h
            let above = evaluator.evaluate(model, team: one).loss + evaluator.penalty(model)
            model[j] = w - h
            let below = evaluator.evaluate(model, team: one).loss + evaluator.penalty(model)
            model[j] = w
            #expect(abs((above - below) / Double(2 * h) - gradient[j]) < 1e-4)
        }
    }

    @Test func `a model that has seen fewer features than the rows counts the others as absent`() throws {
        let evaluator = try LinearEvaluator(
            data: data(), objective: LinearObjective(loss: .squared, intercept: true), features: 2)
        let model = try SharedParameters(count: 3)
        for (j, w) in [1, 10, 0.5].enumerated() { model[j] = Float(w) }
        let figures = evaluator.evaluate(model, team: try WorkerTeam(placement: .unpinned(workers: 2)))
        #expect(evaluator.predictions == [1.5, -9.5, 0.5, 11, 0.5])
        #expect(figures.loss == (0.25 + 72.25 + 0.25 + 144 + 0.25) / 10)
        let total = [1, -1, 1, -1, 1].reduce(0.0) { $0 + ($1 - 0.2) * ($1 - 0.2) }
        #expect(abs(figures.r2! - (1 - 217 / total)) < 1e-6)
    }

    @Test func `the row shares of the penalty add up to the penalty`() throws {
        let penalty = try SparsePenalty(data())
        // Feature 0 is in 2 of 5 rows, 1 in 2, 2 in 2, 3 in 1.
        #expect((0..<4).map { penalty.weights.pointer[$0] } == [2.5, 2.5, 2.5, 5])
    }

    @Test(arguments: LossKind.allCases) func `a model survives its file`(loss: LossKind) throws {
        let model = LinearModel(
            loss: loss, weights: [0.1, -2.5e-8, 0, 3], intercept: -0.7, positiveLabel: 1,
            negativeLabel: loss == .squared ? -1 : 0)
        let text = try model.libLinearText()
        #expect(try LinearModel(parsing: text, name: "m") == model)
        var without = model
        without.intercept = nil
        #expect(try LinearModel(parsing: without.libLinearText(), name: "m") == without)
    }

    private static let modelHead = "solver_type L2R_LR\nnr_class 2\nlabel 1 -1\nnr_feature 2\nbias -1\nw\n"

    @Test func `a model file that is none is refused with its line`() throws {
        func place(_ text: String) -> String? {
            do {
                _ = try LinearModel(parsing: text, name: "m")
                return nil
            } catch { return error.place }
        }
        let head = Self.modelHead
        #expect(place(head + "1\n2\n") == nil)
        #expect(place(head + "1\nx\n") == "m:8")
        #expect(place(head + "1\n2 3\n") == "m:8")
        #expect(place(head + "1\n\ninf\n") == "m:9")
        #expect(place(head + "nan\n2\n") == "m:7")
        #expect(place(head + "1\n1e39\n") == "m:8")
        #expect(place(head + "1\n") == "m")
        #expect(place("hello\n") == "m:1")
        #expect(place("") == "m")
        for (old, new, line) in [
            ("L2R_LR", "MCSVM_CS", 1), ("L2R_LR", "nosuch", 1), ("nr_class 2", "nr_class 3", 2),
            ("label 1 -1", "label 1e30 -1", 3), ("label 1 -1", "label 1.5 -1", 3), ("label 1 -1", "label 1 1", 3),
            ("nr_feature 2", "nr_feature 2.5", 4), ("nr_feature 2", "nr_feature -2", 4), ("bias -1", "bias 1e300", 5),
            ("bias -1", "bias nan", 5), ("bias -1", "bias -1\nbias -1", 6),
        ] {
            #expect(place(head.replacing(old, with: new) + "1\n2\n") == "m:\(line)", "\(new)")
        }
    }

    @Test func `a model file may end its lines as other systems do, and may be a pipe`() throws {
        let model = try LinearModel(parsing: Self.modelHead + "1.5 \n-2e-3\n", name: "m")
        #expect(model.weights == [1.5, -2e-3])
        let windows = (Self.modelHead + "1.5\n-2e-3").replacing("\n", with: "\r\n")
        #expect(try LinearModel(parsing: windows, name: "m") == model)
        let pipe = Pipe()
        try pipe.fileHandleForWriting.write(contentsOf: Data(windows.utf8))
        try pipe.fileHandleForWriting.close()
        #expect(try LinearModel(contentsOf: "/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)") == model)
        for (path, found) in [("/", "a directory"), ("", "no such file"), ("/nosuch", "no such file")] {
            let error = #expect(throws: InputError.self) { try LinearModel(contentsOf: path) }
            #expect(error?.found == found && error?.expected == "a model in LIBLINEAR's format")
        }
    }
}
