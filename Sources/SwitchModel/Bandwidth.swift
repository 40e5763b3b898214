// Bandwidths as people write them. Plain values; any thread.

public import Platform

/// What a port moves per second.
public struct Bandwidth: Sendable, Hashable {
    /// Positive and finite.
    public let bytesPerSecond: Double

    /// t_transfer1MB: seconds per megabyte of 10^6 bytes.
    public var secondsPerMegabyte: Double { 1e6 / bytesPerSecond }

    /// Reads a number with a unit: bits (`10Gbps`, `10Gb/s`, `800Mbit/s`) or bytes (`1GB/s`, `1GBps`, `64MiB/s`).
    ///
    /// A small b means bits, a large B bytes; the prefixes k, M, G, T (in either case) are decimal, Ki, Mi, Gi, Ti binary.
    /// Throws `InputError` for anything else, and for what is not positive and finite.
    public init(parsing text: String, option: String = "--bandwidth") throws(InputError) {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == "." || $0 == "-" || $0 == "+") }
        var unit = text.dropFirst(number.count).drop { $0 == " " }
        var scale = 1.0
        if let first = unit.first, let power = ["k", "m", "g", "t"].firstIndex(of: first.lowercased()) {
            let isBinary = unit.dropFirst().first == "i"
            unit = unit.dropFirst(isBinary ? 2 : 1)
            for _ in 0...power { scale *= isBinary ? 1024 : 1000 }
        }
        let bytes: Double? =
            switch unit {
            case "bps", "b/s", "bit/s", "bits/s": 1.0 / 8
            case "Bps", "B/s", "byte/s", "bytes/s": 1
            default: nil
            }
        guard let value = Double(number), let bytes, value > 0, (value * scale * bytes).isFinite,
            (1e6 / (value * scale * bytes)).isFinite
        else {
            throw InputError(
                at: option, found: "\"\(text)\"", expected: "a positive rate such as 10Gbps, 800Mbit/s or 1GB/s")
        }
        bytesPerSecond = value * scale * bytes
    }
}
