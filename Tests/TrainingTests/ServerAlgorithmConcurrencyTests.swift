import Datasets
import Foundation
import Kernels
import Measurement
import Messaging
import Objectives
import Platform
import SwitchModel
import Testing

@testable import Training

/// ssp, ringmaster-asgd, rennala-sgd, dc-asgd and steps that know their delay: what each promises, and each model as the paper writes it.
@Suite(.timeLimit(.minutes(2))) struct ServerAlgorithmConcurrencyTests {
    static let clocks: [FabricClock] = [
        .native, .wall(try! NetworkCost(latencySeconds: 1e-5, secondsPerMegabyte: 1e-3)),
        .virtual(try! NetworkCost(latencySeconds: 1e-5, secondsPerMegabyte: 1)),
    ]
    static let all = ["ssp:bound=1", "ringmaster-asgd:bound=2", "rennala-sgd:batch=3", "dc-asgd:adaptive=yes"]

    private func run(
        _ algorithm: String, workers: Int, rows: Int = 400, width: Int = 6, stop: StopRequest = StopRequest(),
        _ change: (inout TrainingOptions) -> Void = { _ in }
    ) throws -> TrainingResult {
        var options = TrainingOptions(try Algorithm(parsing: algorithm))
        options.stepSize = StepSize(0.05)
        options.order = .sequential
        options.epochs = 1
        options.keepsUpdateLog = true
        options.clock.computeSeconds = 1e-3
        options.clock.kind = Self.clocks[2]
        change(&options)
        return try trainingRun(
            TargetProblem(rows: rows, width: width), workers: workers, options, stop: stop
        ).run()
    }

    /// The log in the order of its updates, and by how much the reader of each was ahead of the slowest of `workers` when it read.
    private func leads(_ result: TrainingResult, workers: Int) -> [Int] {
        let log = result.updateLog.sorted { $0.writeVersion < $1.writeVersion }
        // Updates by each worker before version t.
        var made: [[Int]] = [Array(repeating: 0, count: workers)]
        for entry in log {
            var next = made[made.count - 1]
            next[entry.worker] += 1
            made.append(next)
        }
        return log.map { entry in
            let then = made[Int(entry.readVersion)]
            return then[entry.worker] - then.min()!
        }
    }

    // MARK: ssp

    @Test(arguments: [0, 1, 3]) func `ssp never exceeds its bound in an hour with lognormal stragglers`(bound: Int)
        throws
    {
        let workers = 6
        let result = try run("ssp:bound=\(bound)", workers: workers, width: 2) {
            $0.epochs = 1_000
            $0.evaluationsPerEpoch = 0
            $0.maxSeconds = 3_600
            $0.clock.computeSeconds = 5
            $0.clock.straggler = .lognormal(sigma: 1, seed: 3)
        }
        #expect(result.record.status == .timeLimit && result.record.seconds >= 3_600)
        let leads = leads(result, workers: workers)
        // Who ends is not waited for: the last update of each is made by ranks of which some have ended.
        let whole = leads.dropLast(workers)
        #expect(whole.count > 2_000 / (bound == 0 ? 2 : 1) && whole.max() == bound)
        let taus = result.updateLog.map { Int($0.writeVersion - $0.readVersion) }
        #expect(taus.max()! <= (2 * bound + 1) * (workers - 1))
    }

    @Test func `the throughput of ssp rises with its bound, to that of asgd`() throws {
        func updates(_ algorithm: String) throws -> Double {
            Double(
                try run(algorithm, workers: 8, width: 2) {
                    $0.epochs = 1_000
                    $0.evaluationsPerEpoch = 0
                    $0.maxSeconds = 1
                    $0.clock.straggler = .lognormal(sigma: 1, seed: 3)
                }.record.updates)
        }
        let found = try [0, 1, 4, 64].map { try updates("ssp:bound=\($0)") }
        #expect(zip(found, found.dropFirst()).allSatisfy { $0 * 1.05 < $1 })
        let asgd = try updates("asgd")
        #expect(found[3] > 0.95 * asgd && found[3] <= 1.001 * asgd && found[0] < 0.6 * asgd, "\(found) \(asgd)")
    }

    @Test func `ssp with a bound that is never reached is asgd, bit for bit`() throws {
        let results = try ["asgd", "ssp:bound=1000000"].map { algorithm in
            try run(algorithm, workers: 4) { $0.clock.straggler = .constant(rank: 2, factor: 3) }
        }
        #expect(results[0].parameters == results[1].parameters && results[0].updateLog == results[1].updateLog)
    }

    // MARK: All of them

    @Test(arguments: all, clocks) func `a run over its steps ends on every clock, however often it is looked at`(
        algorithm: String, clock: FabricClock
    ) throws {
        for (workers, evaluations) in [(1, 1), (3, 20), (8, 5)] {
            let record = try run(algorithm, workers: workers, width: 100) {
                $0.clock.kind = clock
                $0.clock.computeSeconds = clock.isModel ? 1e-5 : nil
                $0.clock.straggler = clock.isModel ? .constant(rank: workers - 1, factor: 3) : .none
                $0.evaluationsPerEpoch = evaluations
            }.record
            #expect(record.status == .completed && record.points.count == evaluations + 1)
            let gradients = algorithm.hasPrefix("rennala") ? 3 : 1
            let steps = Int((400 / Double(gradients)).rounded())
            #expect((steps..<steps + workers).contains(Int(record.updates)))
            #expect(record.samples == record.updates * UInt64(gradients))
            let losses = record.points.map(\.loss)
            #expect(losses.last! < 0.9 * losses[0] && losses.allSatisfy { $0.isFinite })
        }
    }

    @Test(arguments: all + ["ssp:bound=0"], clocks)
    func `a limit of seconds and a wish to stop end all workers, whoever waits for whom`(
        algorithm: String, clock: FabricClock
    ) throws {
        for workers in [2, 16] {
            let limited = try run(algorithm, workers: workers) {
                $0.clock.kind = clock
                $0.clock.computeSeconds = clock.isModel ? 1e-4 : nil
                $0.clock.straggler = clock.isModel ? .constant(rank: 0, factor: 20) : .none
                $0.epochs = 100_000
                $0.evaluationsPerEpoch = 0
                $0.maxSeconds = 0.02
            }
            #expect(limited.record.status == .timeLimit && limited.record.updates > 0)
            let stop = StopRequest()
            let timer = Thread {
                usleep(20_000)
                stop.request()
            }
            timer.start()
            let stopped = try run(algorithm, workers: workers, stop: stop) {
                $0.clock.kind = clock
                $0.clock.computeSeconds = clock.isModel ? 1e-4 : nil
                $0.epochs = 1_000_000_000 / 400
                $0.evaluationsPerEpoch = 0
                $0.keepsUpdateLog = false
            }
            #expect(stopped.record.status == .interrupted)
        }
    }

    @Test(arguments: ["asgd", "ssp", "ringmaster-asgd"]) func `one worker on sparse rows has the bits of sgd`(
        algorithm: String
    ) throws {
        let rows = try classificationRows(300, features: 40)
        let models = try ["sgd", algorithm].map { name in
            var options = TrainingOptions(try Algorithm(parsing: name))
            options.epochs = 2
            return try trainingRun(
                LinearProblem(objective: LinearObjective(loss: .logistic, l2: 1e-3), train: rows), workers: 1, options
            ).run().parameters
        }
        #expect(models[0] == models[1])
    }

    @Test(arguments: all, [1, 4]) func `real threads on sparse rows learn what sgd learns`(
        algorithm: String, workers: Int
    ) throws {
        let rows = try classificationRows(300, features: 40)
        let losses = try ["sgd", algorithm].map { name in
            var options = TrainingOptions(try Algorithm(parsing: name))
            options.epochs = 20
            // Of the mean of three gradients a step may be three times as long.
            options.stepSize = StepSize(name.hasPrefix("rennala") ? 0.3 : 0.1)
            return try trainingRun(
                LinearProblem(objective: LinearObjective(loss: .logistic, l2: 1e-2), train: rows), workers: workers,
                options
            ).run().record.points.last!.loss
        }
        #expect(abs(losses[1] - losses[0]) < 0.05, "\(losses)")
    }

    // MARK: What is dropped

    @Test(arguments: clocks) func `ringmaster makes no update of tau R, and counts what it drops`(clock: FabricClock)
        throws
    {
        let (workers, bound) = (5, UInt64(3))
        let result = try run("ringmaster-asgd:bound=\(bound)", workers: workers) {
            $0.clock.kind = clock
            $0.clock.computeSeconds = clock.isModel ? 1e-4 : nil
        }
        #expect(result.updateLog.allSatisfy { $0.writeVersion - $0.readVersion < bound })
        #expect(result.record.staleness.all.count == result.record.updates)
        let exchange = try #require(result.record.exchange)
        let (dropped, share) = try (#require(exchange.droppedGradients), #require(exchange.droppedShare))
        #expect(share == Double(dropped) / Double(dropped + result.record.updates))
        guard clock.isVirtual else { return }
        // Of five equal workers that push by turns tau would be 4: who has been dropped reads again, behind the others.
        #expect(dropped > 50)
        let lenient = try run("ringmaster-asgd", workers: workers).record
        #expect(lenient.exchange?.droppedGradients == 0 && lenient.staleness.all.max == UInt64(workers - 1))
        #expect(try run("asgd", workers: workers).record.exchange?.droppedGradients == nil)
    }

    @Test func `rennala steps along the mean of the first B gradients at its point, and drops those of older ones`()
        throws
    {
        let (workers, batch, rows) = (4, 3, 120)
        let problem = TargetProblem(rows: rows, width: 6)
        let result = try run("rennala-sgd:batch=\(batch)", workers: workers, rows: rows) {
            $0.clock.straggler = .constant(rank: 1, factor: 2.5)
        }
        #expect(result.record.updates == 40 && result.record.points.last!.epoch == 1)
        #expect(result.updateLog.allSatisfy { $0.readVersion == $0.writeVersion })
        let dropped = Int(try #require(result.record.exchange?.droppedGradients))
        #expect(dropped > 5)
        // All B are under way until their update, as many at every one.
        #expect(result.record.staleness.concurrencyMean == Double(batch))
        #expect(result.record.staleness.concurrencyMax == batch)
        // Which rows went in is known but for those that were dropped, so: every point has B gradients, and the slow worker gives fewest.
        for t in 0..<40 { #expect(result.updateLog.filter { $0.writeVersion == t }.count == batch) }
        let counts = (0..<workers).map { worker in result.updateLog.filter { $0.worker == worker }.count }
        #expect(counts[1] < counts.enumerated().filter { $0.offset != 1 }.map(\.element).min()!)
        // With one worker none is dropped, and the model is that of minibatches of B rows in their order.
        let alone = try run("rennala-sgd:batch=\(batch)", workers: 1, rows: rows)
        #expect(alone.record.exchange?.droppedGradients == 0)
        var model = problem.start.map(Double.init)
        for t in 0..<40 {
            model = model.indices.map { i in
                let sum = (0..<batch).reduce(0) { $0 + problem.gradient(of: t * batch + $1, at: model, i) }
                return model[i] - 0.05 * sum / Double(batch)
            }
        }
        for (found, expected) in zip(alone.parameters, model) { #expect(abs(Double(found) - expected) < 1e-4) }
    }

    // MARK: Steps and gradients that know their delay

    /// The model of a log, each worker's rows in their order; `step` is x after an update at x along g, read at `read`.
    private func replay(
        _ result: TrainingResult, workers: Int, rows: Int = 400,
        _ step: (_ x: [Double], _ g: [Double], _ read: [Double], _ tau: Double) -> [Double]
    ) throws -> [Double] {
        let problem = TargetProblem(rows: rows, width: 6)
        let samplers = try (0..<workers).map { rank in
            try RowSampler(
                .sequential, rowCount: rows, rank: rank, workers: workers, seed: 1, batchSize: 1, name: "",
                beginsAnywhere: false)
        }
        var models = [problem.start.map(Double.init)]
        for entry in result.updateLog.sorted(by: { $0.writeVersion < $1.writeVersion }) {
            samplers[entry.worker].advance()
            let (row, read) = (samplers[entry.worker].chosen[0], models[Int(entry.readVersion)])
            let g = read.indices.map { problem.gradient(of: row, at: read, $0) }
            models.append(step(models[models.count - 1], g, read, Double(entry.writeVersion - entry.readVersion)))
        }
        return models[models.count - 1]
    }

    @Test(arguments: ["asgd", "ssp:bound=9", "ringmaster-asgd:bound=100000", "dc-asgd:lambda=0.0000001"], clocks)
    func `steps are multiplied by the factor of their delay`(algorithm: String, clock: FabricClock) throws {
        let table = FileManager.default.temporaryDirectory.appending(path: "table-\(UUID()).csv")
        defer { try? FileManager.default.removeItem(at: table) }
        try Data("tau,factor\n0,1\n2,0.5\r\n5,0.125\n".utf8).write(to: table)
        let workers = 4
        let laws: [(String, (Double) -> Double)] = [
            ("delay-adaptive", { 4 / max(4, $0) }), ("inverse", { 1 / (1 + $0) }), ("constant", { _ in 1 }),
            ("table:\(table.path)", { $0 < 2 ? 1 : $0 < 5 ? 0.5 : 0.125 }),
        ]
        for (law, factor) in laws {
            let separator = algorithm.contains(":") ? "," : ":"
            let result = try run("\(algorithm)\(separator)step=\(law)", workers: workers) {
                $0.clock.kind = clock
                $0.clock.computeSeconds = clock.isModel ? 1e-4 : nil
                $0.clock.straggler = clock.isModel ? .constant(rank: 2, factor: 4) : .none
            }
            if clock.isVirtual { #expect(result.record.staleness.all.max >= 6) }
            let model = try replay(result, workers: workers) { x, g, _, tau in
                x.indices.map { x[$0] - 0.05 * factor(tau) * g[$0] }
            }
            for (found, expected) in zip(result.parameters, model) { #expect(abs(Double(found) - expected) < 1e-4) }
        }
    }

    @Test func `sparse steps in shared memory know their delay as well`() throws {
        let rows = try classificationRows(300, features: 40)
        var models: [[Float]] = []
        // Alone tau is 0, so that a table tells whether it is asked.
        let table = FileManager.default.temporaryDirectory.appending(path: "table-\(UUID()).csv")
        defer { try? FileManager.default.removeItem(at: table) }
        try Data("0,0.25\n".utf8).write(to: table)
        for (algorithm, size) in [
            ("sgd", Float(0.025)), ("asgd:step=table:\(table.path)", 0.1), ("ssp:step=table:\(table.path)", 0.1),
            ("ringmaster-asgd:step=table:\(table.path)", 0.1),
        ] {
            var options = TrainingOptions(try Algorithm(parsing: algorithm))
            options.epochs = 1
            options.stepSize = StepSize(Double(size))
            models.append(
                try trainingRun(
                    LinearProblem(objective: LinearObjective(loss: .logistic), train: rows), workers: 1, options
                ).run().parameters)
        }
        #expect(models.allSatisfy { $0 == models[0] })
    }

    @Test(arguments: ["0.5", "2"], clocks) func `dc-asgd moves gradients to where the model is`(
        lambda: String, clock: FabricClock
    ) throws {
        let workers = 4
        for isAdaptive in [false, true] {
            let result = try run("dc-asgd:lambda=\(lambda),adaptive=\(isAdaptive ? "yes" : "no")", workers: workers) {
                $0.clock.kind = clock
                $0.clock.computeSeconds = clock.isModel ? 1e-4 : nil
                $0.stepSize = StepSize(0.02)
            }
            let factor = Double(lambda)!
            var meanSquare = [Double](repeating: 0, count: 6)
            let model = try replay(result, workers: workers) { x, g, read, _ in
                x.indices.map { i in
                    meanSquare[i] = 0.95 * meanSquare[i] + 0.05 * g[i] * g[i]
                    let lambda = isAdaptive ? factor / (meanSquare[i] + 1e-7).squareRoot() : factor
                    return x[i] - 0.02 * (g[i] + lambda * g[i] * g[i] * (x[i] - read[i]))
                }
            }
            for (found, expected) in zip(result.parameters, model) { #expect(abs(Double(found) - expected) < 1e-3) }
        }
    }

    // MARK: Input

    @Test(arguments: [
        ("ssp:bound=-1", "bound=-1"), ("ssp:bound=x", "bound=x"), ("ringmaster-asgd:bound=0", "bound=0"),
        ("rennala-sgd:batch=0", "batch=0"), ("rennala-sgd:step=inverse", "setting step"),
        ("dc-asgd:lambda=0", "lambda=0"),
        ("dc-asgd:adaptive=maybe", "adaptive=maybe"), ("asgd:step=invers", "did you mean inverse?"),
        ("asgd:step=table:", "table:FILE"), ("asgd:step=table:/no/such/file", "/no/such/file: found no such file"),
    ]) func `settings that cannot be meant are refused`(algorithm: String, words: String) throws {
        let error = #expect(throws: InputError.self) { try run(algorithm, workers: 2) }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    @Test(arguments: [
        ("", ": found no line"), ("1,1\n", ":1: found \"1,1\", expected tau 0"), ("0,1\n0,2\n", ":2: found \"0,2\""),
        ("tau,factor\n0,1\n3,x\n", ":3: found \"3,x\""), ("0,-1", ":1: found \"0,-1\""),
        ("0,1\n5\n", ":2: found \"5\""),
        ("0,1\n2000000,1\n", ":2: found \"2000000,1\""), ("0,inf", ":1: found \"0,inf\""),
    ]) func `a table of factors is refused at its line`(text: String, words: String) throws {
        let table = FileManager.default.temporaryDirectory.appending(path: "table-\(UUID()).csv")
        defer { try? FileManager.default.removeItem(at: table) }
        try Data(text.utf8).write(to: table)
        let error = #expect(throws: InputError.self) { try run("asgd:step=table:\(table.path)", workers: 2) }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }
}
