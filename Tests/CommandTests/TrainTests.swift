import Foundation
import Testing

/// What `relaxed train` and `relaxed staleness` accept and print.
struct TrainTests {
    @Test func `the record has the keys that other programs rely on`() throws {
        let workspace = try Workspace()
        try workspace.write("train", sampleRows(300))
        try workspace.write("test", sampleRows(100, seed: 8))
        let outcome = try workspace.relaxed(
            "train train --test test --algorithm asgd --workers 3 --epochs 4 --seed 11 --train-loss every "
                + "--gradient-norm every --json -")
        #expect(outcome.code == 0)
        let record: Record = try decode(outcome.output)
        #expect(record.schema == 1 && record.seed == 11 && record.settings.seed == 11)
        #expect(record.commandLine.dropFirst().first == "train")
        #expect(record.status == "completed")
        #expect(record.settings.algorithm == "asgd" && record.settings.workers == 3 && record.settings.cpus.count == 3)
        #expect(record.points.count == 5 && record.points[0].updates == 0 && record.updates == record.points[4].updates)
        for (epoch, point) in record.points.enumerated() {
            #expect(point.epoch == Double(point.updates) / 300)
            // The last workers to come to an evaluation make an update more.
            #expect((300 * epoch..<300 * epoch + 3).contains(point.updates))
        }
        for point in record.points {
            #expect(point.loss != nil && point.trainLoss != nil && point.auc != nil)
            #expect((0...1).contains(point.accuracy ?? -1) && (point.gradientNormSquared ?? -1) >= 0)
        }
        #expect(record.evaluationSeconds > 0 && record.processSeconds > 0 && record.processorSeconds > 0)
        let losses = record.points.compactMap(\.loss)
        #expect(losses[4] < losses[0])
        #expect(record.updatesPerSecond > 0)

        let staleness = record.staleness
        #expect(staleness.count == record.updates && staleness.perWorker.map(\.rank) == [0, 1, 2])
        #expect(staleness.perWorker.reduce(0) { $0 + $1.count } == staleness.count)
        #expect(staleness.histogram.reduce(0) { $0 + $1[1] } == staleness.count)
        #expect(staleness.perWorker.map(\.max).max() == staleness.max)
        #expect(staleness.p50 <= staleness.p90 && staleness.p90 <= staleness.p99 && staleness.p99 <= staleness.max)
        #expect(staleness.mean >= 0 && staleness.mean <= Double(staleness.max))
    }

    @Test func `a list of algorithms gives one object with their runs`() throws {
        let workspace = try Workspace()
        try workspace.write("data", sampleRows(120))
        let outcome = try workspace.relaxed(
            "train data --algorithm gd,sgd,minibatch-sgd,asgd,hogwild --workers 1 --epochs 2 --json -")
        #expect(outcome.code == 0)
        let list: RecordList = try decode(outcome.output)
        #expect(list.schema == 1)
        #expect(list.runs.map(\.settings.algorithm) == ["gd", "sgd", "minibatch-sgd", "asgd", "hogwild"])
        #expect(list.runs.allSatisfy { $0.staleness.max == 0 && $0.staleness.mean == 0 && $0.status == "completed" })
        // One worker of asgd or hogwild does what sgd does.
        let final = list.runs.map { $0.points.last?.loss }
        #expect(final[1] == final[3] && final[1] == final[4] && final[1] != final[2])
    }

    @Test func `beside other algorithms data-parallel ones have a second table`() throws {
        let workspace = try Workspace()
        try workspace.write("data", sampleRows(120))
        func lines(_ algorithms: String) throws -> [Substring] {
            let outcome = try workspace.relaxed("train data --workers 1 --epochs 1 --algorithm \(algorithms)")
            return outcome.output.split(separator: "\n")
        }
        let mixed = try lines("sgd,csgd,hogwild")
        #expect(mixed.filter { $0.hasPrefix("csgd ") }.count == 2 && mixed.filter { $0.hasPrefix("sgd ") }.count == 1)
        #expect(mixed.contains { $0.contains("tau mean") } && mixed.contains { $0.contains("bytes/iteration") })
        #expect(try !lines("sgd,hogwild").contains { $0.contains("bytes/iteration") })
        #expect(try !lines("csgd,ec-sgd").contains { $0.contains("tau mean") })
    }

    @Test(arguments: ["sgd", "minibatch-sgd", "gd", "asgd --workers 1", "hogwild --workers 1"])
    func `the same seed gives the same losses and the same model`(algorithm: String) throws {
        let workspace = try Workspace()
        try workspace.write("data", sampleRows(200))
        var losses: [[Double?]] = []
        for (run, seed) in [("a", 3), ("b", 3), ("c", 4)] {
            let outcome = try workspace.relaxed(
                "train data --order shuffled --algorithm \(algorithm) --epochs 3 --seed \(seed) --model-out \(run) --json -"
            )
            #expect(outcome.code == 0)
            losses.append(try decode(Record.self, outcome.output).points.map(\.loss))
        }
        #expect(losses[0] == losses[1])
        #expect(try workspace.bytes("a") == workspace.bytes("b"))
        if algorithm != "gd" { #expect(losses[0] != losses[2]) }
    }

    @Test func `blank lines, comments, CRLF, rows without features and a missing final newline are read`() throws {
        let workspace = try Workspace()
        try workspace.write("plain", "1 1:1 3:0.5\n-1\n1 2:2\n-1 3:1\n")
        let variants = [
            "1 1:1 3:0.5\n-1\n1 2:2\n-1 3:1", "1 1:1 3:0.5\r\n-1\r\n1 2:2\r\n-1 3:1\r\n",
            "# head\n\n+1 1:1 3:0.5 # a flight\n\n-1 # none\n \t\n1\t2:2.0  \n-1 3:1e0\n\n",
        ]
        func model(_ path: String, input: String? = nil) throws -> Data {
            let outcome = try workspace.relaxed(
                "train \(path) --algorithm sgd --workers 2 --quiet --model-out model", input: input)
            #expect(outcome.code == 0 && outcome.output == "" && outcome.errors == "", "\(path): \(outcome.errors)")
            return try workspace.bytes("model")
        }
        let expected = try model("plain")
        for text in variants {
            try workspace.write("variant", text)
            try workspace.write("variant.gz", gzip(text))
            #expect(try model("variant") == expected)
            #expect(try model("variant.gz") == expected)
            #expect(try model("-", input: text) == expected)
        }
    }

    @Test(arguments: [("1 1:1\n", "squared"), ("1\n-1\n1\n", "logistic"), ("1 1:1\n-1 2:1\n", "logistic")])
    func `tiny data train with more workers than rows`(text: String, objective: String) throws {
        let workspace = try Workspace()
        try workspace.write("data", text)
        for algorithm in ["asgd", "hogwild"] {
            let outcome = try workspace.relaxed(
                "train data --algorithm \(algorithm) --objective \(objective) --workers 9 --epochs 2 --json -")
            #expect(outcome.code == 0, "\(outcome.errors)")
            let record: Record = try decode(outcome.output)
            let updates = 2 * text.split(separator: "\n").count
            #expect((updates..<updates + (algorithm == "asgd" ? 9 : 1)).contains(record.updates))
            #expect(record.staleness.perWorker.count == 9)
        }
    }

    @Test func `labels of groups, of 0 and 1, and real ones each find their objective`() throws {
        let workspace = try Workspace()
        try workspace.write("zero", sampleRows(60, negative: "0"))
        try workspace.write("minus", sampleRows(60))
        try workspace.write("classes", sampleRows(60, negative: "7").replacing("+1 ", with: "3 "))
        try workspace.write("real", regressionRows(70))
        func record(_ line: String) throws -> Record {
            try decode(workspace.relaxed("train \(line) --algorithm sgd --epochs 2 --json -").output)
        }
        let losses = try record("minus").points.map(\.loss)
        #expect(try record("zero").points.map(\.loss) == losses)
        #expect(try record("classes --positive 3").points.map(\.loss) == losses)
        #expect(try record("classes --positive 7").points.map(\.accuracy) != record("minus").points.map(\.accuracy))
        let regression = try record("real --objective squared --step-size 0.3 --epochs 20")
        let last = try #require(regression.points.last)
        #expect((last.r2 ?? 0) > 0.99 && last.accuracy == nil)
    }

    @Test func `tables and notes stay out of JSON, and --quiet leaves nothing`() throws {
        let workspace = try Workspace()
        try workspace.write("data", sampleRows(100))
        let tables = try workspace.relaxed("train data --workers 1 --json record.json")
        #expect(tables.code == 0 && tables.errors == "")
        for heading in ["100 rows, 20 features", "updates", "loss", "accuracy", "AUC", "staleness"] {
            #expect(tables.output.contains(heading))
        }
        #expect(!tables.output.contains("\u{1B}") && !tables.output.contains("\r"))
        _ = try decode(Record.self, workspace.text("record.json"))

        let many = try workspace.relaxed("train data --workers 64 --epochs 1 --json -")
        #expect(many.errorLines.allSatisfy { $0.hasPrefix("note: ") } && many.errors.contains("64 workers"))
        #expect(try decode(Record.self, many.output).settings.workers == 64)

        let quiet = try workspace.relaxed("train data --workers 64 --epochs 1 --quiet")
        #expect(quiet.code == 0 && quiet.output == "" && quiet.errors == "")
    }

    @Test func `what takes a pass over all training rows is evaluated where it was asked for, and null elsewhere`()
        throws
    {
        let workspace = try Workspace()
        try workspace.write("train", sampleRows(300))
        try workspace.write("test", sampleRows(100, seed: 8))
        func points(_ options: String) throws -> (record: Record, text: String) {
            let outcome = try workspace.relaxed(
                "train train --test test --algorithm sgd --epochs 3 --json - \(options)")
            #expect(outcome.code == 0, "\(outcome.errors)")
            return (try decode(outcome.output), outcome.output)
        }
        let (usual, text) = try points("")
        #expect(usual.points.map { $0.trainLoss != nil } == [true, false, false, true])
        #expect(usual.points.allSatisfy { $0.gradientNormSquared == nil })
        #expect(usual.points.map { $0.auc != nil } == [true, false, false, true])
        // The key is there all the same.
        #expect(text.components(separatedBy: "\"gradientNormSquared\" : null").count == 5)
        let all = try points("--train-loss every --gradient-norm ends").record
        #expect(all.points.allSatisfy { $0.trainLoss != nil && $0.auc != nil })
        #expect(all.points[3].auc == usual.points[3].auc)
        #expect(all.points.map { $0.gradientNormSquared != nil } == [true, false, false, true])
        #expect(all.points.map(\.loss) == usual.points.map(\.loss))
        #expect(all.points[3].trainLoss == usual.points[3].trainLoss)
        #expect(try points("--train-loss never").record.points.allSatisfy { $0.trainLoss == nil })
        for option in ["--train-loss", "--gradient-norm"] {
            let refused = try workspace.relaxed("train train \(option) often")
            #expect(
                refused.code == 2
                    && refused.errors == "error: \(option): found \"often\", expected every, ends, end or never\n")
        }
    }

    @Test(arguments: ["", " --gradient-norm every"]) func `the table has a line for each evaluation, each once`(
        options: String
    ) throws {
        let workspace = try Workspace()
        try workspace.write("train", sampleRows(300))
        try workspace.write("test", sampleRows(100, seed: 8))
        let outcome = try workspace.relaxed("train train --test test --algorithm sgd --epochs 12" + options)
        let lines = outcome.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let header = try #require(lines.firstIndex { $0.hasPrefix("epoch ") })
        let end = try #require(lines[header...].firstIndex(of: ""))
        #expect(end == header + 2 + 13)
        // Widths that were fixed beforehand hold what came, so that all lines end in one column.
        #expect(Set(lines[header..<end].map(\.count)).count == 1)
        #expect(lines[header].contains("train loss") && lines[header].contains("gradient") == !options.isEmpty)
        #expect(lines[end - 2].split(separator: " ")[4] == "-" && lines[end - 1].split(separator: " ")[4] != "-")
    }

    @Test(arguments: [
        "--algorithm sgd", "--algorithm gradient-aggregation --workers 2 --batch-size 10",
        "--algorithm sgd,hogwild --epochs 2",
    ])
    func `lines of the table appear in a pipe while the run goes on`(options: String) throws {
        let workspace = try Workspace()
        try workspace.write("data", sampleRows(300))
        // The limit ends what a table kept back would leave running.
        let isList = options.contains(",")
        let line = isList ? "--algorithm sgd,hogwild,sgd,sgd,sgd,sgd,sgd,sgd --evaluations-per-epoch 5" : options
        let process = try workspace.process(
            "train data \(line) --epochs 100000000 --max-seconds \(isList ? 0.2 : 60) --json record.json")
        try process.run(until: isList ? "time limit" : "\n 3.00 ", then: SIGINT)
        #expect(process.terminationStatus == 130)
        if isList {
            #expect(try decode(RecordList.self, workspace.text("record.json")).runs.count < 8)
        } else {
            #expect(try decode(Record.self, workspace.text("record.json")).status == "interrupted")
        }
    }

    @Test func `the record is written even where nobody reads the tables`() throws {
        let workspace = try Workspace()
        try workspace.write("data", sampleRows(100))
        let outcome = try workspace.shell("relaxed train data --workers 1 --epochs 300 --json record.json | head -n 1")
        #expect(outcome.output.contains("100 rows") && outcome.errors == "")
        #expect(try decode(Record.self, workspace.text("record.json")).points.count == 301)
    }

    @Test func `staleness sweeps workers and algorithms`() throws {
        let workspace = try Workspace()
        try workspace.write("data", sampleRows(150))
        let outcome = try workspace.relaxed("staleness data --workers 1,3 --epochs 2 --staleness exact --json -")
        #expect(outcome.code == 0)
        let list: RecordList = try decode(outcome.output)
        #expect(
            list.runs.map { "\($0.settings.algorithm) \($0.settings.workers)" }
                == ["asgd 1", "hogwild:layout=shared 1", "asgd 3", "hogwild:layout=shared 3"])
        #expect(list.runs.allSatisfy { (300..<300 + $0.settings.workers).contains($0.staleness.count) })
        #expect(list.runs[0].staleness.max == 0 && list.runs[1].staleness.max == 0)
        let tables = try workspace.relaxed("staleness data --workers 2 --epochs 1 --algorithm asgd")
        #expect(tables.code == 0 && tables.output.contains("tau (updates)") && tables.output.contains("tau mean"))
    }

    @Test func `every update of asgd can be logged, and the log gives the staleness of the record`() throws {
        let workspace = try Workspace()
        try workspace.write("data", sampleRows(200))
        let outcome = try workspace.relaxed(
            "train data --algorithm asgd --workers 4 --epochs 2 --update-log log --json -")
        let record: Record = try decode(outcome.output)
        let lines = try workspace.text("log").split(separator: "\n")
        let updates = record.updates
        #expect((400..<404).contains(updates))
        #expect(lines.first == "worker,readVersion,writeVersion" && lines.count == updates + 1)
        let entries = lines.dropFirst().map { $0.split(separator: ",").compactMap { Int($0) } }
        #expect(entries.map { $0[2] } == Array(0..<updates))
        let total = entries.reduce(0) { $0 + $1[2] - $1[1] }
        #expect(abs(record.staleness.mean * Double(updates) - Double(total)) < 1e-6 * Double(max(total, 1)))
        #expect(entries.map { $0[2] - $0[1] }.max() == record.staleness.max)
    }
}
