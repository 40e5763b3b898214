import Datasets
import Kernels
import Objectives
import Platform
import Synchronization
import Testing

/// Lost updates against updates that each add 1 to one coordinate, whose sum is known.
@Suite struct LostUpdateConcurrencyTests {
    @Test(arguments: [2, 3]) func `of updates that all load before any of them stores, all but one are lost`(
        workers: Int
    )
        throws
    {
        let barrier = Barrier(count: workers)
        let (sum, lost, overwritten) = try run(workers: workers, rounds: 50) { barrier.wait() }
        // In each round the last store wins. It adds 1 to what all have loaded.
        if workers == 2 { #expect(sum == 50 && lost == 50 && overwritten == 50) }
        #expect(lost > 0 && sum < 50 * workers)
        #expect(sum + overwritten == 50 * workers)
    }

    @Test func `what remains and what was overwritten are all that was added`() throws {
        let (sum, _, overwritten) = try run(workers: 4, rounds: 3_000) {}
        #expect(sum + overwritten == 12_000)
        let (alone, lost, _) = try run(workers: 1, rounds: 100) {}
        #expect(alone == 100 && lost == 0)
    }

    private func run(
        workers: Int, rounds: Int, meanwhile: @Sendable () -> Void
    ) throws -> (sum: Int, lost: Int, overwritten: Int) {
        let data = try SparseDataset(featureCount: 1, rows: [(1, [(0, 1)])])
        let model = try SharedParameters(count: 1)
        let lost = Atomic<Int>(0)
        let overwritten = Atomic<Int>(0)
        let team = try WorkerTeam(placement: .unpinned(workers: workers))
        team.run { _ in
            let step = LinearStep(
                objective: LinearObjective(loss: .hinge, l2: 0, intercept: false), features: 1, rows: data.rows,
                model: model.pointer, penaltyWeights: nil)
            for _ in 0..<rounds {
                let found = step.applyWatching(0, derivative: -1, stepSize: 1, nonzero: 0, meanwhile: meanwhile)
                guard let found else { continue }
                lost.add(1, ordering: .relaxed)
                overwritten.add(Int(found), ordering: .relaxed)
            }
        }
        withExtendedLifetime(data) {}
        return (Int(model[0]), lost.load(ordering: .relaxed), overwritten.load(ordering: .relaxed))
    }
}
