import Platform
import Synchronization
import Testing

@Suite struct WorkerTeamConcurrencyTests {
    @Test(arguments: [1, 2, 3, 64])
    func `every worker runs each body exactly once, run after run`(workers: Int) throws {
        let team = try WorkerTeam(placement: .unpinned(workers: workers))
        let calls = Locked([Int](repeating: 0, count: workers))
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

    @Test func `workers run where the placement says, as the kernel sees it`() throws {
        let topology = try Topology.ofThisMachine()
        let workers = 2 * topology.usableCPUs.count + 1
        for policy in [PlacementPolicy.compact, .scatter, .physicalFirst, .explicit(topology.usableCPUs.reversed())] {
            let placement = try Placement(policy, workers: workers, on: topology)
            let evidence = try PlacementEvidence.gather(for: placement)
            #expect(evidence.map(\.rank) == Array(0..<workers))
            #expect(evidence.map(\.affinity) == placement.workers.map { [$0.cpu!] })
            #expect(evidence.map(\.cpu) == placement.workers.map(\.cpu))
            #expect(evidence.allSatisfy { $0.pageNode.map(topology.memoryNodes.contains) ?? true })
        }
        let free = try PlacementEvidence.gather(for: Placement(.none, workers: 3, on: topology))
        #expect(free.map(\.affinity) == Array(repeating: Affinity.ofCallingThread(), count: 3))
    }

    @Test func `a CPU that the kernel refuses is named with its rank`() throws {
        let machine = try DescribedMachine()
        for cpu in [0, 8000] { try machine.cpu(cpu, package: 0, core: cpu, siblings: "\(cpu)") }
        let placement = try Placement(.explicit([8000]), workers: 2, on: machine.topology())
        let error = #expect(throws: InputError.self) { _ = try WorkerTeam(placement: placement) }
        #expect(error?.place == "worker 0")
        #expect(error?.found.hasPrefix("CPU 8000 refused by the kernel") == true)
    }

    @Test func `a body calls its caller back while it goes on, and what it has written is there`() throws {
        let team = try WorkerTeam(placement: .unpinned(workers: 3))
        for round in 1...30 {
            let asked = Locked(0)
            let answered = Futex(0)
            team.start { rank in
                if rank != round % 3 { return }
                asked.withLock { $0 = round }
                team.callBack()
                while answered.word.pointee.load(ordering: .acquiring) == 0 { answered.wait(while: 0) }
            }
            // Others may be done before: only the end of all is the end.
            #expect(!team.awaitEnd())
            #expect(asked.withLock { $0 } == round)
            answered.word.pointee.store(1, ordering: .releasing)
            answered.wakeAll()
            #expect(team.awaitEnd())
        }
        let seconds = team.run { _ in }
        #expect(seconds >= 0)
    }

    @Test func `a team that goes away takes its threads with it`() throws {
        for _ in 0..<50 {
            let team = try WorkerTeam(placement: .unpinned(workers: 40))
            #expect(team.count == 40)
        }
        // Threads that stayed would soon be more than a process may have.
        let team = try WorkerTeam(placement: .unpinned(workers: 256))
        let ran = Atomic<Int>(0)
        team.run { _ in ran.add(1, ordering: .relaxed) }
        #expect(ran.load(ordering: .relaxed) == 256)
    }
}
