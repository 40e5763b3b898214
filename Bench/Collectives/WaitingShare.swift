// What waiting costs: the share of the machine that ranks take while they wait. Main thread and the workers of a team.

import BenchSupport
import Collectives
import Glibc
import Messaging
import Platform

/// N - 1 ranks wait while rank 0 sleeps; then it gives them what they wait for.
struct WaitingShare {
    enum Wait: String, CaseIterable {
        case receive, barrier, direct
    }

    let seconds: Double

    /// The processor time of the process over real time and CPUs, while `ranks` - 1 ranks wait.
    func measure(_ wait: Wait, ranks: Int) throws -> Double {
        try Fabric(count: ranks).run(on: WorkerTeam(placement: .unpinned(workers: ranks))) { communicator in
            var share = 0.0
            try communicator.barrier()
            if communicator.rank == 0 {
                // All have gone to sleep.
                usleep(200_000)
                let start = (Self.processSeconds, communicator.now)
                usleep(UInt32(1e6 * seconds))
                let spent = (Self.processSeconds - start.0, communicator.now - start.1)
                share = spent.0 / spent.1 / Double(Affinity.processCPUCount)
            }
            switch wait {
            case .receive:
                if communicator.rank > 0 { return try unsafe communicator.receive(from: 0) { _ in share } }
                for peer in 1..<ranks { try unsafe communicator.send(byteCount: 8, to: peer) { _ in } }
            case .barrier: try communicator.barrier()
            case .direct:
                var own = [Float](repeating: 1, count: 16)
                try unsafe own.withUnsafeMutableBufferPointer { try unsafe communicator.directAllReduce($0) }
            }
            return share
        }[0]
    }

    func verdicts() throws -> [Verdict] {
        try Wait.allCases.flatMap { wait in
            try [2, 16, 64, 256].map { ranks in
                Verdict(
                    "processor time while waiting, \(wait.rawValue), \(ranks) ranks",
                    figure: 100 * (try measure(wait, ranks: ranks)), reference: 100, unit: "%", .atMost(0.01))
            }
        }
    }

    private static var processSeconds: Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
