import Platform
import Synchronization
import Testing

@Suite struct WaitingConcurrencyTests {
    /// A plain counter, so that a lock that does not exclude shows as a lost update or a sanitizer report.
    final class Unprotected: @unchecked Sendable {
        // Sendable: only touched under the lock or between two barriers, which is what is tested.
        var value = 0
    }

    @Test(arguments: [2, 16])
    func `a contended lock loses no update`(workers: Int) throws {
        let team = try WorkerTeam(placement: .unpinned(workers: workers))
        let lock = FutexLock()
        let counter = Unprotected()
        team.run { _ in
            for _ in 0..<2000 { lock.withLock { counter.value += 1 } }
        }
        #expect(counter.value == 2000 * workers)
    }

    @Test(arguments: [1, 2, 5, 32])
    func `a barrier lets nobody through before all have arrived, again and again`(workers: Int) throws {
        let team = try WorkerTeam(placement: .unpinned(workers: workers))
        let barrier = Barrier(count: workers)
        let counter = Unprotected()
        let wrong = Atomic<Int>(0)
        team.run { rank in
            for round in 0..<100 {
                if rank == round % workers { counter.value += 1 }
                barrier.wait()
                if counter.value != round + 1 { wrong.add(1, ordering: .relaxed) }
                barrier.wait()
            }
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
    }

    @Test func `backing off turns from pausing to asking for a sleep after a bounded number of rounds`() {
        var backoff = Backoff()
        var rounds = 0
        while backoff.pauseBriefly() { rounds += 1 }
        #expect((1...200).contains(rounds))
        let again = backoff.pauseBriefly()
        #expect(!again)
    }

    @Test func `a futex wait returns at once when the word differs and says when its time ran out`() {
        let futex = Futex(7)
        futex.wait(while: 8)
        #expect(Futex.wait(on: futex.word, while: 8, nanoseconds: 1))
        #expect(!Futex.wait(on: futex.word, while: 7, nanoseconds: 1))
    }

    @Test func `a padded counter fills a cache-line pair`() {
        #expect(MemoryLayout<PaddedCounter>.stride == 128)
    }

    @Test func `the clock does not run backwards`() {
        let first = monotonicNanoseconds()
        #expect(monotonicNanoseconds() >= first)
    }
}
