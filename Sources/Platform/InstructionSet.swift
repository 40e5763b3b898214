// Which instructions the kernels that come in two widths use. Read once; any thread.

internal import CPlatformShims
internal import Glibc

/// The instruction set of kernels that are compiled more than once; the results are the same bits on all.
public enum InstructionSet: Sendable, CaseIterable {
    /// What every hot target is compiled for.
    case baseline
    /// AVX-512 with VBMI2 and VAES: Intel from Ice Lake, AMD from Zen 4.
    case avx512

    /// The widest that this processor has; `RELAXED_INSTRUCTIONS=baseline` in the environment declines the wide one.
    public static let best: InstructionSet =
        avx512.isAvailable && (unsafe getenv("RELAXED_INSTRUCTIONS").map { unsafe String(cString: $0) }) != "baseline"
        ? .avx512 : .baseline

    /// Whether this processor has it.
    public var isAvailable: Bool {
        switch self {
        case .baseline: true
        case .avx512: relaxed_has_avx512() != 0
        }
    }
}
