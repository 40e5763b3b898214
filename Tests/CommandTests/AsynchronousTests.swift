import Foundation
import Testing

/// The command on asynchronous runs: what it keeps of them, and repeats.
@Suite struct AsynchronousTests {
    private static let rows = (0..<300).map { "\($0 % 3 == 0 ? "+1" : "-1") \($0 % 5 + 1):1 \($0 % 7 + 6):0.5\n" }
        .joined()

    @Test func `a run of threads that race is repeated, and the model is the same file`() throws {
        let workspace = try Workspace()
        try workspace.write("rows", Self.rows)
        let line = "train rows --algorithm asgd --workers 5 --epochs 3 --quiet"
        #expect(try workspace.relaxed("\(line) --record-order order --model-out first --json a").code == 0)
        #expect(try workspace.relaxed("\(line) --replay order --model-out second --json b").code == 0)
        #expect(try workspace.bytes("first") == workspace.bytes("second"))
        try expectRefusal(
            line.replacing("5", with: "4") + " --replay order", in: workspace, ["workers 4", "workers 5"])
        try expectRefusal("\(line) --seed 2 --replay order", in: workspace, ["seed 2", "seed 1"])
        try expectRefusal("\(line) --replay rows", in: workspace, ["rows", "another kind of file"])
        try expectRefusal("\(line) --replay order --record-order again", in: workspace, ["--record-order", "--replay"])
        try expectRefusal("\(line) --replay nothing", in: workspace, ["nothing"])
        var bytes = try workspace.bytes("order")
        bytes[bytes.count / 2] ^= 4
        try workspace.write("damaged", bytes)
        try expectRefusal("\(line) --replay damaged", in: workspace, ["--replay damaged", "checksum"])
        try workspace.write("other", Self.rows.replacing("0.5", with: "0.6"))
        try expectRefusal(
            line.replacing("rows", with: "other") + " --replay order", in: workspace, ["data"])
        for other in ["hogwild", "asgd:servers=2", "dsgd", "asgd:atomic=no"] {
            try expectRefusal(
                "train rows --algorithm \(other) --workers 2 --record-order new", in: workspace,
                ["--record-order", other])
        }
        for other in ["ssp", "rennala-sgd", "asgd:pipelined=2"] {
            let line = line.replacing("asgd", with: other)
            #expect(try workspace.relaxed("\(line) --record-order order --model-out first").code == 0)
            #expect(try workspace.relaxed("\(line) --replay order --model-out second").code == 0)
            #expect(try workspace.bytes("first") == workspace.bytes("second"))
        }
    }

    @Test func `a file that a setting names is never an output`() throws {
        let workspace = try Workspace()
        try workspace.write("rows", Self.rows)
        try workspace.write("table", "0,1\n1,0.5\n")
        try workspace.write("law", "1\n2\n")
        try workspace.write("trace", "0,0.1\n1,0.1\n")
        for (line, input) in [
            ("--algorithm asgd:step=table:table --record-order", "table"),
            ("--algorithm asgd:step=table:table --json", "table"),
            ("--algorithm delayed-sgd:law=trace:law --json", "law"),
            ("--algorithm asgd --clock virtual --compute 1ms --straggler trace:trace --json", "trace"),
            ("--algorithm dsgd:topology=file:table --model-out", "table"),
        ] {
            try expectRefusal("train rows --workers 2 \(line) ./\(input)", in: workspace, ["an input"])
        }
        try expectRefusal(
            "train rows --algorithm asgd --staleness off --staleness-out s.csv", in: workspace, ["--staleness off"])
    }

    @Test func `staleness goes to a file, as CSV or JSON, and to the terminal with who delayed whom`() throws {
        let workspace = try Workspace()
        try workspace.write("rows", Self.rows)
        let line = "train rows --algorithm asgd:servers=2 --workers 3 --clock virtual --compute 1ms --latency 100us"
        let csv = try workspace.relaxed("\(line) --staleness-out s.csv")
        #expect(csv.code == 0)
        for text in ["server 0", "server 1", "read span", "torn reads", "gradients under way", "tau of, by"] {
            #expect(csv.output.contains(text), "\(text)")
        }
        let lines = try workspace.text("s.csv").split(separator: "\n")
        #expect(lines[0] == "table,index,value,count")
        #expect(
            Set(lines.dropFirst().map { $0.prefix { $0 != "," } }).isSuperset(of: [
                "all", "worker", "server", "delayedBy", "overTime",
            ]))
        #expect(try workspace.relaxed("\(line) --staleness-out s.json --quiet").code == 0)
        let json = try #require(try JSONSerialization.jsonObject(with: workspace.bytes("s.json")) as? [String: Any])
        #expect((json["perServer"] as? [Any])?.count == 2 && (json["delayedBy"] as? [Any])?.count == 3)
        try expectRefusal("\(line) --staleness-out s.txt", in: workspace, ["--staleness-out s.txt", ".csv or .json"])
    }

    @Test func `simulate shows workers at several servers and iterations at one`() throws {
        let workspace = try Workspace()
        let network = "--megabytes 1 --latency 1 --transfer-per-mb 2 --compute 4 --workers 3 --updates 6 --summary"
        func makespan(_ options: String) throws -> String {
            let output = try workspace.relaxed("simulate \(options) \(network)").output
            return String(output.split(separator: "\n")[1])
        }
        #expect(try makespan("--pattern parameter-server").hasPrefix("makespan 34 s, 12 messages"))
        #expect(try makespan("--pattern asgd").hasPrefix("makespan 26 s, 12 messages"))
        #expect(try makespan("--pattern asgd --pipelined 2").hasPrefix("makespan 25 s, 12 messages"))
        #expect(try makespan("--pattern asgd --servers 2").contains("24 messages"))
        for (options, fragment) in [
            ("--pattern asgd --servers 0", "--servers"), ("--pattern asgd --pipelined 0", "--pipelined"),
            ("--pattern broadcast --servers 2", "--servers"),
        ] {
            let line = "simulate \(options) --megabytes 1 --latency 1 --transfer-per-mb 2 --workers 3"
            try expectRefusal(line, in: workspace, [fragment])
        }
        try expectRefusal(
            "simulate --pattern parameter-server --updates 7 --megabytes 1 --latency 1 --transfer-per-mb 2 --workers 3",
            in: workspace, ["--updates", "a multiple"])
    }
}
