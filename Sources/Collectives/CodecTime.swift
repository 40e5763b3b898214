// What coding costs, on a clock of the switch model and in truth. Plain values of any thread; a rank's `CodingClock` is of its own.

internal import Compression
internal import Messaging
internal import Platform

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

/// Times a rank's coding, and charges it to the model.
///
/// To ask for the time takes as long as to encode some hundred floats: of short vectors only some calls are timed, drawn so that they fall in
/// with no schedule, unless each has to be charged with what it took.
final class CodingClock {
    let codecTime: CodecTime
    /// Floats that were encoded or decoded.
    private(set) var floats = 0
    private var timedFloats = 0
    private var timedSeconds = 0.0
    private var callsUntilTimed = 0
    private var dice: UInt32 = 1
    private let timesAll: Bool

    init(_ codecTime: CodecTime) {
        self.codecTime = codecTime
        timesAll = codecTime == .measured
    }

    /// Seconds of all coding, as far as it was timed, and of the rest as much by the float.
    var seconds: Double { timedFloats > 0 ? timedSeconds * Double(floats) / Double(timedFloats) : timedSeconds }

    /// Codes so many floats; `seconds` is what that took, where it was timed.
    @inline(__always) func time(
        _ count: Int, _ seconds: inout Double, _ body: () throws(CodecError) -> Void
    ) -> CodecError? {
        floats &+= count
        let isShort = count < 16_384
        if isShort && !timesAll {
            callsUntilTimed &-= 1
            if callsUntilTimed >= 0 { return Self.failure(of: body) }
            // 1 to 32 calls later.
            dice = dice &* 1_664_525 &+ 1_013_904_223
            callsUntilTimed = Int(dice >> 27)
        }
        // Where others run meanwhile the thread's time is the truth, but to ask for it takes a call of the kernel.
        let start = isShort ? Double(monotonicNanoseconds()) / 1e9 : threadSeconds()
        let failure = Self.failure(of: body)
        seconds = (isShort ? Double(monotonicNanoseconds()) / 1e9 : threadSeconds()) - start
        timedSeconds += seconds
        timedFloats &+= count
        return failure
    }

    @inline(__always) private static func failure(of body: () throws(CodecError) -> Void) -> CodecError? {
        do throws(CodecError) {
            try body()
            return nil
        } catch { return error }
    }

    /// Lets the rank's time go on after coding so many floats, which took `seconds`. A slow rank is slow at this, too.
    @inline(__always) func charge(_ floats: Int, _ seconds: Double, _ communicator: Communicator) throws {
        if codecTime == .none || !communicator.isModel { return }
        try communicator.compute(seconds: codecTime.seconds(floats: floats) ?? seconds, isStep: false) {}
    }
}
