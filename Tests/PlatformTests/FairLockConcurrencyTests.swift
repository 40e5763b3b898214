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

    /// Threads that only sleep; that spin; that spin so shortly that some sleep; and that pass over each other at once.
    @Test(arguments: [1, 2, 3, 16], [(0, 0), (2_000, 64), (3, 1), (200, 0)])
    func `a contended fair lock loses no update`(workers: Int, limits: (spins: Int, patience: Int)) throws {
        let team = try WorkerTeam(placement: .unpinned(workers: workers))
        let lock = FairLock(threads: workers, spins: limits.spins, patience: limits.patience)
        let shared = Unprotected()
        team.run { rank in
            for _ in 0..<1_000 {
                lock.lock()
                shared.turns.append(rank)
                unsafe lock.held.assumingMemoryBound(to: Int.self).pointee += 1
                lock.unlock()
            }
        }
        #expect(shared.turns.count == 1_000 * workers)
        #expect(unsafe lock.held.assumingMemoryBound(to: Int.self).pointee == 1_000 * workers)
        #expect(lock.waiting == 0)
        for rank in 0..<workers { #expect(shared.turns.count { $0 == rank } == 1_000) }
    }

    @Test func `who has released the lock does not take it again before one that waits for it`() throws {
        let team = try WorkerTeam(placement: .unpinned(workers: 2))
        for _ in 0..<20 {
            let lock = FairLock(threads: 2, spins: .max, patience: .max)
            let isHeld = Atomic(false)
            let shared = Unprotected()
            team.run { rank in
                if rank == 1 {
                    while !isHeld.load(ordering: .acquiring) { sched_yield() }
                    lock.lock()
                    shared.turns.append(1)
                    lock.unlock()
                    return
                }
                lock.lock()
                shared.turns.append(0)
                isHeld.store(true, ordering: .releasing)
                while lock.waiting == 0 { sched_yield() }
                lock.unlock()
                lock.lock()
                shared.turns.append(0)
                lock.unlock()
            }
            #expect(shared.turns == [0, 1, 0])
        }
    }

    @Test(arguments: [0, 1]) func `nobody waits for those that sleep`(spins: Int) throws {
        let team = try WorkerTeam(placement: .unpinned(workers: 2))
        // The other sleeps; patience would never end.
        let lock = FairLock(threads: 2, spins: spins, patience: .max)
        let isHeld = Atomic(false)
        let shared = Unprotected()
        team.run { rank in
            if rank == 1 { while !isHeld.load(ordering: .acquiring) { sched_yield() } }
            for _ in 0..<200 {
                lock.lock()
                isHeld.store(true, ordering: .releasing)
                shared.turns.append(rank)
                lock.unlock()
            }
        }
        #expect(shared.turns.count == 400)
    }

    @Test func `a thread that is away when its turn comes is passed over, and comes again`() {
        let lock = FairLock(threads: 2, spins: 1_000, patience: 1)
        for _ in 0..<100 {
            // Has drawn its turn and lost its core.
            let away = lock.draw()
            lock.lock()
            lock.unlock()
            lock.lock(at: away)
            #expect(lock.waiting == 0)
            lock.unlock()
        }
        // Everything is as if none had been away.
        let turn = lock.draw()
        lock.lock(at: turn)
        lock.unlock()
        #expect(lock.draw() == turn + 1)
    }
}
