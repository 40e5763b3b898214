import Foundation
import Glibc
import Testing

/// How runs end: by themselves, by a signal, or because they diverge.
struct EndingTests {
    /// `timeout` sends a signal twice.
    @Test(arguments: [
        (SIGINT, 1, 130, "asgd", ""), (SIGTERM, 2, 143, "asgd", ""), (SIGINT, 2, 130, "asgd", ",sgd"),
        (SIGINT, 1, 130, "ssp:bound=0 --workers 64 --placement none", ""),
        (SIGTERM, 1, 143, "rennala-sgd:batch=3 --workers 9 --placement none", ""),
    ])
    func `a signal ends training with record and model of what was reached`(
        signal: Int32, times: Int, code: Int, algorithm: String, others: String
    ) throws {
        let workspace = try Workspace()
        try workspace.write("data", sampleRows(300))
        // Far longer than the test waits; the limit ends it should the signal not.
        let process = try workspace.process(
            "train data\(algorithm.contains("--workers") ? "" : " --workers 2") --algorithm \(algorithm)\(others) --epochs 100000000 --max-seconds 60 --json record.json"
                + (others.isEmpty ? " --model-out model.txt" : ""))
        // This line is printed once the handlers are in place.
        try process.run(until: "read in", then: signal, times: times)
        #expect(process.terminationReason == .exit && Int(process.terminationStatus) == code)
        if others.isEmpty {
            let record: Record = try decode(workspace.text("record.json"))
            #expect(record.status == "interrupted" && record.points.count >= 2)
            #expect(try workspace.relaxed("predict model.txt data").code == 0)
        } else {
            let list: RecordList = try decode(workspace.text("record.json"))
            #expect(list.runs.map(\.status) == ["interrupted"])
        }
    }

    @Test func `a signal before training ends the command and leaves nothing`() throws {
        let workspace = try Workspace()
        let process = try workspace.process("train - --workers 1 --json record.json --model-out model.txt")
        let input = Pipe()
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        // More than a pipe holds: when it is written the command is reading, which it does after it has set its handlers.
        let rows = Data(sampleRows(10_000).utf8)
        try input.fileHandleForWriting.write(contentsOf: rows)
        #expect(kill(process.processIdentifier, SIGINT) == 0)
        // Should the signal be lost, the end of the input ends the command, with another code.
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
        #expect(process.terminationStatus == 130)
        #expect(try workspace.files().isEmpty)
    }

    @Test(arguments: ["sgd", "ec-sgd --workers 2", "asgd --workers 1"])
    func `where only the clock ended a run, threads are not said to have raced`(algorithm: String) throws {
        let workspace = try Workspace()
        try workspace.write("data", sampleRows(50))
        let outcome = try workspace.relaxed(
            "train data --epochs 100000000 --max-seconds 0.01 --json record.json --algorithm \(algorithm)")
        #expect(outcome.output.contains("a matter of the clock") && !outcome.output.contains("raced"))
        let record: Record = try decode(workspace.text("record.json"))
        #expect(record.status == "timeLimit")
    }

    @Test(arguments: [
        "gd", "sgd", "minibatch-sgd", "asgd", "hogwild", "ssp", "ringmaster-asgd", "rennala-sgd", "dc-asgd",
    ])
    func `a run that diverges says so and writes how far it came`(algorithm: String) throws {
        let workspace = try Workspace()
        try workspace.write("data", regressionRows(100))
        let outcome = try workspace.relaxed(
            "train data --objective squared --step-size 1e30 --algorithm \(algorithm) --workers 2 --json record.json "
                + "--model-out model.txt --quiet")
        #expect(outcome.code == 1)
        #expect(outcome.errorLines.count == 1 && outcome.errors.hasPrefix("error: \(algorithm): diverged"))
        let record: Record = try decode(workspace.text("record.json"))
        #expect(record.status == "diverged" && record.points.count >= 2 && record.points[0].loss != nil)
        #expect(try workspace.text("model.txt").hasPrefix("solver_type L2R_L2LOSS_SVR\n"))
    }

    @Test(arguments: ["gd", "sgd", "minibatch-sgd", "asgd", "hogwild", "gradient-aggregation"])
    func `a run that changes nothing says so, and values that are too large are refused`(algorithm: String) throws {
        let workspace = try Workspace()
        try workspace.write("small", "1 1:0.25\n-1 1:-0.25\n1 1:0.5\n-1 1:-0.5\n")
        let options = "--no-intercept --algorithm \(algorithm) --workers 2 --quiet"
        let outcome = try workspace.relaxed(
            "train small \(options) --step-size 1e-45 --json record.json"
                + (algorithm == "gradient-aggregation" ? " --batch-size 1 --clip-gradient 1e-9" : ""))
        #expect(outcome.code == 1 && outcome.errorLines.count == 1)
        #expect(outcome.errors.hasPrefix("error: \(algorithm): no update changed the model with --step-size"))
        let record: Record = try decode(workspace.text("record.json"))
        #expect(record.status == "unchanged")

        try workspace.write("large", "1 1:1e30\n-1 1:-1e30\n1 1:2e30\n-1 1:-2e30\n")
        try expectRefusal(
            "train large \(options) --json large.json", in: workspace, ["large: found values", "scaled to about 1"])
    }

    @Test func `early stopping keeps the best model, and that is the one that is saved`() throws {
        let workspace = try Workspace()
        try workspace.write("train", sampleRows(200))
        try workspace.write("test", sampleRows(100, seed: 9))
        let outcome = try workspace.relaxed(
            "train train --test test --algorithm sgd --step-size 3 --epochs 50 --early-stop 2 --model-out model --json -"
        )
        #expect(outcome.code == 0)
        let record: Record = try decode(outcome.output)
        #expect(record.status == "stoppedEarly" && record.keptPoint == record.points.count - 3)
        let best = record.points.compactMap(\.loss).min()
        #expect(record.points[record.keptPoint].loss == best)
        let scores: Scores = try decode(workspace.relaxed("predict model test --json -").output)
        #expect(abs(scores.evaluation.loss - (best ?? 0)) < 1e-6)
    }

    @Test(arguments: [4, 60]) func `output that could not be written, at its end or before, is an error`(workers: Int)
        throws
    {
        let outcome = try Workspace().shell(
            "relaxed simulate --pattern ring-allreduce --workers \(workers) --megabytes 1 > /dev/full")
        #expect(outcome.code == 1 && outcome.errors == "error: standard output could not be written\n")
    }

    @Test func `a file that could not be written takes neither the record nor the others with it`() throws {
        let workspace = try Workspace()
        try workspace.write("data", sampleRows(200))
        let outcome = try workspace.relaxed(
            "train data --algorithm asgd --workers 2 --epochs 1 --update-log /dev/full --model-out model --json record")
        #expect(outcome.code == 1 && outcome.errors.contains("/dev/full"))
        let record: Record = try decode(workspace.text("record"))
        #expect(record.status == "completed")
        #expect(try workspace.text("model").contains("solver_type"))
    }

    @Test func `a target or a time limit ends a run with code 0`() throws {
        let workspace = try Workspace()
        try workspace.write("data", sampleRows(200))
        func status(_ options: String) throws -> String {
            let outcome = try workspace.relaxed("train data --workers 2 --epochs 100000000 \(options) --json -")
            #expect(outcome.code == 0)
            return try decode(Record.self, outcome.output).status
        }
        #expect(try status("--target-loss 0.69") == "targetReached")
        #expect(try status("--max-seconds 0.001") == "timeLimit")
    }

    @Test(arguments: ["", "train ", "predict ", "staleness ", "machine ", "data ", "data info "])
    func `help and version are no errors`(verb: String) throws {
        let workspace = try Workspace()
        let help = try workspace.relaxed("\(verb)--help")
        #expect(help.code == 0 && help.output.contains("USAGE: relaxed") && help.errors == "")
        let version = try workspace.relaxed("--version")
        #expect(version.code == 0 && version.output.split(separator: ".").count == 3)
    }
}
