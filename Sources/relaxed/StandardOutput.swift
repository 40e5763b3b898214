// Whether what was printed has been written. On the main thread, at the end.

// The C library's `stdout` is a variable, which nobody here assigns.
@unsafe @preconcurrency import Glibc

enum StandardOutput {
    /// Writes what is still in the buffer; false where that or any write before it failed.
    static func isWritten() -> Bool { unsafe fflush(stdout) == 0 && ferror(stdout) == 0 }
}
