// The options of a size sweep in the manner of nccl-tests, shared by the verbs under `bench`.

import ArgumentParser
import Platform
import Reporting

/// From which size to which, how often, and whether results are checked.
struct SweepArguments: ParsableArguments {
    @Option(name: .short, help: .init("Smallest size, such as 4, 16K or 1M (powers of 1,024).", valueName: "bytes"))
    var b: String?

    @Option(name: .short, help: .init("Largest size.", valueName: "bytes"))
    var e: String?

    @Option(
        name: .short, parsing: .unconditional, help: .init("Each size is so many times the last.", valueName: "factor"))
    var f = 4

    @Option(
        name: .short, parsing: .unconditional,
        help: .init(
            "Timed iterations per size; by default as many as take about a tenth of a second.", valueName: "count"))
    var n: Int?

    @Option(name: .short, parsing: .unconditional, help: .init("Iterations before those.", valueName: "count"))
    var w = 5

    @Option(name: .short, parsing: .unconditional, help: .init("1 checks results, 0 does not.", valueName: "0|1"))
    var c = 1

    /// Multiples of `unit` bytes from `-b`, by default `smallest`, to `-e`, by default `largest`; sizes below `least` become that.
    func sizes(unit: Int, least: Int = 0, smallest: String = "4", largest: String) throws(InputError) -> [Int] {
        let b = b ?? smallest
        let first = try Self.bytes(b, option: "-b")
        let e = e ?? largest
        let last = try Self.bytes(e, option: "-e")
        guard first <= last else { throw InputError(at: "-e", found: e, expected: "at least \(b), the smallest size") }
        guard f >= 2 else { throw InputError(at: "-f", found: "\(f)", expected: "at least 2") }
        for (option, value, least) in [("-n", n ?? 1, 1), ("-w", w, 0)] where !(least...1_000_000).contains(value) {
            throw InputError(at: option, found: "\(value)", expected: "\(least) to 1000000")
        }
        guard c == 0 || c == 1 else { throw InputError(at: "-c", found: "\(c)", expected: "0 or 1") }
        var sizes: [Int] = []
        var size = first
        while size <= last {
            let rounded = max(size / unit * unit, least)
            if sizes.last != rounded { sizes.append(rounded) }
            let (next, isTooLarge) = size.multipliedReportingOverflow(by: f)
            if isTooLarge { break }
            size = max(next, 1)
        }
        return sizes
    }

    /// Refuses a sweep that needs more than about `memory` bytes where that is more than there is.
    func requireMemory(_ memory: Int, at largest: Int) throws(InputError) {
        guard let available = availableMemoryBytes(), memory > available else { return }
        throw InputError(
            at: "-e", found: "\(Quantity.bytes(largest)), which need about \(Quantity.bytes(memory)) of memory",
            expected: "what \(Quantity.bytes(available)) of free memory hold")
    }

    private static func bytes(_ text: String, option: String) throws(InputError) -> Int {
        let factors: [Character: Int] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
        let factor = text.lowercased().last.flatMap { factors[$0] }
        guard let value = Int(factor == nil ? text : String(text.dropLast())), value >= 0,
            value <= (1 << 40) / (factor ?? 1)
        else {
            throw InputError(at: option, found: "\"\(text)\"", expected: "bytes, such as 4, 16K or 64M")
        }
        return value * (factor ?? 1)
    }
}

/// Times of one operation, in seconds.
struct Samples: Encodable {
    let meanSeconds: Double
    let minimumSeconds: Double
    let p50Seconds: Double
    let p99Seconds: Double

    init(_ seconds: [Double]) {
        let sorted = seconds.sorted()
        func quantile(_ share: Double) -> Double {
            sorted.isEmpty ? .nan : sorted[max(0, Int((share * Double(sorted.count)).rounded(.up)) - 1)]
        }
        meanSeconds = seconds.reduce(0, +) / Double(seconds.count)
        minimumSeconds = quantile(0)
        p50Seconds = quantile(0.5)
        p99Seconds = quantile(0.99)
    }

    /// Microseconds for a table.
    static func microseconds(_ seconds: Double) -> String { Quantity.number(1e6 * seconds) }
}
