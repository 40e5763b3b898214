// Steps on sparse rows where the model is in several windows: the part of each row that belongs to one of them. The thread of its worker.

internal import Objectives
internal import Platform

extension SparseSteps {
    /// Finds where the rows of the next minibatch pass from one chunk to the next, which no lock is held for.
    func cutNext() {
        if chunks.count == 1 { return }
        let (next, cuts) = unsafe (next, nextCuts)
        for i in 0..<count {
            let places = unsafe cuts + i &* (chunks.count &+ 1)
            for (k, chunk) in chunks.enumerated() {
                unsafe places[k] = view.nonzeros(next[i], below: chunk.range.lowerBound)
            }
            unsafe places[chunks.count] = view.nonzeros(next[i], below: .max)
        }
    }

    private func nonzeros(_ row: Int, place i: Int, _ cuts: UnsafeMutablePointer<Int>, _ chunk: Int) -> Range<Int> {
        if chunks.count == 1 { return unsafe 0..<view.nonzeros(row, below: .max) }
        let places = unsafe cuts + i &* (chunks.count &+ 1)
        return unsafe places[chunk]..<places[chunk &+ 1]
    }

    /// Whether the intercept is in a chunk: it is the last parameter.
    private func hasIntercept(_ chunk: Int) -> Bool {
        unsafe chunks[chunk].range.contains(view.interceptIndex)
    }

    /// Coordinates of a chunk that the next minibatch reads.
    func nextCount(_ chunk: Int) -> Int {
        let (next, cuts) = unsafe (next, nextCuts)
        var sum = hasIntercept(chunk) ? count : 0
        for i in 0..<count { sum += unsafe nonzeros(next[i], place: i, cuts, chunk).count }
        return sum
    }

    /// Copies the coordinates of the next rows that are in a chunk. Under its lock.
    func readNext(chunk: Int) {
        let (step, next, cuts) = unsafe (targets[chunk], next, nextCuts)
        let intercept = hasIntercept(chunk)
        var place = unsafe coordinates.pointer
        for i in 0..<count {
            let row = unsafe next[i]
            unsafe step.read(row, nonzeros: nonzeros(row, place: i, cuts, chunk), intercept: intercept, into: place)
            unsafe place += step.coordinateCount(row)
        }
    }

    /// The step of the oldest minibatch under way in a chunk. Under its lock.
    func descendOldest(_ stepSize: Float, chunk: Int) {
        let (step, oldest) = unsafe (targets[chunk], oldest)
        let intercept = hasIntercept(chunk)
        let share = stepSize / divisor
        for i in 0..<count {
            let row = unsafe oldest.rows[i]
            unsafe step.apply(
                row, nonzeros: nonzeros(row, place: i, oldest.cuts, chunk), intercept: intercept,
                derivative: oldest.derivatives[i], stepSize: share)
        }
    }
}
