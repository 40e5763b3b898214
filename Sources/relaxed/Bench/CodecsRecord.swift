// What `relaxed bench codecs` says: a row per codec and size, in its two tables and in the JSON alike.

import Platform
import Reporting

/// One codec at one size. Rates are bytes of floats, not of messages, per second at the median time.
struct CodecRow: Encodable {
    /// With all its settings.
    let codec: String
    /// Of the vector.
    let bytes: Int
    /// Elements of the vector.
    let count: Int
    /// Of a message, the mean over the draws.
    let encodedBytes: Double
    /// `bytes` / `encodedBytes`.
    let ratio: Double
    let encodeSeconds: Samples
    let decodeSeconds: Samples
    let decodeAddSeconds: Samples
    let encodeBytesPerSecond: Double
    let decodeBytesPerSecond: Double
    let decodeAddBytesPerSecond: Double
    /// What memory gives: memcpy, a copy with non-temporal stores, a plain read.
    let copyBytesPerSecond: Double
    let nonTemporalCopyBytesPerSecond: Double
    let readBytesPerSecond: Double
    /// A transfer is shorter with the codec below this bandwidth: S (1 - 1/ratio) / (t_encode + t_decode); 0 where it never is.
    let breakEvenBytesPerSecond: Double
    let isUnbiased: Bool
    let draws: Int
    /// alpha: the mean of |Q(y) - y|^2 / |y|^2 over the draws.
    let relativeSquaredError: Double
    let relativeSquaredErrorStandardError: Double
    /// The codec's own bound on that expectation for this vector.
    let relativeSquaredErrorBound: Double?
    /// |E Q(y) - y|^2 / |y|^2, estimated without bias: below zero as often as above where it is zero.
    let relativeSquaredBias: Double
    let relativeSquaredBiasStandardError: Double
    /// sigma'^2: the mean of |Q(y) - y|^2 over the draws.
    let squaredError: Double
    let wrong: Int?

    init(count: Int, draws: Int, outcome: CodecSweep.Outcome) {
        let (speed, accuracy) = (outcome.speed, outcome.accuracy)
        func rate(_ samples: Samples) -> Double { Double(4 * count) / samples.p50Seconds }
        func relative(_ value: Double) -> Double {
            // Nothing is lost of a vector of zeros, or all is.
            value == 0 ? 0 : value / accuracy.squaredNorm
        }
        codec = outcome.name
        bytes = 4 * count
        self.count = count
        encodedBytes = accuracy.encodedBytes
        ratio = Double(4 * count) / accuracy.encodedBytes
        encodeSeconds = speed.encode
        decodeSeconds = speed.decode
        decodeAddSeconds = speed.decodeAdd
        encodeBytesPerSecond = rate(speed.encode)
        decodeBytesPerSecond = rate(speed.decode)
        decodeAddBytesPerSecond = rate(speed.decodeAdd)
        copyBytesPerSecond = rate(speed.copy)
        nonTemporalCopyBytesPerSecond = rate(speed.copyPastCaches)
        readBytesPerSecond = rate(speed.read)
        let saved = max(0, Double(4 * count) - accuracy.encodedBytes)
        breakEvenBytesPerSecond = saved / (speed.encode.p50Seconds + speed.decode.p50Seconds)
        isUnbiased = outcome.isUnbiased
        self.draws = draws
        relativeSquaredError = relative(accuracy.squaredError.mean)
        relativeSquaredErrorStandardError = relative(accuracy.squaredError.standardError)
        relativeSquaredErrorBound = accuracy.bound.map(relative)
        relativeSquaredBias = relative(accuracy.squaredBias.mean)
        relativeSquaredBiasStandardError = relative(accuracy.squaredBias.standardError)
        squaredError = accuracy.squaredError.mean
        wrong = outcome.wrong
    }

    /// The columns of the rates, for codecs with these names and settings.
    static func speedColumns(_ codecs: [String]) -> [TextTable.Column] {
        let times: [TextTable.Column] = [
            .number("min", unit: "us"), .number("p50", width: 8), .number("p99", width: 8),
        ]
        return [
            .text("codec", width: codecs.map(\.count).max() ?? 0), .number("size", unit: "B", width: 8),
            .number("encoded", unit: "B"), .number("ratio", width: 6),
        ]
            + [.number("encode", unit: "GB/s")] + times + [.number("decode", unit: "GB/s")] + times
            + [.number("add", unit: "GB/s"), .number("memcpy"), .number("nt copy"), .number("read")]
            + [.number("break-even", unit: "GB/s"), .number("#wrong")]
    }

    var speedCells: [String] {
        func rate(_ bytesPerSecond: Double) -> String { Quantity.number(bytesPerSecond / 1e9, digits: 3) }
        func times(_ seconds: Samples) -> [String] {
            [seconds.minimumSeconds, seconds.p50Seconds, seconds.p99Seconds].map(Samples.microseconds)
        }
        return [codec, "\(bytes)", Quantity.fixed(encodedBytes, decimals: 0), Quantity.number(ratio)]
            + [rate(encodeBytesPerSecond)] + times(encodeSeconds) + [rate(decodeBytesPerSecond)] + times(decodeSeconds)
            + [decodeAddBytesPerSecond, copyBytesPerSecond, nonTemporalCopyBytesPerSecond, readBytesPerSecond].map(rate)
            + [breakEvenBytesPerSecond > 0 ? rate(breakEvenBytesPerSecond) : "-", wrong.map { "\($0)" } ?? "-"]
    }

    static var accuracyTable: TextTable {
        TextTable([
            .text("codec"), .number("size", unit: "B"), .number("draws"), .number("alpha"), .number("s.e."),
            .number("bound"), .number("bias^2"), .number("s.e."), .number("sigma'^2"), .text("said to be"),
        ])
    }

    var accuracyCells: [String] {
        func number(_ value: Double?) -> String { value.map { Quantity.number($0, digits: 3) } ?? "-" }
        return [codec, "\(bytes)", "\(draws)"]
            + [relativeSquaredError, relativeSquaredErrorStandardError, relativeSquaredErrorBound].map(number)
            + [relativeSquaredBias, relativeSquaredBiasStandardError, squaredError].map(number)
            + [isUnbiased ? "unbiased" : "biased"]
    }
}

/// The JSON beside the head that all records have.
struct CodecsRecord: Encodable {
    let input: String
    let placement: Placement
    let rows: [CodecRow]
}
