import Glibc
import Synchronization
import Testing

@testable import Platform

@Suite struct FairLockConcurrencyTests {
    /// What the lock protects, so that a lock that does not exclude shows as a lost update or a sanitizer report.
    final class Unprotected: @unchecked Sendable {
        // Sendable: only touched under the lock, which is what is tested.
        var turns: [Int] = []
    }

    @Test(arguments: [1, 2, 16]) func `a contended fair lock loses no update`(workers: Int) throws {
        let team = try WorkerTeam(placement: .unpinned(workers: workers))
        for spins in [0, 256] {
            let lock = FairLock(spins: spins, patience: 64)
            let shared = Unprotected()
            team.run { rank in
                var place = FairLock.Place()
                for _ in 0..<1_000 {
                    lock.lock(&place)
                    shared.turns.append(rank)
                    lock.unlock()
                }
            }
            #expect(shared.turns.count == 1_000 * workers)
            #expect(lock.spinning == 0)
        }
    }

    @Test func `who has released the lock does not take it again before one that spins for it`() throws {
        let team = try WorkerTeam(placement: .unpinned(workers: 2))
        for _ in 0..<20 {
            let lock = FairLock(spins: .max, patience: .max)
            let isHeld = Atomic(false)
            let shared = Unprotected()
            team.run { rank in
                var place = FairLock.Place()
                if rank == 1 {
                    while !isHeld.load(ordering: .acquiring) { sched_yield() }
                    lock.lock(&place)
                    shared.turns.append(1)
                    lock.unlock()
                    return
                }
                lock.lock(&place)
                shared.turns.append(0)
                isHeld.store(true, ordering: .releasing)
                while lock.spinning == 0 { sched_yield() }
                lock.unlock()
                lock.lock(&place)
                shared.turns.append(0)
                lock.unlock()
            }
            #expect(shared.turns == [0, 1, 0])
        }
    }

    @Test func `nobody waits for those that sleep`() throws {
        let team = try WorkerTeam(placement: .unpinned(workers: 2))
        // With spins: 0 the other sleeps; patience would never end.
        let lock = FairLock(spins: 0, patience: .max)
        let isHeld = Atomic(false)
        let shared = Unprotected()
        team.run { rank in
            var place = FairLock.Place()
            if rank == 1 { while !isHeld.load(ordering: .acquiring) { sched_yield() } }
            for _ in 0..<200 {
                lock.lock(&place)
                isHeld.store(true, ordering: .releasing)
                shared.turns.append(rank)
                lock.unlock()
            }
        }
        #expect(shared.turns.count == 400)
    }
}
