import Datasets
import Foundation
import Measurement
import Messaging
import Objectives
import Platform
import SwitchModel
import Testing

@testable import Training

/// Runs whose order is kept and repeated on one thread: those of threads that race, too.
@Suite struct ReplayConcurrencyTests {
    private func result(
        _ problem: any MinibatchProblem, workers: Int, _ change: (inout TrainingOptions) -> Void
    ) throws -> TrainingResult {
        var options = TrainingOptions()
        options.algorithm = .asgd
        options.epochs = 2
        options.evaluationsPerEpoch = 3
        options.stepSize = StepSize(0.1, decay: 0.5)
        change(&options)
        return try trainingRun(problem, workers: workers, options).run()
    }

    /// Sparse rows whose steps are taken coordinate by coordinate, with a penalty whose rounding is drawn; the same as vectors; and a network.
    private func problems() throws -> [any MinibatchProblem] {
        let rows = try classificationRows(500)
        var labelled: [(label: Float, values: [Float])] = []
        for row in 0..<300 {
            let values: [Float] = [Float(row % 7) / 7, Float(row % 11) / 11, Float(row % 2)]
            labelled.append((label: Float(row % 2), values: values))
        }
        let columns = (0..<3).map { DenseColumn(name: "c\($0)") }
        let dense = try DenseDataset(columns: columns, classNames: ["a", "b"], rows: labelled)
        return [
            LinearProblem(objective: LinearObjective(l2: 1e-3), train: rows), TargetProblem(rows: 400, width: 20),
            try DenseProblem(
                network: MultilayerPerceptron(inputs: 3, hidden: [4], outputs: 2, loss: .softmax), train: dense),
        ]
    }

    @Test(arguments: [1, 2, 8], [1, 7]) func `a replay gives the same bits and the same evaluations`(
        workers: Int, batch: Int
    ) throws {
        for problem in try problems() {
            let recorded = try result(problem, workers: workers) {
                $0.recordsOrder = true
                $0.batchSize = batch
            }
            let order = try #require(recorded.order)
            #expect(order.updates.count == Int(recorded.record.updates))
            let replayed = try result(problem, workers: workers) {
                $0.replay = order
                $0.batchSize = batch
                $0.keepsUpdateLog = true
            }
            #expect(replayed.parameters == recorded.parameters)
            #expect(replayed.record.points.map(\.loss) == recorded.record.points.map(\.loss))
            #expect(replayed.record.points.map(\.updates) == recorded.record.points.map(\.updates))
            #expect(replayed.record.staleness.all == recorded.record.staleness.all)
            #expect(replayed.record.staleness.delayedBy == recorded.record.staleness.delayedBy)
            #expect(replayed.record.staleness.concurrencyMax == recorded.record.staleness.concurrencyMax)
            #expect(replayed.record.deterministic)
            #expect(replayed.updateLog.count == order.updates.count)
            // Without evaluations, too: they move nobody.
            let other = try result(problem, workers: workers) {
                $0.replay = order
                $0.batchSize = batch
                $0.evaluationsPerEpoch = 0
            }
            #expect(other.parameters == recorded.parameters)
        }
    }

    @Test(
        arguments: [
            "ssp:bound=1", "ringmaster-asgd:bound=2", "dc-asgd", "dc-asgd:adaptive=yes", "rennala-sgd:batch=3",
            "asgd:pipelined=3", "asgd:step=delay-adaptive", "asgd:pipelined=2,step=inverse",
        ], [false, true])
    func `whatever a server does with gradients is repeated, and what it dropped is left out`(
        name: String, isVirtual: Bool
    ) throws {
        for (index, problem) in try problems().enumerated() {
            func run(_ change: (inout TrainingOptions) -> Void) throws -> TrainingResult {
                try result(problem, workers: 6) {
                    change(&$0)
                    $0.batchSize = index + 1
                    if !isVirtual { return }
                    $0.clock.kind = .virtual(NetworkCost.between)
                    $0.clock.computeSeconds = 1e-3
                    $0.clock.straggler = .lognormal(sigma: 0.9, seed: 4)
                }
            }
            let algorithm = try Algorithm(parsing: name)
            let recorded = try run {
                $0.algorithm = algorithm
                $0.recordsOrder = true
            }
            let order = try #require(recorded.order)
            let replayed = try run {
                $0.algorithm = algorithm
                $0.replay = order
                $0.keepsUpdateLog = true
            }
            #expect(order.updates.count / order.group == Int(recorded.record.updates))
            #expect(replayed.parameters == recorded.parameters)
            #expect(replayed.record.points.map(\.loss) == recorded.record.points.map(\.loss))
            #expect(replayed.record.points.map(\.updates) == recorded.record.points.map(\.updates))
            #expect(replayed.updateLog.count == order.updates.count)
            #expect(replayed.record.samples == recorded.record.samples)
            // Under the virtual clock workers do meet each other: something was dropped, and something is stale.
            guard isVirtual else { continue }
            let minibatches = order.updates.reduce(into: [UInt32: UInt64]()) { $0[$1.worker] = $1.minibatch + 1 }
            let wasDropped = minibatches.values.reduce(0, +) > UInt64(order.updates.count)
            #expect(wasDropped == (name.hasPrefix("ringmaster") || name.hasPrefix("rennala")))
            #expect(order.updates.contains { $0.tau > 0 } == !name.hasPrefix("rennala"))
        }
    }

    @Test func `a run in virtual time is repeated as well`() throws {
        let problem = TargetProblem(rows: 300, width: 20)
        func clock(_ options: inout TrainingOptions) throws {
            options.clock.kind = .virtual(try NetworkCost(latencySeconds: 1e-4, secondsPerMegabyte: 1))
            options.clock.computeSeconds = 1e-3
            options.clock.straggler = .lognormal(sigma: 0.7, seed: 4)
        }
        var options = TrainingOptions()
        try clock(&options)
        let recorded = try result(problem, workers: 5) {
            $0.clock = options.clock
            $0.recordsOrder = true
        }
        let replayed = try result(problem, workers: 5) {
            $0.clock = options.clock
            $0.replay = recorded.order
        }
        #expect(replayed.parameters == recorded.parameters && recorded.record.staleness.all.max > 3)
    }

    @Test func `a run that diverged is repeated to its last update`() throws {
        for problem in [try problems()[0], try problems()[1]] {
            let recorded = try result(problem, workers: 4) {
                $0.stepSize = StepSize(1e30)
                $0.recordsOrder = true
            }
            let replayed = try result(problem, workers: 4) {
                $0.stepSize = StepSize(1e30)
                $0.replay = recorded.order
            }
            #expect(recorded.record.status == .diverged && replayed.record.status == .diverged)
            #expect(replayed.record.updates == recorded.record.updates)
            #expect(replayed.record.staleness.all == recorded.record.staleness.all)
        }
    }

    @Test func `evaluations are read as they are written, and in no other way`() throws {
        let updates = [0, 1].map { RecordedOrder.Update(worker: 0, minibatch: $0, tau: 0, stepSize: 0.1) }
        let path = FileManager.default.temporaryDirectory.path + "/order-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let facts = ["workers", "gradientsPerUpdate", "underWay"].map { RecordedOrder.Fact(key: $0, value: "1") }
        let order = RecordedOrder(facts: facts, updates: updates, evaluations: [1, 2])
        // Text of the same length, with the checksum of a writer.
        for (text, isGood) in [("1,2", true), ("+12", false), ("1,,", false), ("x,2", false), ("012", false)] {
            var bytes = order.bytes.dropLast(8)
            let place = try #require(bytes.firstRange(of: Array("evaluations=1,2".utf8)))
            bytes.replaceSubrange(place, with: Array("evaluations=\(text)".utf8))
            let sum = unsafe bytes.withUnsafeBytes { unsafe Checksum.of($0) }
            bytes += unsafe withUnsafeBytes(of: sum.littleEndian) { unsafe Array($0) }
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            #expect((try? RecordedOrder(reading: path)) == (isGood ? order : nil), "\(text)")
        }
        try RecordedOrder(facts: facts, updates: [updates[0]], evaluations: []).write(to: path)
        #expect(throws: InputError.self) { try RecordedOrder(reading: path) }
    }

    @Test func `the file holds the order, and any byte that is changed is noticed`() throws {
        let problem = LinearProblem(objective: LinearObjective(), train: try classificationRows(130))
        let order = try #require(try result(problem, workers: 3) { $0.recordsOrder = true }.order)
        let path = FileManager.default.temporaryDirectory.path + "/order-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try order.write(to: path)
        #expect(try RecordedOrder(reading: path) == order)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(bytes == Data(order.bytes))
        for place in stride(from: 0, to: bytes.count, by: 7) {
            var damaged = bytes
            damaged[place] ^= 1
            try damaged.write(to: URL(fileURLWithPath: path))
            #expect(throws: InputError.self, "byte \(place)") { try RecordedOrder(reading: path) }
        }
        for count in [0, 8, 20, 40, bytes.count - 1] {
            try bytes.prefix(count).write(to: URL(fileURLWithPath: path))
            #expect(throws: InputError.self, "\(count) bytes") { try RecordedOrder(reading: path) }
        }
    }

    @Test func `updates that no run can have made are refused, though their checksum is right`() throws {
        func facts(workers: String = "2", group: Int = 1, underWay: Int = 1) -> [RecordedOrder.Fact] {
            [
                RecordedOrder.Fact(key: "workers", value: workers),
                RecordedOrder.Fact(key: "gradientsPerUpdate", value: "\(group)"),
                RecordedOrder.Fact(key: "underWay", value: "\(underWay)"),
            ]
        }
        func updates(_ list: [(UInt32, UInt32, Float)]) -> [RecordedOrder.Update] {
            list.enumerated().map {
                RecordedOrder.Update(
                    worker: $0.element.0, minibatch: UInt64($0.offset), tau: $0.element.1, stepSize: $0.element.2)
            }
        }
        let path = FileManager.default.temporaryDirectory.path + "/order-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        for (list, group, underWay, isGood) in [
            ([(0, 0, 0.1), (1, 1, 0.1), (0, 1, 0.1)], 1, 1, true), ([(2, 0, 0.1)], 1, 1, false),
            ([(0, 1, 0.1)], 1, 1, false), ([(0, 0, 0.1), (0, 1, 0.1)], 1, 1, false),
            ([(0, 0, 0.1), (0, 1, 0.1)], 1, 2, true), ([(0, 0, 0.1), (0, 1, 0.1), (0, 2, 0.1)], 1, 2, false),
            ([(0, 0, .infinity)], 1, 1, false), ([(0, 0, 0.1), (0, 0, 0.1), (1, 0, 0.1), (0, 0, 0.1)], 2, 1, true),
            ([(0, 0, 0.1), (0, 0, 0.1), (1, 0, 0.1)], 2, 1, false),
            ([(0, 0, 0.1), (0, 0, 0.1), (1, 1, 0.1), (0, 0, 0.1)], 2, 1, false),
        ] as [([(UInt32, UInt32, Float)], Int, Int, Bool)] {
            let order = RecordedOrder(
                facts: facts(group: group, underWay: underWay), updates: updates(list), evaluations: [1])
            try order.write(to: path)
            #expect((try? RecordedOrder(reading: path)) == (isGood ? order : nil))
        }
        let good = updates([(0, 0, 0.1), (1, 1, 0.1), (0, 1, 0.1)])
        for (workers, evaluations) in [
            ("9223372036854775807", [1, 2]), ("0", [1, 2]), ("2", [2, 1]), ("2", [1, .max]),
        ] as [(String, [UInt64])] {
            try RecordedOrder(facts: facts(workers: workers), updates: good, evaluations: evaluations).write(to: path)
            #expect(throws: InputError.self) { try RecordedOrder(reading: path) }
        }
        // Rows that its worker had before.
        let twice = [0, 1, 1].map { RecordedOrder.Update(worker: 0, minibatch: $0, tau: 0, stepSize: 0.1) }
        try RecordedOrder(facts: facts(), updates: twice, evaluations: []).write(to: path)
        #expect(throws: InputError.self) { try RecordedOrder(reading: path) }
    }

    @Test func `a table of step sizes that has changed is another run`() throws {
        let problem = LinearProblem(objective: LinearObjective(), train: try classificationRows(200))
        let path = FileManager.default.temporaryDirectory.path + "/table-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        func run(_ table: String, replaying order: RecordedOrder?) throws -> RecordedOrder? {
            try table.write(toFile: path, atomically: true, encoding: .utf8)
            return try result(problem, workers: 2) {
                $0.algorithm = Algorithm(ASGD.self, settings: "step=table:" + path)
                $0.recordsOrder = order == nil
                $0.replay = order
            }.order
        }
        let order = try #require(try run("0,1\n1,0.5\n", replaying: nil))
        _ = try run("0,1\n1,0.5\n", replaying: order)
        let error = #expect(throws: InputError.self) { try run("0,1\n1,0.25\n", replaying: order) }
        #expect(error?.found.contains("stepTable") == true)
    }

    @Test func `another run than the recorded one is refused, with what differs`() throws {
        let rows = try classificationRows(200)
        let problem = LinearProblem(objective: LinearObjective(), train: rows)
        let order = try #require(try result(problem, workers: 2) { $0.recordsOrder = true }.order)
        let others:
            [(problem: any MinibatchProblem, workers: Int, change: (inout TrainingOptions) -> Void, what: String)] = [
                (problem, 3, { _ in }, "workers"), (problem, 2, { $0.seed = 2 }, "seed"),
                (problem, 2, { $0.batchSize = 2 }, "batchSize"), (problem, 2, { $0.order = .shuffled }, "order"),
                (problem, 2, { $0.stepSize = StepSize(0.1) }, "stepSize"), (problem, 2, { $0.epochs = 3 }, "epochs"),
                (problem, 2, { $0.patience = 2 }, "earlyStop"),
                (LinearProblem(objective: LinearObjective(l2: 0.1), train: rows), 2, { _ in }, "l2"),
                (
                    LinearProblem(objective: LinearObjective(), train: try classificationRows(200, seed: 12)), 2,
                    { _ in }, "data"
                ),
            ]
        for other in others {
            let error = #expect(throws: InputError.self) {
                try result(other.problem, workers: other.workers) {
                    $0.replay = order
                    other.change(&$0)
                }
            }
            #expect(error?.found.contains(other.what) == true, "\(other.what): \(String(describing: error))")
        }
        #expect(throws: InputError.self) {
            try result(problem, workers: 2) {
                $0.recordsOrder = true
                $0.algorithm = Algorithm(ASGD.self, settings: "servers=2")
            }
        }
    }
}

extension NetworkCost {
    /// A network beside which a computation of a millisecond is long.
    fileprivate static let between = try! NetworkCost(latencySeconds: 1e-4, secondsPerMegabyte: 1)
}
