// Rows on standard output as they come, while runs go on that must not end because nobody reads them. On the main thread.

// The C library's `stdout` is a variable, which nobody here assigns.
@unsafe @preconcurrency import Glibc

/// Standard output during runs: what is shown is there at once, in a pipe too, and a reader who has gone ends nothing before `end`.
final class RunningOutput {
    private var isOpen = true
    private var readerHasGone = false

    init() { signal(SIGPIPE, SIG_IGN) }

    func show(_ text: String) {
        guard isOpen else { return }
        print(text, terminator: "")
        if unsafe fflush(stdout) != 0 {
            isOpen = false
            readerHasGone = errno == EPIPE
        }
    }

    /// All that must be written is: where nobody reads, the process ends as others do.
    func end() {
        signal(SIGPIPE, SIG_DFL)
        if readerHasGone { raise(SIGPIPE) }
    }
}
