import Foundation
import Testing

/// What the verbs' options have in common: groups, units of times, suggestions.
struct OptionsTests {
    private struct Simulation: Decodable { let makespan: Double }

    private struct Run: Decodable {
        struct Exchange: Decodable {
            let computeSeconds, latencySeconds, secondsPerMegabyte: Double
            let codecTime: String
        }
        struct Settings: Decodable { let maxSeconds: Double }
        let exchange: Exchange
        let settings: Settings
    }

    private let workspace = try! Workspace()

    @Test func `the options of train come in four groups, and those of staleness in the first two of them`() throws {
        func groups(_ verb: String) throws -> [String] {
            let help = try workspace.relaxed("\(verb) --help").output
            return help.split(separator: "\n").filter { $0.hasSuffix(":") && $0 == $0.uppercased() }.map(String.init)
        }
        #expect(try groups("train") == ["DATA:", "RUN:", "EXCHANGE:", "CLOCK:", "OPTIONS:"])
        #expect(try groups("staleness") == ["DATA:", "RUN:", "OPTIONS:"])
    }

    @Test func `a time has a unit, or is in seconds`() throws {
        func makespan(_ latency: String, _ transfer: String) throws -> Double {
            let outcome = try workspace.relaxed(
                "simulate --pattern ring-allreduce --workers 2 --megabytes 1 --latency \(latency) "
                    + "--transfer-per-mb \(transfer) --json -")
            return try decode(Simulation.self, outcome.output).makespan
        }
        let seconds: Double = try makespan("0.25", "0.5")
        #expect(seconds == 2 * (0.25 + 0.25))
        for (latency, transfer) in [("250ms", "500000us"), ("0.25s", "5e8ns")] {
            #expect(try makespan(latency, transfer) == seconds)
        }
    }

    @Test func `times of a run have units, and the record has them in seconds`() throws {
        try workspace.write("data", sampleRows(40))
        let outcome = try workspace.relaxed(
            "train data --algorithm csgd --workers 2 --epochs 1 --clock virtual --compute 2ms --latency 50us "
                + "--transfer-per-mb 3ms --codec-time 7us --max-seconds 2min --json -")
        let run: Run = try decode(outcome.output)
        #expect(run.exchange.computeSeconds == 2e-3 && run.exchange.latencySeconds == 50e-6)
        #expect(run.exchange.secondsPerMegabyte == 3e-3 && Double(run.exchange.codecTime) == 7e-6)
        #expect(run.settings.maxSeconds == 120)
    }

    @Test(arguments: [
        ("train data --algorithm csgd --clock virtual --latency 5x", "--latency: found \"5x\""),
        ("train data --algorithm csgd --clock virtual --transfer-per-mb -1ms", "--transfer-per-mb: found \"-1ms\""),
        ("train data --algorithm csgd --clock virtual --compute soon", "--compute: found \"soon\""),
        ("train data --max-seconds 2hours", "--max-seconds: found \"2hours\""),
        ("staleness data --max-seconds 1.5.", "--max-seconds: found \"1.5.\""),
        ("train data --algorithm csgd --clock virtual --codec-time 5x", "none, measured, or per megabyte a time"),
        ("train data --algorithm csgd --clock virtual --codec-time mesured", "did you mean measured?"),
        ("simulate --pattern asgd --workers 2 --megabytes 1 --compute nan", "--compute: found \"nan\""),
        ("bench collectives --clock virtual --workers 2 --compute 1sec", "--compute: found \"1sec\""),
    ])
    func `a time that is none is refused in one line`(line: String, fragment: String) throws {
        try workspace.write("data", sampleRows(10))
        try expectRefusal(line, in: workspace, [fragment])
    }

    @Test(arguments: [
        ("trian", "relaxed: found \"trian\"", "train"), ("bench codec", "relaxed bench: found \"codec\"", "codecs"),
        ("data inof data", "relaxed data: found \"inof\"", "info"),
        ("train data --algoritm sgd", "--algoritm", "'--algorithm'"),
        ("train data --algorithm sdg", "--algorithm", "sgd"),
        ("train data --objective hing", "--objective", "hinge"), ("train data --order shufled", "--order", "shuffled"),
        ("train data --train-loss edns", "--train-loss", "ends"),
        ("train data --gradient-norm nevr", "--gradient-norm", "never"),
        ("train data --staleness exat", "--staleness", "exact"),
        ("train data --placement scater", "--placement", "scatter"),
        ("train data --algorithm csgd --clock virtul", "--clock", "virtual"),
        ("train data --algorithm csgd --clock virtual --ports piplined", "--ports", "pipelined"),
        ("train data --algorithm csgd --clock virtual --straggler lognoraml:1", "--straggler", "lognormal"),
        ("train data --algorithm csgd --clock virtual --straggler trce:f", "--straggler", "trace"),
        ("train data --algorithm delayed-sgd:law=contsant:3", "--algorithm", "constant"),
        ("train data --algorithm delayed-sgd:lwa=constant:3", "--algorithm", "law"),
        ("train data --algorithm backup-wokers", "--algorithm", "backup-workers"),
        ("train data --algorithm gradient-coding:tolerat=1", "--algorithm", "tolerate"),
        ("train data --algorithm csgd --codec quantise:bits=4", "--codec", "quantize"),
        ("train data --algorithm csgd --collective multiserver", "--collective", "multi-server"),
        ("train data --format libsv", "--format", "libsvm"),
        ("train data.csv --label price --standardise by-knd --algorithm csgd", "--standardise", "by-kind"),
        ("train data.csv --label price --hidden 3 --activation rellu --algorithm csgd", "--activation", "relu"),
        ("train data.csv --label price --objective sqared --algorithm csgd", "--objective", "squared"),
        ("train data.csv --header yse", "--header", "yes"), ("predict model data --write label", "--write", "labels"),
        ("simulate --pattern ring-alreduce --workers 2 --megabytes 1", "--pattern", "ring-allreduce"),
        ("bench collectives --algorithm ring-allreduse", "--algorithm", "ring-allreduce"),
        ("bench collectives --clock virtaul", "--clock", "virtual"),
        ("bench mailboxes --mailbox rin", "--mailbox", "ring"),
        ("bench codecs --input normall", "normall", "normal"),
    ])
    func `a misspelt name is told the nearest one`(line: String, place: String, nearest: String) throws {
        try workspace.write("data", sampleRows(10))
        try workspace.write("data.csv", tableRows(10))
        try expectRefusal(line, in: workspace, ["error: ", place, "id you mean \(nearest)?"])
    }
}
