import Foundation
import Testing

/// What `relaxed train` with the algorithms of chapters 2 and 3 cannot mean ends it with code 2 and one line.
struct DataParallelRefusalTests {
    private let workspace = try! Workspace()

    @Test func `data that cannot be learned from are refused by name`() throws {
        func idx(_ shape: [Int], _ count: Int) -> [UInt8] {
            [0, 0, 8, UInt8(shape.count)] + shape.flatMap { [0, 0, 0, UInt8($0)] } + (0..<count).map { UInt8($0 % 2) }
        }
        func npy(_ type: String, _ shape: String, _ bytes: Int) -> [UInt8] {
            let header = "{'descr': '\(type)', 'fortran_order': False, 'shape': \(shape), }"
            return [0x93] + "NUMPY".utf8 + [1, 0, UInt8(header.utf8.count), 0] + header.utf8
                + [UInt8](repeating: 0, count: bytes)
        }
        try workspace.write("data.csv", tableRows(20))
        try workspace.write("ragged.csv", tableRows(20) + "1,2,a,3,cheap,more\n" + tableRows(3))
        try workspace.write("images", idx([8, 2, 2], 32))
        try workspace.write("labels", idx([8], 8))
        try workspace.write("few", idx([7], 7))
        try workspace.write("short", idx([8, 2, 2], 31))
        try workspace.write("wide", idx([8, 2, 3], 48))
        try workspace.write("objects.npy", npy("|O", "(8, 2)", 128))
        try workspace.write("rows.npy", npy("<f4", "(6, 2)", 48))
        try workspace.write("cut.npy", npy("<f4", "(8, 2)", 63))
        try workspace.write("other.csv", "width,class\n1,dear\n")
        for (words, fragments) in [
            ("ragged.csv --label price", ["ragged.csv:22: ", "6 fields", "expected 5"]),
            ("data.csv --label nosuch", ["--label", "\"nosuch\"", "width, height, kind, price, class"]),
            ("data.csv", ["data.csv: ", "without labels", "--label"]),
            ("data.csv --label class --test other.csv", ["other.csv", "height"]),
            ("images --label few", ["few: ", "7 labels", "expected 8"]),
            ("short --label labels", ["short: ", "31 bytes", "expected 32"]),
            ("images --label labels --test wide --test-label labels", ["wide: ", "6 columns", "expected 4"]),
            ("objects.npy --label labels", ["objects.npy: ", "Python objects"]),
            ("rows.npy --label labels", ["labels: ", "8 labels", "expected 6"]),
            ("cut.npy --label labels", ["cut.npy: ", "63 bytes"]),
        ] {
            try expectRefusal("train \(words) --algorithm csgd \(Self.outputs)", in: workspace, fragments)
        }
    }

    private static let outputs = "--json record.json --model-out model"
    private static let gradient = "--algorithm gradient-aggregation"

    @Test(arguments: [
        ("--algorithm csgd --codec sign", ["--codec: found sign, which is biased", "--error-feedback"]),
        ("--algorithm gradient-aggregation,csgd --codec sign", ["--codec: found sign, which is biased"]),
        ("--algorithm csgd --codec nosuch", ["\"nosuch\""]),
        ("--algorithm csgd --collective natural", ["natural with the codec quantize:bits=4"]),
        ("--algorithm ec-sgd --collective ring-allreduce", ["--collective: found \"ring-allreduce\" for ec-sgd"]),
        ("--algorithm ec-sgd --error-feedback", ["--error-feedback", "expected csgd"]),
        ("--algorithm global-replica --collective ring-allreduce", ["multi-server or parameter-server"]),
        ("--algorithm minibatch-sgd --collective direct", ["--collective", "minibatch-sgd"]),
        ("\(gradient) --codec sign", ["--codec", "expected csgd or ec-sgd"]),
        ("\(gradient) --collective direct --clock virtual", ["direct, which sends no messages"]),
        ("\(gradient) --latency 1e-3", ["--latency", "--clock native"]),
        ("\(gradient) --ports pipelined", ["--ports", "--clock native"]),
        ("\(gradient) --compute 1", ["--compute", "--clock native"]),
        ("\(gradient) --straggler lognormal:1", ["--straggler", "--clock native"]),
        ("\(gradient) --codec-time 1", ["--codec-time", "--clock native"]),
        ("\(gradient) --clock virtual --codec-time -1", ["--codec-time", "\"-1\"", "none, measured"]),
        ("\(gradient) --clock virtual --codec-time inf", ["--codec-time", "\"inf\""]),
        ("\(gradient) --clock sundial", ["--clock: found \"sundial\""]),
        ("\(gradient) --clock virtual --straggler constant:9:2", ["\"9\"", "0 to 1"]),
        ("\(gradient) --clock wall --straggler exponential:1e308", ["--straggler", "in place of 1e+308"]),
        (
            "\(gradient) --clock wall --compute 1 --straggler exponential:1e9",
            ["--straggler", "at most an hour in all"]
        ),
        ("\(gradient) --batch-size 0", ["--batch-size: found 0"]),
        ("\(gradient) --batch-size 9000000000000000000", ["--batch-size", "1 to 2147483647"]),
        ("\(gradient) --momentum 1", ["--momentum: found 1.0, expected at least 0 and below 1"]),
        ("\(gradient) --momentum -0.5", ["--momentum: found -0.5"]), ("\(gradient) --momentum nan", ["--momentum"]),
        ("\(gradient) --nesterov", ["--nesterov: found no --momentum"]),
        ("\(gradient) --nesterov --momentum 0", ["--nesterov: found --momentum 0"]),
        ("\(gradient) --weight-decay -1", ["--weight-decay"]), ("\(gradient) --clip-gradient 0", ["--clip-gradient"]),
        ("\(gradient) --epochs 9223372036854775807 --evaluations-per-epoch 2", ["--epochs", "1 to 1000000000"]),
        ("\(gradient) --warm-up -1", ["--warm-up"]), ("\(gradient) --dense-messages --codec sign", ["--codec"]),
        ("--algorithm csgd --dense-messages", ["--dense-messages"]), ("--algorithm csgd --workers 0", ["--workers"]),
        ("--algorithm csgd --workers 50", ["of which worker 0 of 50 gets none"]),
        ("\(gradient) --clock virtual --straggler trace:none.csv", ["none.csv: found no such file", "rank,seconds"]),
        ("\(gradient) --straggler trace:none.csv", ["--straggler", "--clock native"]),
        ("\(gradient) --clock virtual --straggler trace:data", ["data:1: ", "the line rank,seconds"]),
        ("\(gradient) --clock virtual --compute-trace t.csv", ["--compute-trace: found --clock virtual"]),
        (
            "--algorithm hogwild --compute-trace t.csv",
            ["--compute-trace: found --algorithm hogwild", "gradient-coding"]
        ),
        ("--algorithm minibatch-sgd --compute-trace t.csv", ["--compute-trace", "in shared memory"]),
        ("--algorithm asgd --compute-trace t.csv", ["--compute-trace", "on sparse rows"]),
        ("--algorithm gradient-coding:tolerate=2", ["--algorithm: found tolerate=2", "0...1"]),
        ("--algorithm backup-workers:take=3", ["--algorithm: found take=3", "1...2"]),
        ("--algorithm delayed-sgd:law=trace:none", ["none: found no such file", "a whole number in each line"]),
        ("--algorithm delayed-sgd:law=constant:2000000", ["law=constant:2000000", "0 to 1000000"]),
        ("--algorithm delayed-sgd --momentum 0.9", ["--momentum: found --algorithm delayed-sgd"]),
        ("--algorithm hogwild --momentum 0.9", ["--momentum: found --algorithm hogwild"]),
        ("--algorithm hogwild,csgd --clock virtual", ["--clock: found --algorithm hogwild"]),
    ])
    func `an option that does not apply is refused`(options: String, fragments: [String]) throws {
        try workspace.write("data", sampleRows(20))
        let workers = options.contains("--workers") ? "" : "--workers 2"
        let outputs = options.contains(",") ? "--json record.json" : Self.outputs
        try expectRefusal("train data \(workers) \(outputs) \(options)", in: workspace, fragments)
    }

    @Test func `sparse and dense data each have their own options`() throws {
        try workspace.write("data", sampleRows(20))
        try workspace.write("data.csv", tableRows(20))
        for (words, fragments) in [
            ("data --hidden 3 --algorithm csgd", ["--hidden", "libsvm"]),
            ("data --objective softmax --algorithm csgd", ["--objective", "sparse rows"]),
            ("data.csv --label class --algorithm hogwild", ["hogwild on dense rows", "minibatch-sgd"]),
            ("data.csv --label class --algorithm csgd --objective hinge", ["--objective", "dense rows"]),
            ("data.csv --label class --algorithm csgd --no-intercept", ["--no-intercept", "dense rows"]),
            ("data.csv --label class --algorithm csgd --positive dear", ["--positive"]),
        ] {
            try expectRefusal("train \(words) \(Self.outputs)", in: workspace, fragments)
        }
    }

    @Test func `a run that memory cannot hold is refused before it is laid out`() throws {
        try workspace.write("data.csv", tableRows(20))
        try workspace.write("data", "1 4294967294:1\n-1 1:1\n")
        for (words, fragment) in [
            ("data.csv --label class --algorithm ec-sgd --hidden 1000000,1000000", "a model of 10000"),
            ("data --algorithm csgd --workers 400 --order shuffled", "a model of 4294967295 parameters"),
        ] {
            try expectRefusal("train \(words) \(Self.outputs)", in: workspace, [fragment, "free memory"])
        }
    }
}
