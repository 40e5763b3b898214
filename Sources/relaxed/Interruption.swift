// Ctrl-C and its kin: before training they end the process, for nothing was reached; a run ends at its next safe point, and what
// was reached is written.

import ArgumentParser
import Glibc
import Measurement
import Platform
import Synchronization
import Training

enum Interruption {
    private static let request = StopRequest()
    private static let terminated = StopRequest()
    /// When the first signal came, in nanoseconds; 0 before it.
    private static let firstSignal = Atomic<UInt64>(0)
    /// So close to the first one a second signal is the same: `timeout` sends one to its command and one to the group that it is in.
    private static let sameSignalNanoseconds: UInt64 = 500_000_000

    /// Until `stopRequest` is called SIGINT and SIGTERM end the process at once, with the exit codes that they have later: even
    /// where it was started with them ignored, as shells do for background jobs, or blocked, as some parents' threads have them.
    static func endAtOnce() {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        for signal in [SIGINT, SIGTERM] { unsafe sigaddset(&signals, signal) }
        unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        handle { signal in _exit(128 + signal) }
    }

    /// A request that goes up with the first SIGINT or SIGTERM; a later one ends the process at once.
    static func stopRequest() -> StopRequest {
        let request = request  // made here, so that the handler finds them made
        (_, _) = (terminated, firstSignal.load(ordering: .relaxed))
        handle { signal in Interruption.take(signal) }
        return request
    }

    /// In a signal handler: calls only what may be called there.
    private static func take(_ signal: Int32) {
        let now = max(1, monotonicNanoseconds())
        // Relaxed: nothing else is read by it.
        let first = firstSignal.compareExchange(expected: 0, desired: now, ordering: .relaxed).original
        if first != 0 && now > first + sameSignalNanoseconds {
            Glibc.signal(signal, SIG_DFL)
            raise(signal)
        }
        if first == 0 && isatty(STDERR_FILENO) == 1 {
            say("\nstopping at the next safe point; once more ends at once\n")
        }
        request.request()
        if signal == SIGTERM { terminated.request() }
    }

    /// Allocates nothing.
    private static func say(_ line: StaticString) {
        _ = unsafe write(STDERR_FILENO, line.utf8Start, line.utf8CodeUnitCount)
    }

    private static func handle(with handler: @escaping @convention(c) (Int32) -> Void) {
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = handler
        action.sa_flags = SA_RESTART
        for signal in [SIGINT, SIGTERM] { unsafe sigaction(signal, &action, nil) }
    }

    /// Throws the exit code of what the runs came to: 1 where one diverged or learnt nothing, 130 after SIGINT, 143 after SIGTERM.
    static func endOfRuns(_ records: [RunRecord], stop: StopRequest) throws {
        if stop.isRequested { throw ExitCode(terminated.isRequested ? 143 : 130) }
        let diverged = records.filter { $0.status == .diverged }.map(\.settings)
        if let first = diverged.first {
            var names: [String] = []
            for settings in diverged where !names.contains(settings.algorithm) { names.append(settings.algorithm) }
            // With feedback what a codec loses comes again, and adds up where it loses more than the vector holds.
            let hasFeedback = records.contains { $0.status == .diverged && $0.exchange?.errorFeedback == true }
            Relaxed.say(
                "error: \(names.joined(separator: ", ")): diverged with --step-size \(first.stepSize); a smaller one may help"
                    + (hasFeedback ? ", or with feedback a --codec that loses less" : ""))
            throw ExitCode(1)
        }
        if let record = records.first(where: { $0.status == .unchanged }) {
            let settings = record.settings
            let compresses = record.exchange?.codec != nil
            Relaxed.say(
                "error: \(settings.algorithm): no update changed the model with --step-size \(settings.stepSize); a larger one may help"
                    + (compresses ? ", or a --codec that loses less" : ""))
            throw ExitCode(1)
        }
    }
}
