// Ctrl-C and its kin: the run ends at its next safe point, and what was reached is written.

import ArgumentParser
import Glibc
import Measurement
import Training

enum Interruption {
    private static let request = StopRequest()

    /// A request that goes up with the first SIGINT or SIGTERM; a second one ends the process at once.
    static func stopRequest() -> StopRequest {
        let request = request  // made here, so that the handler finds it made
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = { signal in
            Interruption.request.request()
            if signal == SIGTERM { Interruption.terminated.request() }
        }
        _ = terminated
        action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND) | UInt32(SA_RESTART))
        for signal in [SIGINT, SIGTERM] { unsafe sigaction(signal, &action, nil) }
        return request
    }

    private static let terminated = StopRequest()

    /// Throws the exit code of what the runs came to: 1 where one diverged, 130 after SIGINT, 143 after SIGTERM.
    static func endOfRuns(_ records: [RunRecord], stop: StopRequest) throws {
        if stop.isRequested { throw ExitCode(terminated.isRequested ? 143 : 130) }
        if let diverged = records.first(where: { $0.status == .diverged }) {
            Relaxed.say(
                "error: \(diverged.settings.algorithm): diverged with --step-size \(diverged.settings.stepSize); "
                    + "a smaller one may help")
            throw ExitCode(1)
        }
    }
}
