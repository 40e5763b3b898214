import Foundation
import Glibc
import Testing

/// `relaxed train` with the algorithms of chapters 2 and 3.
struct DataParallelTests {
    private struct RunList: Decodable { let runs: [Run] }

    private struct Run: Decodable {
        struct Exchange: Decodable {
            let collective: String?
            let codec: String?
            let errorFeedback: Bool
            let clock: String
            let secondsPerIteration: Double
            let predictedSecondsPerIteration: Double?
            let bytesPerIteration: Double
            let compressionRatio: Double?
        }

        let settings: Record.Settings
        let deterministic: Bool
        let status: String
        let points: [Record.Point]
        let keptPoint: Int
        let epochsPerEvaluation: Int?
        let updates: Int
        let seconds: Double
        let exchange: Exchange
    }

    private static let all = ["serial-reference", "gradient-aggregation", "model-aggregation", "global-replica"]
    private static let compressed = ["csgd", "ec-sgd"]

    private let workspace = try! Workspace()

    @Test func `all algorithms stand in one table, in seconds of the switch model, the same each time`() throws {
        try workspace.write("data.csv", tableRows(120))
        let algorithms = Self.all + Self.compressed
        let line =
            "train data.csv --label price --ignore class --hold-out 4 --epochs 4 --batch-size 5 --momentum 0.5 --workers 3 "
            + "--algorithm \(algorithms.joined(separator: ",")) --clock virtual --latency 1e-3 --bandwidth 1GB/s --compute 1e-2"
        let outcome = try workspace.relaxed(line + " --json record.json")
        #expect(outcome.code == 0)
        for name in algorithms + ["predicted", "bytes/iteration", "R2", "latency 1 ms"] {
            #expect(outcome.output.contains(name), "\(outcome.output)")
        }
        let runs: [Run] = try decode(RunList.self, workspace.text("record.json")).runs
        #expect(runs.map(\.settings.algorithm) == algorithms)
        for run in runs {
            // 90 rows in minibatches of 15 are 6 iterations an epoch.
            #expect(run.updates == 24 && run.status == "completed" && run.deterministic)
            #expect(run.exchange.clock == "virtual" && (run.points.last?.r2 ?? 0) > 0.6)
            let (measured, predicted) = (
                run.exchange.secondsPerIteration, run.exchange.predictedSecondsPerIteration ?? 0
            )
            #expect(abs(measured - predicted) < 1e-9 * predicted)
        }
        #expect(runs[0].exchange.bytesPerIteration == 0 && runs[0].exchange.collective == nil)
        #expect(runs[1].exchange.collective == "ring-allreduce")
        #expect(runs[4].exchange.codec == "quantize:bits=4" && !runs[4].exchange.errorFeedback)
        #expect(runs[5].exchange.codec == "sign" && runs[5].exchange.errorFeedback)
        // The same samples: one course of losses for all that lose nothing.
        for run in runs.prefix(4) {
            for (point, reference) in zip(run.points, runs[0].points) {
                #expect(abs((point.loss ?? 0) - (reference.loss ?? 1)) < 1e-5)
            }
        }
        for run in runs.dropFirst(4) { #expect(run.exchange.compressionRatio != nil) }
        let again = try workspace.relaxed(line + " --json -")
        #expect(try decode(RunList.self, again.output).runs.map(\.points) == runs.map(\.points))
    }

    @Test(arguments: ["--label class --ignore price", "--label price --ignore class --hidden 6"])
    func `the model and the gradient that a run leaves are read by predict and by bench codecs`(options: String) throws
    {
        try workspace.write("data.csv", tableRows(100))
        let outcome = try workspace.relaxed(
            "train data.csv \(options) --test data.csv --algorithm ec-sgd --workers 2 --batch-size 10 --epochs 3 "
                + "--model-out model --gradient-out gradient.f32 --gradient-norm ends --json -")
        #expect(outcome.code == 0)
        let run: Run = try decode(outcome.output)
        #expect(run.points.count == 4 && run.points[3].epoch == 3)
        let scores: Scores = try decode(workspace.relaxed("predict model data.csv --json -").output)
        #expect(abs(scores.evaluation.loss - (run.points[3].loss ?? 0)) < 1e-5)
        #expect(scores.evaluation.accuracy == run.points[3].accuracy)
        let gradient = try workspace.bytes("gradient.f32").withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        let norm = gradient.reduce(0) { $0 + Double($1) * Double($1) }
        #expect(abs(norm - (run.points[3].gradientNormSquared ?? 0)) < 1e-4 * norm)
        #expect(try workspace.relaxed("bench codecs --codec sign --input gradient.f32 --quiet").code == 0)
    }

    @Test func `sparse gradients travel without their zeros unless asked otherwise`() throws {
        try workspace.write("data", sampleRows(64))
        func bytes(_ options: String) throws -> Double {
            let outcome = try workspace.relaxed(
                "train data --algorithm gradient-aggregation --workers 2 --batch-size 1 --epochs 1 --json - "
                    + "--collective multi-server " + options)
            return try decode(Run.self, outcome.output).exchange.bytesPerIteration
        }
        // 21 coordinates, halves of which each rank sends and gets back.
        #expect(try bytes("--dense-messages") == 2 * 21 * 4)
        #expect(try bytes("") != 2 * 21 * 4)
    }

    @Test func `targets, limits, early stopping and evaluations within an epoch`() throws {
        try workspace.write("data.csv", tableRows(80))
        func run(_ options: String) throws -> Run {
            let outcome = try workspace.relaxed(
                "train data.csv --label price --ignore class --hold-out 4 --algorithm gradient-aggregation --workers 2 "
                    + "--batch-size 3 --json - " + options)
            #expect(outcome.code == 0)
            return try decode(outcome.output)
        }
        let reached = try run("--epochs 100000 --target-loss 0.2")
        #expect(reached.status == "targetReached" && (reached.points.last?.loss ?? 1) <= 0.2)
        #expect(try run("--epochs 100000000 --max-seconds 0.001").status == "timeLimit")
        let limited = try run(
            "--epochs 100000000 --max-seconds 1 --clock virtual --compute 0.125 --latency 0 --bandwidth 100GB/s")
        #expect(limited.status == "timeLimit" && limited.deterministic && (8...9).contains(limited.updates))
        let stopped = try run("--epochs 100000 --early-stop 3")
        #expect(stopped.status == "stoppedEarly" && stopped.keptPoint == stopped.points.count - 4)
        let usual = try run("--epochs 7")
        #expect(usual.points.map(\.epoch) == [0, 1, 2, 3, 4, 5, 6, 7] && usual.epochsPerEvaluation == 1)
        let often = try run("--epochs 2 --evaluations-per-epoch 5")
        #expect(often.points.map(\.updates) == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20])
    }

    private static let denseEvaluations: [(options: String, epochs: [Double], every: Int?)] = [
        ("--epochs 13", [0, 3, 6, 9, 12, 13], 3), ("--epochs 5", [0, 3, 5], 3), ("--epochs 3", [0, 3], 3),
        ("--epochs 1", [0, 1], 1), ("--epochs 3 --hold-out 5", [0, 1, 2, 3], 1),
        ("--epochs 3 --evaluations-per-epoch 1", [0, 1, 2, 3], 1),
        ("--epochs 3 --gradient-norm every", [0, 1, 2, 3], 1),
        ("--epochs 3 --train-loss every", [0, 1, 2, 3], 1), ("--epochs 3 --target-loss 1e-9", [0, 1, 2, 3], 1),
        ("--epochs 3 --evaluations-per-epoch 0", [0, 3], nil),
    ]

    @Test(arguments: denseEvaluations)
    func `without held-out rows few of the epochs are evaluated unless more is asked for`(
        options: String, epochs: [Double], every: Int?
    ) throws {
        // Fewer rows are evaluated in no time.
        let rows = (0..<1_100).map { row in
            (0..<100).map { "\((row * 31 + $0 * 17) % 97)" }.joined(separator: ",") + ",\(row % 7)"
        }
        try workspace.write(
            "data.csv",
            ((0..<100).map { "c\($0)" } + ["y"]).joined(separator: ",") + "\n" + rows.joined(separator: "\n") + "\n")
        let outcome = try workspace.relaxed(
            "train data.csv --label y --objective squared --workers 2 --batch-size 110 --json record.json " + options)
        let run: Run = try decode(workspace.text("record.json"))
        #expect(run.points.map(\.epoch) == epochs && run.epochsPerEvaluation == every)
        #expect(outcome.output.contains("evaluation, every \(every ?? 0) epochs and at the ends,") == (every ?? 1 > 1))
    }

    @Test(arguments: all + compressed + ["minibatch-sgd", "asgd", "ssp", "ringmaster-asgd", "rennala-sgd", "dc-asgd"])
    func `a diverged run leaves record and model`(algorithm: String) throws {
        try workspace.write("data.csv", tableRows(40))
        let outcome = try workspace.relaxed(
            "train data.csv --label price --ignore class --hidden 4 --step-size 1e30 --algorithm \(algorithm) --workers 2 "
                + "--batch-size 4 --json record.json --model-out model --quiet")
        #expect(outcome.code == 1 && outcome.errors.hasPrefix("error: \(algorithm): diverged"))
        #expect(outcome.errorLines.count == 1 && outcome.errors.contains("loses less") == (algorithm == "ec-sgd"))
        let run: Run = try decode(workspace.text("record.json"))
        #expect(run.status == "diverged" && run.points.count == 2 && run.keptPoint == 0)
        // The model kept is that of the start.
        let scores: Scores = try decode(workspace.relaxed("predict model data.csv --json -").output)
        #expect(abs(scores.evaluation.loss - (run.points[0].loss ?? 0)) < 1e-5)
    }

    /// The last two sit through minutes of an iteration, which the signal cuts short.
    @Test(
        arguments: [
            "", "--clock virtual --compute 1e-3", "--clock wall --compute 1e-3", "--clock wall --compute 600",
            "--clock wall --compute 0 --latency 300",
        ])
    func `a signal ends a run with record and model of what was reached`(clock: String) throws {
        try workspace.write("data.csv", tableRows(200))
        // Far longer than the test waits; the limit ends it should the signal not.
        let process = try workspace.process(
            "train data.csv --label class --algorithm ec-sgd --workers 3 --epochs 100000000 --max-seconds 1e6 \(clock) "
                + "--batch-size 2 --json record.json --model-out model")
        try process.run(until: "read in", then: SIGINT)
        #expect(process.terminationReason == .exit && process.terminationStatus == 130)
        let run: Run = try decode(workspace.text("record.json"))
        #expect(run.status == "interrupted" && !run.deterministic && run.points.count >= 2)
        #expect(try workspace.relaxed("predict model data.csv --quiet").code == 0)
    }

    @Test(arguments: ["1e-37/(1+1e38t)", "0.1*0.000001^epoch"])
    func `step sizes that fall below what a float holds end no process`(schedule: String) throws {
        try workspace.write("data", sampleRows(40))
        let outcome = try workspace.relaxed(
            "train data --algorithm ec-sgd --workers 2 --batch-size 5 --epochs 12 --step-size \(schedule) --quiet")
        #expect(outcome.code == 0, "\(outcome.errors)")
    }

    @Test func `runs compute as an earlier one where minibatches are as large`() throws {
        struct Runs: Decodable {
            struct Run: Decodable {
                struct Exchange: Decodable { let computeSeconds: Double }
                let exchange: Exchange
            }
            let runs: [Run]
        }
        try workspace.write("data", sampleRows(400))
        let outcome = try workspace.relaxed(
            "train data --algorithm gradient-aggregation,asgd,dsgd,asgd --order shuffled --workers 2 --epochs 1 "
                + "--clock virtual --json -")
        let seconds = try decode(Runs.self, outcome.output).runs.map(\.exchange.computeSeconds)
        // Those of asgd have one row, not 64.
        #expect(seconds[2] == seconds[0] && seconds[3] == seconds[1] && seconds[1] != seconds[0])
    }

    @Test func `a trace that a run writes is read by runs whose workers do not wait for all`() throws {
        try workspace.write("data", sampleRows(240))
        let outcome = try workspace.relaxed(
            "train data --algorithm gradient-aggregation --workers 4 --batch-size 5 --epochs 2 --compute-trace times.csv"
        )
        #expect(outcome.code == 0)
        let lines = try workspace.text("times.csv").split(separator: "\n")
        #expect(lines[0] == "rank,seconds" && lines.count == 1 + 4 * 24)
        // One of them is made late, ten thousand times as much as all.
        let trace = lines.map { $0.hasPrefix("2,") ? "2,10" : String($0) }.joined(separator: "\n")
        try workspace.write("times.csv", trace)
        let line =
            "train data --algorithm gradient-aggregation,backup-workers:take=3,gradient-coding,gradient-coding:tolerate=2 "
            + "--workers 4 --batch-size 5 --epochs 2 --clock virtual --straggler trace:times.csv --json record.json"
        let (first, second) = (try workspace.relaxed(line), try workspace.text("record.json"))
        #expect(first.code == 0)
        for name in ["backup-workers:take=3", "gradient-coding:tolerate=2", "stragglers trace:times.csv"] {
            #expect(first.output.contains(name), "\(first.output)")
        }
        let runs = try decode(RunList.self, second).runs
        #expect(runs.allSatisfy { $0.updates == 24 && $0.deterministic })
        #expect(abs(runs[0].seconds - 240) < 1 && runs.dropFirst().allSatisfy { $0.seconds < 10 })
        #expect(runs.dropFirst(2).allSatisfy { abs($0.points.last!.loss! - runs[0].points.last!.loss!) < 1e-4 })
    }

    @Test func `delays are recorded as they were prescribed`() throws {
        try workspace.write("data", sampleRows(100))
        try workspace.write("delays", "0\n4\n2\n")
        let outcome = try workspace.relaxed(
            "train data --algorithm delayed-sgd:law=trace:delays --epochs 1 --json record.json")
        #expect(outcome.code == 0)
        let record = try workspace.text("record.json")
        // Of 100 steps the second has but one model before it.
        #expect(record.replacing(/\s/, with: "").contains("\"histogram\":[[0,34],[1,1],[2,33],[4,32]]"), "\(record)")
    }
}
