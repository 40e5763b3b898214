import Foundation
import Testing

/// `relaxed train --seeds`: runs are repeated, and what they come to is a mean and a standard deviation.
struct SeedsTests {
    private struct Figure: Decodable {
        let mean: Double
        let standardDeviation: Double?
    }

    private struct Summary: Decodable {
        let algorithm: String
        let workers: Int
        let seeds: [Int]
        let endings: [String: Int]
        let loss: Figure
        let accuracy: Figure?
        let r2: Figure?
        let seconds: Figure
        let updatesPerSecond: Figure
        let meanStaleness: Figure?
    }

    private struct Runs: Decodable {
        let schema: Int
        let seed: Int
        let runs: [RecordList.Run]
        let summary: [Summary]
    }

    private let workspace = try! Workspace()

    private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

    private func deviation(_ values: [Double]) -> Double {
        let mean = mean(values)
        return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)).squareRoot()
    }

    private func close(_ figure: Figure?, _ values: [Double]) -> Bool {
        guard let figure, let found = figure.standardDeviation else { return false }
        return abs(figure.mean - mean(values)) <= 1e-9 * abs(mean(values))
            && abs(found - deviation(values)) <= 1e-9 * deviation(values) + 1e-12
    }

    @Test func `every seed is a run of its own, and the summary is the mean and deviation of them`() throws {
        try workspace.write("data", sampleRows(200))
        let outcome = try workspace.relaxed(
            "train data --algorithm asgd,sgd --workers 3 --order shuffled --epochs 2 --seed 4 --seeds 3 --json -")
        #expect(outcome.code == 0, "\(outcome.errors)")
        let found: Runs = try decode(outcome.output)
        #expect(found.schema == 1 && found.seed == 4)
        #expect(
            found.runs.map { "\($0.settings.algorithm) \($0.settings.seed)" }
                == ["asgd 4", "asgd 5", "asgd 6", "sgd 4", "sgd 5", "sgd 6"])
        #expect(found.summary.map(\.algorithm) == ["asgd", "sgd"] && found.summary.map(\.workers) == [3, 1])
        for (summary, runs) in zip(found.summary, [found.runs[..<3], found.runs[3...]]) {
            #expect(summary.seeds == [4, 5, 6] && summary.endings == ["completed": 3] && summary.r2 == nil)
            #expect(close(summary.loss, runs.compactMap { $0.points.last?.loss }))
            #expect(close(summary.accuracy, runs.compactMap { $0.points.last?.accuracy }))
            #expect(close(summary.seconds, runs.compactMap { $0.points.last?.seconds }))
            #expect(close(summary.updatesPerSecond, runs.map(\.updatesPerSecond)))
            #expect(close(summary.meanStaleness, runs.map(\.staleness.mean)))
            #expect((summary.loss.standardDeviation ?? 0) > 0)
        }
        let alone = try workspace.relaxed("train data --algorithm sgd --order shuffled --epochs 2 --seed 5 --json -")
        #expect(try decode(Record.self, alone.output).points.map(\.loss) == found.runs[4].points.map(\.loss))
    }

    @Test func `a list of seeds has a line each in the table, then mean and deviation; one seed is one run`() throws {
        try workspace.write("data", regressionRows(60))
        let options = "train data --objective squared --algorithm minibatch-sgd --batch-size 4 --epochs 1"
        let outcome = try workspace.relaxed("\(options) --seeds 1,2,7 --json record.json")
        let lines = outcome.output.split(separator: "\n").map { $0.split(separator: " ").prefix(2) }
        let table = lines[lines.firstIndex { $0.first == "seed" }!...].map { $0.joined(separator: " ") }
        #expect(table[0].hasPrefix("seed loss") && table.count == 7)
        for (line, name) in zip(table[2...], ["1 ", "2 ", "7 ", "mean ", "standard deviation"]) {
            #expect(line.hasPrefix(name), "\(line)")
        }
        let found: Runs = try decode(workspace.text("record.json"))
        #expect(found.summary.count == 1 && found.summary[0].seeds == [1, 2, 7] && found.summary[0].r2 != nil)

        let one = try workspace.relaxed("\(options) --seeds 1 --model-out model --json -")
        #expect(try decode(Record.self, one.output).settings.seed == 1)
    }

    @Test func `compared algorithms have a line each`() throws {
        try workspace.write("data", sampleRows(60))
        let outcome = try workspace.relaxed(
            "train data --algorithm csgd,ec-sgd --workers 2 --batch-size 5 --epochs 1 --clock virtual --compute 1ms "
                + "--seeds 2")
        let lines = outcome.output.split(separator: "\n")
        for name in ["csgd", "ec-sgd"] {
            let own = lines.filter { $0.hasPrefix("\(name) ") }
            #expect(own.count == 1 && own[0].contains(" ± ") && own[0].hasSuffix("completed"))
        }
        #expect(outcome.output.contains("seconds are those of the switch model"))
    }

    @Test func `a run that diverges leaves its mean undefined and ends the command with code 1`() throws {
        try workspace.write("data", regressionRows(100))
        let outcome = try workspace.relaxed(
            "train data --objective squared --step-size 1e30 --algorithm sgd,gd --seeds 2 --json -")
        #expect(outcome.code == 1)
        struct Undefined: Decodable {
            struct Summary: Decodable { let endings: [String: Int] }
            let summary: [Summary]
        }
        #expect(
            try decode(Undefined.self, outcome.output).summary.map(\.endings) == [["diverged": 2], ["diverged": 2]])
    }

    @Test func `an interrupted run does not count`() throws {
        try workspace.write("data", sampleRows(100))
        let process = try workspace.process(
            "train data --algorithm sgd --epochs 100000000 --max-seconds 0.2 --seeds 500 --json record.json")
        try process.run(until: "time limit", then: SIGINT)
        #expect(process.terminationStatus == 130)
        let found: Runs = try decode(workspace.text("record.json"))
        #expect(found.runs.count < 500 && found.summary[0].endings == ["timeLimit": found.summary[0].seeds.count])
        #expect(found.summary[0].seeds.count >= found.runs.count - 1)
    }

    @Test(arguments: [
        ("--seeds 0", "--seeds: found \"0\""), ("--seeds -2", "--seeds: found \"-2\""), ("--seeds x", "\"x\""),
        ("--seeds 1,", "\"1,\""), ("--seeds 3,5,3", "--seeds: found 3 twice"), ("--seeds 100001", "1 to 10000"),
        ("--seed 18446744073709551615 --seeds 2", "--seeds"),
        ("--seed 3 --seeds 1,2", "--seed: found it beside a list"),
        ("--seeds 2 --model-out model", "--model-out: found --seeds with 2 of them, expected one seed"),
        ("--seeds 1,2 --gradient-out gradient", "--gradient-out: found --seeds"),
        ("--seeds 1,2 --algorithm asgd --update-log log", "--update-log: found --seeds"),
    ])
    func `seeds that cannot be meant are refused`(options: String, fragment: String) throws {
        try workspace.write("data", sampleRows(10))
        try expectRefusal("train data \(options) --json record.json", in: workspace, [fragment])
    }
}
