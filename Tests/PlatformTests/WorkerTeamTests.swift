import Platform
import Synchronization
import Testing

@Suite struct WorkerTeamTests {
    @Test(arguments: [1, 2, 3, 64])
    func `every worker runs each body exactly once, run after run`(workers: Int) throws {
        let team = try WorkerTeam(placement: .unpinned(workers: workers))
        let calls = Mutex([Int](repeating: 0, count: workers))
        for run in 1...20 {
            let seconds = team.run { rank in calls.withLock { $0[rank] += 1 } }
            #expect(seconds >= 0)
            #expect(calls.withLock { $0 } == [Int](repeating: run, count: workers))
        }
    }

    @Test func `all workers are inside the body at the same time, however many they are`() throws {
        let team = try WorkerTeam(placement: .unpinned(workers: 64))
        let barrier = Barrier(count: 64)
        let arrived = Atomic<Int>(0)
        let sawAll = Atomic<Int>(0)
        team.run { _ in
            arrived.add(1, ordering: .relaxed)
            barrier.wait()
            if arrived.load(ordering: .relaxed) == 64 { sawAll.add(1, ordering: .relaxed) }
        }
        #expect(sawAll.load(ordering: .relaxed) == 64)
    }

    @Test func `the caller is called back while the workers wait for it`() throws {
        let team = try WorkerTeam(placement: .unpinned(workers: 3))
        let released = Futex(0)
        var calls = 0
        team.run(
            { _ in
                while unsafe released.word.pointee.load(ordering: .acquiring) == 0 { released.wait(while: 0) }
            },
            whileWaiting: {
                calls += 1
                guard calls == 3 else { return }
                unsafe released.word.pointee.store(1, ordering: .releasing)
                released.wakeAll()
            }, every: 0.0001)
        #expect(calls >= 3)
    }
}
