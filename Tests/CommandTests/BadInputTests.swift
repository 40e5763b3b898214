import Foundation
import Testing

/// Bad input ends the command with code 2 and one line, and leaves no file behind.
struct BadInputTests {
    private static let outputs = "--workers 2 --json record.json --model-out model.txt"

    @Test(arguments: [
        ("abc 1:1", "\"abc\""), ("nan 1:1", "\"nan\""), ("1 1:", "\"1:\""), ("1 x:1", "\"x:1\""), ("1 0:1", "\"0:1\""),
        ("1 5:1 3:1", "\"3:1\""), ("1 3:1 3:2", "\"3:2\""), ("1 1:nan", "\"1:nan\""), ("1 1:1e999", "\"1:1e999\""),
        ("1 4294967295:1", "4294967294"), ("1 99999999999999999999:1", "4294967294"), ("1 1:1 2", "\"2\""),
    ])
    func `a bad line is named with its file and its number`(line: String, fragment: String) throws {
        let workspace = try Workspace()
        try workspace.write("data", "1 1:1\n# a comment\n\(line)\n-1 1:1\n")
        try expectRefusal("train data \(Self.outputs)", in: workspace, ["data:3: ", fragment])
    }

    @Test func `a bad line is found in compressed text, in standard input and in held-out rows`() throws {
        let workspace = try Workspace()
        let bad = sampleRows(50) + "1 0:1\n"
        try workspace.write("good", sampleRows(50))
        try workspace.write("bad.gz", gzip(bad))
        try expectRefusal("train bad.gz \(Self.outputs)", in: workspace, ["bad.gz:51: "])
        try expectRefusal("train - \(Self.outputs)", in: workspace, input: bad, ["standard input:51: "])
        try expectRefusal("train good --test bad.gz \(Self.outputs)", in: workspace, ["bad.gz:51: "])
    }

    @Test func `what is no data file is refused by name`() throws {
        let workspace = try Workspace()
        try workspace.write("empty", "")
        try workspace.write("norows", "\n# nothing\n \n")
        try workspace.write("three", "0 1:1\n1 1:1\n2 1:1\n")
        let compressed = gzip(sampleRows(200))
        try workspace.write("cut.gz", compressed.prefix(compressed.count / 2))
        try workspace.write("random", (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7 | 128) })
        try workspace.write("named.gz", sampleRows(3))
        for (path, fragment) in [
            ("missing", "no such file"), (".", "a directory"), ("empty", "an empty file"), ("norows", "no rows"),
            ("three", "labels 0, 1, 2"), ("cut.gz", "cut off"), ("random", "LABEL INDEX:VALUE"),
            ("named.gz", "not gzip data"),
        ] {
            try expectRefusal("train \(path) \(Self.outputs)", in: workspace, ["error: \(path)", fragment])
        }
        try expectRefusal("train - \(Self.outputs)", in: workspace, input: "", ["standard input: found no"])
    }

    @Test(arguments: [
        ("--algorithm nosuch", "\"nosuch\""), ("--algorithm hogwlid", "; did you mean hogwild?"),
        ("--algorithm sgd,", "\"\""), ("--workers 0", "--workers: found 0"),
        ("--workers -1", "--workers: found -1"), ("--workers 70000", "70000"), ("--workers x", "--workers"),
        ("--placement 9999", "9999"), ("--placement nowhere", "\"nowhere\""), ("--epochs 0", "--epochs: found 0"),
        ("--nosuch", "--nosuch"), ("--step-size 0", "--step-size"), ("--step-size 1/u", "\"1/u\""),
        ("--step-size nan", "--step-size"), ("--step-size 1*2^epoch", "--step-size"), ("--early-stop 3", "--test"),
        ("--objective nosuch", "\"nosuch\""), ("--order nosuch", "\"nosuch\""), ("--staleness nosuch", "\"nosuch\""),
        ("--batch-size 0", "--batch-size"),
        ("--l2 -1", "--l2"), ("--seed -1", "--seed"), ("--positive 7", "--positive 7"), ("--positive x", "\"x\""),
        ("--target-loss nan", "--target-loss"), ("--max-seconds 0", "--max-seconds"),
        ("--objective squared --positive 1", "--positive"), ("--staleness exact --staleness-every 2", "sampled"),
        ("--json nosuch/record.json", "\"nosuch\""), ("--json .", "a folder"), ("--model-out nosuch/m", "\"nosuch\""),
        ("--json same --model-out same", "--json"), ("--update-log log", "asgd"), ("another", "another"),
        ("--model-out model.txt --algorithm sgd,asgd", "one algorithm"),
    ])
    func `an option that cannot be meant is refused by name`(options: String, fragment: String) throws {
        let workspace = try Workspace()
        try workspace.write("data", sampleRows(10))
        let line = "train data \(options)"
        // Where the case does not speak of outputs, both are asked for, and must not appear.
        let outputs = ["--json", "--model-out"].filter { !options.contains($0) && !options.contains(",") }
        try expectRefusal(
            line + outputs.map { " \($0) out\($0)" }.joined(), in: workspace, [fragment])
    }

    @Test func `a model that memory cannot hold is refused before it is laid out`() throws {
        let workspace = try Workspace()
        // 4294967294 features take 128 GiB; the limit makes it more than there is on any machine.
        try workspace.write("data", "1 4294967294:1\n-1 1:1\n")
        let outcome = try workspace.shell(
            "ulimit -v 60000000; relaxed train data --workers 2 --quiet --model-out model")
        #expect(outcome.code == 2)
        #expect(outcome.errorLines.count == 1 && outcome.errors.contains("4294967294 features"))
        #expect(try workspace.files() == ["data"])
    }

    @Test func `an empty path is shown as one`() throws {
        let workspace = try Workspace()
        for line in ["train ''", "data info ''", "predict '' data"] {
            let outcome = try workspace.shell("relaxed " + line)
            #expect(
                outcome.code == 2 && outcome.errors.hasPrefix("error: \"\": found no such file"), "\(outcome.errors)")
        }
    }

    @Test func `labels that are real numbers are refused with both ways out`() throws {
        let workspace = try Workspace()
        try workspace.write("data", regressionRows(20))
        try expectRefusal("train data \(Self.outputs)", in: workspace, ["--positive", "--objective squared"])
    }

    @Test func `other verbs refuse in the same way`() throws {
        let workspace = try Workspace()
        try workspace.write("data", sampleRows(10))
        try workspace.write("regression", "solver_type L2R_L2LOSS_SVR\nnr_class 2\nnr_feature 1\nbias -1\nw\n1\n")
        for (line, fragment) in [
            ("nosuch", "nosuch"), ("predict", "<model>"), ("predict nosuch data", "nosuch"),
            ("predict data data", "data:1: "), ("predict regression nosuch", "nosuch"),
            ("predict regression data --write probabilities", "--write"),
            ("predict regression data --write nosuch", "nosuch"),
            ("predict regression data --out nosuch/o", "\"nosuch\""),
            ("staleness data --workers 1,,2", "--workers"), ("staleness data --workers 0", "--workers"),
            ("staleness data --staleness off", "--staleness"), ("machine --workers 0", "--workers: found 0"),
            ("machine --placement 9999", "9999"), ("machine --machine-root nosuch", "nosuch"),
            ("data info nosuch", "nosuch"), ("data info data --workers 0", "--workers: found 0"),
            ("data info data --top -1", "--top"),
        ] {
            try expectRefusal(line, in: workspace, [fragment])
        }
    }

    @Test(arguments: [
        ("--pattern ring-allreduce --workers 20000 --megabytes 1 --svg run.svg", "or --summary"),
        (
            "--pattern asgd --workers 2 --megabytes 1 --updates 500000000 --svg run.svg",
            "1000000000 messages, which take about "
        ),
        ("--pattern ring-allreduce --workers 1000000 --megabytes 1", "found 1999998000000 messages"),
        (
            "--pattern asgd --workers 2 --megabytes 1 --updates 1000000000000 --summary",
            "2000000000000 messages, expected at most 1,000,000,000"
        ),
        ("--events . --json run.json", ".: found a directory"),
        ("--events events --json run --svg ./run", "--svg ./run: found the file of --json"),
        ("--events events --json - --trace /dev/stdout", "--trace /dev/stdout: found the file of --json"),
    ])
    func `a simulation that cannot be kept or read, or written where it should, is refused`(
        options: String, fragment: String
    ) throws {
        let workspace = try Workspace()
        try workspace.write("events", "[{\"at\": 5, \"from\": 1, \"to\": 2, \"megabytes\": 1}]")
        try expectRefusal("simulate \(options)", in: workspace, [fragment])
    }
}
