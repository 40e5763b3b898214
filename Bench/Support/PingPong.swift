// How long a cache line takes from one core to another, on which every figure of workers with a shared model hangs. Ranks 0 and 1
// of a team run it.

public import Platform
import Synchronization

/// Two counters that two workers raise in turn.
public final class PingPong: Sendable {
    private static let turns: UInt64 = 20_000

    private let ping = PaddedCounter()
    private let pong = PaddedCounter()

    public init() {}

    /// Nanoseconds per crossing, the mean over 40,000 of them; nil where the first two workers do not have a CPU each.
    public func nanoseconds(_ team: WorkerTeam) -> Double? {
        let cpus = team.placement.workers.prefix(2).compactMap(\.cpu)
        guard Set(cpus).count == 2 else { return nil }
        // Relaxed: the counters order nothing but themselves.
        ping.value.store(0, ordering: .relaxed)
        pong.value.store(0, ordering: .relaxed)
        let seconds = team.run { rank in
            if rank > 1 { return }
            for turn in 1...Self.turns {
                if rank == 0 {
                    self.ping.value.store(turn, ordering: .relaxed)
                    while self.pong.value.load(ordering: .relaxed) != turn {}
                } else {
                    while self.ping.value.load(ordering: .relaxed) != turn {}
                    self.pong.value.store(turn, ordering: .relaxed)
                }
            }
        }
        return seconds * 1e9 / Double(2 * Self.turns)
    }
}
