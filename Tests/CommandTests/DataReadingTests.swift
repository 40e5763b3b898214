import Foundation
import Testing

/// What is in the file is what the command learns from and speaks of.
struct DataReadingTests {
    private let workspace = try! Workspace()

    private struct Point: Decodable {
        let loss: Double
        let r2: Double?
    }

    private struct Record: Decodable {
        let points: [Point]
    }

    // MARK: Names

    @Test(arguments: [
        ["16777216", "16777217"], ["9007199254740992", "9007199254740993"], ["-5", "18446744073709551615"],
    ])
    func `predict prints exactly the classes of the file`(names: [String]) throws {
        let rows = (0..<60).map { "\(names[$0 % 2]),\($0 % 2),\($0 % 3)\n" }.joined()
        try workspace.write("data.csv", "y,a,b\n" + rows)
        let train = try workspace.relaxed(
            "train data.csv --label y --epochs 30 --workers 2 --objective softmax --model-out model --quiet")
        #expect(train.code == 0, "\(train.errors)")
        let labels = try workspace.relaxed("predict model data.csv --out -").output.split(separator: "\n").map(
            String.init)
        #expect(labels == (0..<60).map { names[$0 % 2] })
        let info = try workspace.relaxed("data info data.csv --label y").output
        #expect(names.allSatisfy(info.contains))
    }

    @Test func `a linear model's labels are those of its file, and rows of other ones are not taken for them`() throws {
        let names = ["16777217", "16777216"]
        try workspace.write(
            "model", "solver_type L2R_LR\nnr_class 2\nlabel \(names[0]) \(names[1])\nnr_feature 2\nbias -1\nw\n1\n-1\n")
        try workspace.write("data", "\(names[0]) 1:1\n\(names[1]) 2:1\n")
        #expect(try workspace.relaxed("predict model data --out -").output == "\(names[0])\n\(names[1])\n")
        let scores: Scores = try decode(workspace.relaxed("predict model data --json -").output)
        #expect(scores.evaluation.accuracy == 1)
        try workspace.write("other", "16777218 1:1\n")
        #expect(try workspace.relaxed("predict model other").code == 2)
        let info = try workspace.relaxed("data info data --positive \(names[0]) --json -").output
        #expect(names.allSatisfy(info.contains) && info.contains("\"positiveRows\" : 1"))
    }

    // MARK: Numbers far from 0

    @Test func `an exact relation to Unix seconds is learned, and found again by predict`() throws {
        // 40 values of t in an order of their own, two hours apart; y is exact in t, in the unit of t.
        let times = (0..<40).map { 1_700_000_000 + 7_200 * ($0 * 17 % 40) }
        let rows = times.map { "\($0),\(3_400_000_000 - 2 * $0 + 1_600_000_000)\n" }.joined()
        try workspace.write("data.csv", "t,y\n" + rows)
        let train = try workspace.relaxed(
            "train data.csv --label y --objective squared --epochs 300 --batch-size 8 --workers 1 "
                + "--step-size 0.2 --seed 1 --model-out model --quiet --json record")
        #expect(train.code == 0, "\(train.errors)")
        let r2 = try decode(Record.self, workspace.text("record")).points.last?.r2 ?? 0
        #expect(r2 > 0.999_999)
        let scores: Scores = try decode(workspace.relaxed("predict model data.csv --out values --json -").output)
        #expect((scores.evaluation.r2 ?? 0) > 0.999_999)
        let values = try workspace.text("values").split(separator: "\n").compactMap { Double($0) }
        let errors = zip(values, times).map { abs($0 - Double(5_000_000_000 - 2 * $1)) }
        #expect(values.count == 40 && errors.max()! < 60)
        let info = try workspace.relaxed("data info data.csv --label y").output
        #expect(info.contains("\(times.min()!)") && info.contains("\(times.max()!)"))
    }

    // MARK: Odd fields

    private func table(_ field: String) -> String {
        "x,y\n" + (0..<40).map { "\($0 == 7 ? field : "\($0)"),\($0 % 2)\n" }.joined()
    }

    @Test func `an odd field is refused with its line, and missing where --missing names it`() throws {
        try workspace.write("data.csv", table("None"))
        for verb in ["train data.csv --label y", "data info data.csv"] {
            let refused = try workspace.relaxed(verb)
            #expect(refused.code == 2 && refused.output == "" && refused.errorLines.count == 1)
            #expect(refused.errors.hasPrefix("error: data.csv:9: found \"None\" in column \"x\""), "\(refused.errors)")
            #expect(refused.errors.contains("--missing"))
        }
        #expect(
            try workspace.relaxed("data info data.csv --missing -,None --json -").output.contains("\"missing\" : 1"))
        try workspace.write("data.csv", table("1,5").replacing(",", with: ";").replacing("1;5", with: "1,5"))
        #expect(try workspace.relaxed("data info data.csv").errors.contains("--decimal ,"))
        #expect(try workspace.relaxed("data info data.csv --decimal ,").code == 0)
        #expect(try workspace.relaxed("data info data.csv --decimal x").errors.contains("--decimal: found \"x\""))
    }

    @Test func `columns that become many indicators are named`() throws {
        try workspace.write("data.csv", "id,few,y\n" + (0..<60).map { "t\($0 % 30),\($0 % 3)a,\($0 % 2)\n" }.joined())
        let expected = "columns of text that become more than 20 indicators: \"id\" (30); --ignore leaves columns out"
        for line in ["data info data.csv", "train data.csv --label y --epochs 1"] {
            let outcome = try workspace.relaxed(line)
            #expect(outcome.code == 0 && outcome.errors.contains("note: data.csv: \(expected)"), "\(outcome.errors)")
        }
        #expect(try workspace.relaxed("data info data.csv --ignore id").errors == "")
    }

    @Test func `a header of years says what --header yes does`() throws {
        try workspace.write("data.csv", "2019,2020,label\n1,2,0\n3,4,1\n5,6,0\n7,8,1\n")
        let refused = try workspace.relaxed("train data.csv --label label")
        #expect(
            refused.code == 2 && refused.errorLines.count == 1
                && refused.errors.contains("--header yes takes it as names"))
        #expect(try workspace.relaxed("train data.csv --label label --header yes --epochs 1").code == 0)
    }

    // MARK: One class

    @Test(arguments: ["libsvm", "csv", "held out"]) func `rows of one class are refused in every format`(kind: String)
        throws
    {
        try workspace.write("libsvm", "1 1:1\n1 2:1\n")
        try workspace.write("csv", "y,x\na,1\na,2\n")
        let name = kind == "held out" ? "held" : kind
        try workspace.write("held", "y,x\na,1\nb,2\n")
        let options =
            kind == "libsvm" ? "" : kind == "csv" ? " --label y" : " --label y --objective softmax --hold-out 2"
        let outcome = try workspace.relaxed("train \(name)\(options)")
        #expect(outcome.code == 2 && outcome.errorLines.count == 1)
        #expect(outcome.errors.contains("\(name): found rows of one class, \""), "\(outcome.errors)")
        #expect(outcome.errors.hasSuffix("expected rows of at least two classes\n"))
    }

    // MARK: What does not print

    /// Control characters of every kind, and marks that turn the direction of text.
    private static let odd = "a\u{1B}[31m\u{7}\u{9B}31m\u{202E}\u{2066}b"

    private func expectPlain(_ outcome: Workspace.Outcome, at location: SourceLocation = #_sourceLocation) {
        let odd = (outcome.output + outcome.errors).unicodeScalars.filter { scalar in
            scalar.value < 0x20 && scalar != "\n" || (0x7F..<0xA0).contains(scalar.value)
                || (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
        }
        #expect(odd.isEmpty, "\(odd)", sourceLocation: location)
    }

    @Test func `what files say reaches the terminal as text`() throws {
        let odd = Self.odd
        let rows = (0..<30).map { "\($0 % 2)\(odd),\"\($0 % 3)\(odd)\nx\",\($0)\n" }.joined()
        let file = "f\(odd)"
        try workspace.write(file, "\(odd)y,\(odd)c,x\n" + rows)
        let runs = try [
            "data info \(file) --label 1 --top 9", "train \(file) --label 1 --epochs 1 --model-out model",
            "predict model \(file) --out -", "data info \(file) --label \(odd)", "data info \(odd)",
            "train \(file) --label 1 --header no", "predict \(file) \(file)", "data info --\(odd)",
            "train \(file) --label 1 --objective \(odd)", "train \(file) --label 1 --json \(odd)/x",
        ].map { try workspace.relaxed($0) }
        for outcome in runs { expectPlain(outcome) }
        #expect(runs[0].code == 0 && runs[0].output.contains("\\x1b[31m\\x07\\x9b31m\\u{202e}\\u{2066}b"))
        #expect(runs[1].code == 0 && runs[2].code == 0 && runs[2].output.split(separator: "\n").count == 30)
        #expect(runs[3...].allSatisfy { $0.code == 2 && $0.errorLines.count == 1 })
        try workspace.write("sparse", "1 1:1\n\(odd) 1:1\n")
        expectPlain(try workspace.relaxed("train sparse"))
        try workspace.write("bytes", Array("1 1:1\n".utf8) + [0x1B, 0x9B, 0xFF, 0xC0, 0x20, 0x31] + Array(":1\n".utf8))
        expectPlain(try workspace.relaxed("train bytes"))
        try workspace.write("events", "[{\"at\": \"\(odd)\"}]")
        expectPlain(try workspace.relaxed("simulate --events events --latency 1 --transfer-per-mb 1"))
    }

    // MARK: Marks and caches

    @Test func `a byte order mark before rows and events is skipped`() throws {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        try workspace.write("data", mark + sampleRows(50).utf8)
        #expect(try workspace.relaxed("train data --epochs 1 --quiet").code == 0)
        let events = #"[{"at": 0, "from": 0, "to": 1, "megabytes": 1}]"#
        try workspace.write("events", mark + events.utf8)
        let line = "simulate --events events --latency 1 --transfer-per-mb 1"
        #expect(try workspace.relaxed(line).code == 0)
        try workspace.write("events", [0xFF, 0xFE] + Array(events.data(using: .utf16LittleEndian)!))
        #expect(try workspace.relaxed(line).errors == "error: events: found text in UTF-16, expected text in UTF-8\n")
    }

    @Test func `a cache that cannot be written is a note, and the rows are trained on`() throws {
        // With its ending the name is longer than a file's may be.
        let name = String(repeating: "n", count: 253)
        try workspace.write(name, sampleRows(50))
        let outcome = try workspace.relaxed("train \(name) --cache --epochs 1")
        #expect(outcome.code == 0 && outcome.errorLines.count == 1)
        #expect(outcome.errors.hasPrefix("note: ") && outcome.errors.hasSuffix("the parsed rows are not kept\n"))
        #expect(try workspace.relaxed("data info \(name) --cache --quiet").errors == "")
        #expect(try workspace.files() == [name])
    }

    @Test(.enabled(if: getuid() != 0)) func `nor does a folder that cannot be written stop the training`() throws {
        try workspace.write("locked/data", sampleRows(50))
        #expect(try workspace.shell("chmod a-w locked && relaxed train locked/data --cache --epochs 1").code == 0)
        _ = try workspace.shell("chmod u+w locked")
    }
}
