// What coding costs on a clock of the switch model. Plain values; any thread.

/// The time of the model that encoding and decoding take; none is what section 3.1.2 assumes.
public enum CodecTime: Sendable, Equatable {
    case none
    /// What it takes on this machine: then the model's time is not the same in every run.
    case measured
    /// So many seconds for each megabyte (10^6 bytes at 4 a float) that is encoded, and as many for each that is decoded.
    case perMegabyte(seconds: Double)

    /// Seconds of coding so many floats once; nil where they are measured.
    public func seconds(floats: Int) -> Double? {
        switch self {
        case .none: 0
        case .measured: nil
        case .perMegabyte(let seconds): seconds * Double(4 * floats) / 1e6
        }
    }
}

extension CodecTime: CustomStringConvertible {
    public var description: String {
        switch self {
        case .none: "none"
        case .measured: "measured"
        case .perMegabyte(let seconds): "\(seconds)"
        }
    }
}
