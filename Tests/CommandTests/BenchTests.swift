import Foundation
import Testing

/// `relaxed bench`: tables in the form of nccl-tests, the same in JSON.
struct BenchTests {
    private struct Collectives: Decodable {
        struct Row: Decodable {
            struct Seconds: Decodable { let meanSeconds, p50Seconds: Double }
            let algorithm: String
            let bytes, count, wrong, iterations: Int
            let seconds: Seconds
            let algorithmBytesPerSecond, busBytesPerSecond: Double
            let predictedSeconds: Double?
        }
        struct Fit: Decodable {
            struct Values: Decodable { let latencySeconds, secondsPerMegabyte, relativeResidual: Double }
            let algorithm: String
            let fit: Values?
            let reason: String?
        }
        let rows: [Row]
        let fits: [Fit]?
    }

    private func collectives(_ options: String) throws -> Collectives {
        let outcome = try Workspace().relaxed("bench collectives \(options) --quiet --json -")
        #expect(outcome.code == 0 && outcome.errors == "")
        return try JSONDecoder().decode(Collectives.self, from: Data(outcome.output.utf8))
    }

    @Test func `under the virtual clock every algorithm takes what is predicted, and the fit finds the network`() throws
    {
        let options = "--clock virtual --workers 4 -b 16 -e 64K -f 64 --latency 2e-5 --transfer-per-mb 0.01 --fit"
        let record = try collectives(options)
        #expect(record.rows.count == 7 * 3 && record.fits?.count == 7)
        for row in record.rows {
            #expect(row.wrong == 0 && row.count == row.bytes / 4)
            #expect(abs(row.seconds.p50Seconds / row.predictedSeconds! - 1) < 1e-9)
            #expect(abs(row.busBytesPerSecond / row.algorithmBytesPerSecond - 1.5) < 1e-12)
        }
        for fit in try #require(record.fits).map({ try #require($0.fit) }) {
            #expect(abs(fit.latencySeconds / 2e-5 - 1) < 1e-6 && abs(fit.secondsPerMegabyte / 0.01 - 1) < 1e-6)
        }
    }

    @Test func `what cannot be fitted is named with its reason`() throws {
        let options = "--clock virtual --workers 5 --ports pipelined -f 64 --fit --algorithm tree-allreduce"
        let fits = try #require(try collectives(options + ",multi-server -b 16 -e 1K").fits)
        #expect(fits[0].fit == nil && fits[0].reason?.contains("not linear") == true)
        #expect(fits[1].fit != nil && fits[1].reason == nil)
        let outcome = try Workspace().relaxed("bench collectives " + options + " -b 16 -e 16")
        #expect(outcome.output.contains("no fit of tree-allreduce: with 5 workers and pipelined ports its closed form"))
        let single = try collectives("--clock virtual --workers 3 -b 16 -e 16 --fit --algorithm multi-server")
        #expect(single.fits?[0].reason == "the sizes do not tell the two constants apart")
    }

    @Test(arguments: ["native", "virtual"]) func `other collectives leave what they should`(clock: String) throws {
        let record = try collectives(
            "--clock \(clock) --workers 3 --placement none -b 4 -e 400 -f 10 -n 2 -w 1 "
                + "--algorithm reduce-scatter,all-gather,broadcast,ring-exchange")
        #expect(record.rows.map(\.wrong) == Array(repeating: 0, count: 12))
        for row in record.rows {
            guard let predicted = row.predictedSeconds else { continue }
            #expect(clock == "virtual" && abs(row.seconds.p50Seconds / predicted - 1) < 1e-9)
        }
    }

    @Test func `virtual time gives the same bytes in every run, stragglers included, and what the model says`() throws {
        let line = """
            bench collectives --clock virtual --workers 6 -b 40 -e 4000 -f 10 --compute 1e-3 --straggler lognormal:0.5 \
            --json -
            """
        func run(_ options: String = "") throws -> Workspace.Outcome { try Workspace().relaxed(line + options) }
        let first = try run()
        let second = try run()
        #expect(first.code == 0 && first.output == second.output && first.output.utf8.count > 4_000)
        let record = try JSONDecoder().decode(Collectives.self, from: Data(first.output.utf8))
        #expect(record.rows.count == 7 * 3)
        for row in record.rows {
            #expect(row.iterations == 20 && row.seconds.p50Seconds > 1e-3)
            #expect(abs(row.seconds.p50Seconds / row.predictedSeconds! - 1) < 1e-9)
        }
        let other = try JSONDecoder().decode(Collectives.self, from: Data(run(" --seed 2").output.utf8))
        #expect(other.rows[0].seconds.p50Seconds != record.rows[0].seconds.p50Seconds)

        let simulate = "simulate --pattern halving-doubling --workers 11 --megabytes 3 --latency 1e-3 --json -"
        let timelines = try (0..<2).map { _ in try Workspace().relaxed(simulate).output }
        #expect(timelines[0] == timelines[1] && timelines[0].contains("\"predicted\""))
        #expect(timelines[0].contains("\"commandLine\"") && timelines[0].contains("\"schema\" : 1"))
    }

    @Test func `under the native clock sums are right and rates are those of the times`() throws {
        let record = try collectives("--workers 3 --placement none -b 4 -e 4K -f 32 -n 5 -w 1")
        #expect(record.rows.count == 8 * 3 && record.rows.allSatisfy { $0.wrong == 0 && $0.predictedSeconds == nil })
        for row in record.rows {
            #expect(abs(row.algorithmBytesPerSecond * row.seconds.meanSeconds / Double(row.bytes) - 1) < 1e-9)
        }
    }

    @Test func `a factor between sizes may be as large as a number can be`() throws {
        let factor = "-b 4 -e 1G -f 9223372036854775807 -n 1"
        #expect(try collectives("--clock virtual --workers 2 " + factor).rows.allSatisfy { $0.bytes == 4 })
    }

    @Test func `with more than a thousand workers sums are still whole numbers that float32 holds`() throws {
        let record = try collectives("--clock virtual --workers 1201 -b 124 -e 124 --algorithm tree-allreduce")
        #expect(record.rows.map(\.wrong) == [0])
    }

    @Test func `no time at all has no ratio and no rate`() throws {
        let outcome = try Workspace().relaxed(
            "bench collectives --clock virtual --workers 2 -b 4 -e 4 --latency 0 --transfer-per-mb 0")
        #expect(outcome.code == 0 && !outcome.output.contains("inf") && !outcome.output.contains("nan"))
    }

    @Test func `mailboxes lose nothing`() throws {
        struct Record: Decodable {
            struct Row: Decodable {
                let mailbox: String
                let wrong: Int
            }
            let rows: [Row]
        }
        let outcome = try Workspace().relaxed("bench mailboxes -b 64 -e 4K -f 64 -n 1 -w 0 --quiet --json -")
        let rows = try JSONDecoder().decode(Record.self, from: Data(outcome.output.utf8)).rows
        #expect(outcome.code == 0 && rows.count == 9 && rows.allSatisfy { $0.wrong == 0 })
    }

    private struct Codecs: Decodable {
        struct Row: Decodable {
            struct Seconds: Decodable { let p50Seconds: Double }
            let codec: String
            let bytes, count, draws, wrong: Int
            let encodedBytes, ratio, encodeBytesPerSecond, copyBytesPerSecond, nonTemporalCopyBytesPerSecond: Double
            let readBytesPerSecond, breakEvenBytesPerSecond, relativeSquaredError, relativeSquaredBias: Double
            let relativeSquaredErrorBound: Double?
            let squaredError: Double
            let encodeSeconds, decodeSeconds: Seconds
        }
        let schema: Int
        let input: String
        let rows: [Row]
    }

    @Test func `codecs keep to their sizes and bounds, and rates are those of the times`() throws {
        let outcome = try Workspace().relaxed(
            "bench codecs -b 1K -e 4K -n 2 -w 1 --draws 4 --placement none --quiet --json -")
        #expect(outcome.code == 0 && outcome.errors == "", "\(outcome.errors)")
        let record: Codecs = try decode(outcome.output)
        #expect(record.schema == 1 && record.input == "heavy-tailed" && record.rows.count.isMultiple(of: 2))
        for row in record.rows {
            #expect(row.wrong == 0 && row.count == row.bytes / 4 && row.draws == 4, "\(row.codec)")
            #expect(row.ratio == Double(row.bytes) / row.encodedBytes)
            #expect(abs(row.encodeBytesPerSecond * row.encodeSeconds.p50Seconds / Double(row.bytes) - 1) < 1e-9)
            let seconds = row.encodeSeconds.p50Seconds + row.decodeSeconds.p50Seconds
            let saved = max(0, Double(row.bytes) - row.encodedBytes)
            #expect(abs(row.breakEvenBytesPerSecond * seconds - saved) < 1e-6)
            #expect(row.copyBytesPerSecond > 0 && row.nonTemporalCopyBytesPerSecond > 0 && row.readBytesPerSecond > 0)
        }
        let identity = record.rows[0]
        #expect(identity.codec == "identity" && identity.encodedBytes == 1032 && identity.relativeSquaredError == 0)
        #expect(identity.breakEvenBytesPerSecond == 0 && identity.relativeSquaredErrorBound == 0)
    }

    @Test func `the gradient of a training run is recorded, and codecs take it as their input`() throws {
        let workspace = try Workspace()
        try workspace.write("data", sampleRows(60))
        let training = try workspace.relaxed(
            "train data --algorithm sgd --epochs 2 --l2 0.01 --gradient-norm ends --gradient-out g.f32 --model-out model "
                + "--json -")
        #expect(training.code == 0, "\(training.errors)")
        let norm = try #require(try decode(Record.self, training.output).points.last?.gradientNormSquared)
        let gradient = try workspace.bytes("g.f32")
        let sum = gradient.withUnsafeBytes { $0.bindMemory(to: Float.self).reduce(0) { $0 + Double($1) * Double($1) } }
        #expect(abs(sum / norm - 1) < 1e-5)
        // Weights and intercept; the model's file has six lines before them.
        #expect(try workspace.text("model").split(separator: "\n").count - 6 == gradient.count / 4)

        let outcome = try workspace.relaxed(
            "bench codecs --codec identity --input g.f32 -n 1 -w 0 --draws 2 --quiet --json -")
        let record: Codecs = try decode(outcome.output)
        #expect(record.input == "g.f32" && record.rows.map(\.bytes) == [gradient.count])
    }

    @Test(arguments: [
        ("codecs --codec nosuch", "\"nosuch\""), ("codecs --codec identity;", "found \"\""),
        ("codecs --codec identity:bits=2", "the setting bits"), ("codecs --input nosuch", "nosuch: found no such file"),
        ("codecs --input .", ".: found a directory"), ("codecs --draws 3", "--draws: found 3"),
        ("codecs -b 1 -e 3 --codec sign", "-e: found vectors of up to 3 bytes"),
        ("codecs -b 1K -e 1K --codec count-sketch:rows=255,width=2147483648", "memory"),
        ("codecs -b 1K -e 1K --codec sign:bucket=12", "bucket=12"),
        ("codecs -e 32G", "-e: found vectors of 17179869184 bytes"), ("codecs --json missing/record.json", "missing"),
        ("collectives -b 8 -e 4", "-e: found 4"), ("collectives -f 1", "-f: found 1"),
        ("collectives -n 0", "-n: found 0"),
        ("collectives -w -1", "-w: found -1"), ("collectives -c 2", "-c: found 2"), ("collectives -b 4X", "\"4X\""),
        ("collectives --algorithm ring", "\"ring\""), ("collectives --clock slow", "\"slow\""),
        ("collectives --workers 0", "--workers: found 0"), ("collectives --latency 1", "--clock native"),
        ("collectives --clock wall --latency -1", "-1"), ("collectives --clock virtual --algorithm direct", "direct"),
        ("collectives --clock wall --bandwidth fast", "\"fast\""),
        ("collectives --latency -1", "--latency: found \"-1\""),
        ("collectives --clock virtual --latency -1", "--latency: found \"-1\""),
        ("collectives --clock virtual --latency nan", "--latency: found \"nan\""),
        ("collectives --clock virtual --latency 1e308 --workers 2", "beyond 1e300"),
        ("collectives --clock virtual --latency 1e299 -b 4 -e 64M", "beyond 1e300"),
        ("collectives --clock virtual --compute 1 --straggler lognormal:1e308", "at most 10 "),
        ("collectives --clock virtual --compute 1 --straggler exponential:1e308", "in place of 1e+308"),
        ("collectives --clock virtual --workers 64 -b 1024G -e 1024G", "128 TiB of memory"),
        ("collectives -b 1024G -e 1024G -n 1", "of memory"), ("mailboxes -b 1024G -e 1024G -n 1", "of memory"),
        ("collectives --clock wall --workers 4 --latency 1e9", "at most 1 h 00 min"),
        ("collectives --clock virtual --workers 64 -b 1K -e 1K -n 1000000", "messages"),
        ("collectives --algorithm direct,direct", "direct twice"), ("mailboxes --mailbox ring,ring", "ring twice"),
        ("collectives --clock virtual --transfer-per-mb -2", "--transfer-per-mb: found \"-2\""),
        ("collectives --clock wall --ports both", "\"both\""), ("collectives --compute 1", "--clock native"),
        ("collectives --clock virtual --compute -1", "--compute: found \"-1\""),
        ("collectives --clock virtual --compute 1 --fit", "--fit"),
        ("collectives --clock virtual --straggler lognormal:1", "--compute"),
        ("collectives --clock virtual --compute 1 --straggler lognormal:-1", "\"lognormal:-1\""),
        ("collectives --clock virtual --compute 1 --workers 2 --straggler constant:2:3", "rank \"2\""),
        ("collectives --clock virtual --compute 1 --seed 2", "--seed"), ("mailboxes --mailbox post", "\"post\""),
        ("mailboxes --capacity 0", "--capacity: found 0"), ("mailboxes --json missing/record.json", "missing"),
    ])
    func `bad options are refused in one line`(options: String, fragment: String) throws {
        let outcome = try Workspace().relaxed("bench \(options)")
        #expect(outcome.code == 2 && outcome.output == "" && outcome.errorLines.count == 1)
        #expect(outcome.errors.contains(fragment), "\(outcome.errors)")
    }

    @Test func `an input that a codec cannot take is refused in one line that names the codec and the element`() throws
    {
        let workspace = try Workspace()
        try workspace.write("huge.f32", [Float](repeating: 3e38, count: 40).flatMap { bytes(of: $0) })
        let outcome = try workspace.relaxed("bench codecs --input huge.f32 --codec identity;random-k -n 1 --quiet")
        #expect(outcome.code == 2 && outcome.output == "" && outcome.errorLines.count == 1)
        #expect(outcome.errors.contains("huge.f32, element 0: found inf in random-k"), "\(outcome.errors)")
    }

    private func bytes(of value: Float) -> [UInt8] { (0..<4).map { UInt8(value.bitPattern >> (8 * $0) & 0xFF) } }
}
