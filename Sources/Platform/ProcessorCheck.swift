// Whether this processor has the instructions that the hot targets are compiled for. Asked once, before any of them is called.

internal import CPlatformShims

/// The instruction set of the hot targets.
public enum ProcessorCheck {
    /// Throws what is missing: on x86-64 the hot targets need x86-64-v3 and AES (Intel from 2013, AMD from 2015).
    public static func run() throws(InputError) {
        guard relaxed_has_compiled_instructions() != 0 else {
            throw InputError(
                at: "this processor", found: "no AVX2, FMA, BMI2 or AES",
                expected: "the instruction set x86-64-v3 with AES")
        }
    }
}
