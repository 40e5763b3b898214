// The copies of the model under hogwild's layouts with replicas, and how they are merged. Workers merge while they run; between segments
// the team brings all copies to one state.
//
// Memory model: a replica with one worker is touched by that worker alone; one with several is relaxed atomics, as a model that they share.
// What a replica was when it was merged last, the copies that others are merged into, and the counts are touched by whoever holds the
// claim of their chunk: one writer a chunk at a time. Claims are taken upwards only, so that nobody waits in a circle.

internal import Kernels
internal import Measurement
internal import Platform
internal import Synchronization

/// One copy of the model.
final class ReplicaCopy: @unchecked Sendable {
    // Sendable: `values` is made for threads; all else is touched under the claim of a chunk, the counts under that of the first.

    /// Floats that are claimed together.
    static let chunkFloats = 4_096
    /// Vectors longer than this are merged by the lines that have changed; shorter ones, which caches hold, whole.
    static let longestWhole = 1 << 18

    let plan: ReplicaPlan.Copy
    let values: SharedParameters
    /// The values when they were merged last.
    fileprivate let base: PageBuffer<Float>
    /// By line, whether it has changed since; empty where vectors are merged whole.
    fileprivate let marks: PageBuffer<UInt8>
    /// By line, in which version it was changed last, of a copy that others are merged into.
    fileprivate let stamps: PageBuffer<UInt32>
    /// By chunk, the version of it, and that of the parent's when this was merged into it last.
    fileprivate let versions: PageBuffer<UInt32>
    fileprivate let seen: PageBuffer<UInt32>
    /// By rank, of how many updates this copy knows.
    fileprivate let counts: PageBuffer<UInt64>
    fileprivate let claims: Claims
    /// Of its members, in their order.
    let staleness: [StalenessRecorder]
    /// Updates by each rank that were merged between two merges of this one, times the updates of the member that did not see them.
    fileprivate(set) var delayedBy: [[UInt64]]
    /// Merges into it since it was merged itself.
    fileprivate let pending = Atomic<Int>(0)

    static func memoryBytes(_ plan: ReplicaPlan.Copy, isModel: Bool, _ parameters: Int, ranks: Int) -> Int {
        let shape = Shape(plan, isModel: isModel, parameters)
        return (isModel ? 0 : PageBuffer<Float>.byteCount(of: parameters))
            + PageBuffer<Float>.byteCount(of: shape.base) + PageBuffer<UInt8>.byteCount(of: shape.marks)
            + PageBuffer<UInt32>.byteCount(of: shape.stamps) + 2 * PageBuffer<UInt32>.byteCount(of: shape.chunks)
            + PageBuffer<UInt64>.byteCount(of: ranks) + Claims.bytes(shape.chunks)
            + plan.members.count * (StalenessRecorder.memoryBytes + 8 * ranks)
    }

    private struct Shape {
        let chunks: Int
        let base: Int
        let marks: Int
        let stamps: Int

        init(_ plan: ReplicaPlan.Copy, isModel: Bool, _ parameters: Int) {
            chunks = (parameters + chunkFloats - 1) / chunkFloats
            let lines = parameters > longestWhole ? chunks * chunkFloats / lineFloats : 0
            base = isModel ? 0 : parameters
            marks = isModel ? 0 : lines
            stamps = plan.children > 0 ? lines : 0
        }
    }

    /// `model` is that of the run, which the first copy is.
    init(_ plan: ReplicaPlan.Copy, model: SharedParameters?, parameters: Int, ranks: Int) throws(InputError) {
        let shape = Shape(plan, isModel: model != nil, parameters)
        self.plan = plan
        values = if let model { model } else { try SharedParameters(count: parameters) }
        base = try PageBuffer(count: shape.base, hugePages: true)
        marks = try PageBuffer(count: shape.marks)
        stamps = try PageBuffer(count: shape.stamps)
        versions = try PageBuffer(count: shape.chunks)
        seen = try PageBuffer(count: shape.chunks)
        counts = try PageBuffer(count: ranks)
        claims = Claims(shape.chunks)
        staleness = plan.members.map { _ in StalenessRecorder() }
        delayedBy = plan.members.map { _ in [UInt64](repeating: 0, count: ranks) }
    }

    /// Marks of changed lines; nil where vectors are merged whole.
    var lineMarks: LineMarks? {
        // Atomic<UInt8> has the layout of a byte.
        marks.count == 0
            ? nil : unsafe UnsafeMutableRawPointer(marks.pointer).assumingMemoryBound(to: Atomic<UInt8>.self)
    }

    /// The values of a copy that the caller alone touches now.
    fileprivate var plainValues: UnsafeMutablePointer<Float> {
        // Atomic<Float> has the layout of a Float.
        unsafe UnsafeMutableRawPointer(values.pointer).assumingMemoryBound(to: Float.self)
    }
}

/// A lock for each chunk, each on cache lines of its own.
@safe private final class Claims: @unchecked Sendable {
    // Sendable: locks, which never move.

    private struct Claim: ~Copyable {
        let lock = FutexLock()
        let padding = InlineArray<15, UInt64>(repeating: 0)
    }

    private let claims: UnsafeMutablePointer<Claim>
    private let count: Int

    static func bytes(_ count: Int) -> Int { count * MemoryLayout<Claim>.stride }

    init(_ count: Int) {
        self.count = count
        unsafe claims = .allocate(capacity: count)
        for chunk in 0..<count { unsafe (claims + chunk).initialize(to: Claim()) }
    }

    deinit {
        unsafe claims.deinitialize(count: count)
        unsafe claims.deallocate()
    }

    func take(_ chunk: Int) { unsafe claims[chunk].lock.lock() }
    func leave(_ chunk: Int) { unsafe claims[chunk].lock.unlock() }
}

/// All copies of a run's model.
final class Replicas: Sendable {
    let plan: ReplicaPlan
    let copies: [ReplicaCopy]
    let chunks: Int
    private let recordsStaleness: Bool
    /// By rank, how many updates it has told of, and how many of them have left its replica.
    private let made: WorkerCounters
    private let merged: WorkerCounters

    /// Copies of `model`, still empty: `join` fills them.
    init(_ plan: ReplicaPlan, of model: SharedParameters, recordsStaleness: Bool) throws(InputError) {
        precondition(plan.replicas > 1, "a model that all workers change has no replicas")
        self.plan = plan
        self.recordsStaleness = recordsStaleness
        let ranks = plan.copyOfRank.count
        var copies: [ReplicaCopy] = []
        for (index, copy) in plan.copies.enumerated() {
            copies.append(
                try ReplicaCopy(copy, model: index == 0 ? model : nil, parameters: model.count, ranks: ranks))
        }
        self.copies = copies
        chunks = (model.count + ReplicaCopy.chunkFloats - 1) / ReplicaCopy.chunkFloats
        made = WorkerCounters(workers: ranks)
        merged = WorkerCounters(workers: ranks)
    }

    /// The copy that a rank changes.
    func copy(of rank: Int) -> ReplicaCopy { copies[plan.copyOfRank[rank]] }

    /// Brings the copies that `rank` owns to the state of the model. On the rank's thread, so that they are in its memory; nobody
    /// trains meanwhile.
    private func copyModel(rank: Int) {
        let (model, count) = unsafe (copies[0].plainValues, copies[0].values.count)
        for copy in copies.dropFirst() where copy.plan.owner == rank {
            let (values, base, marks) = unsafe (copy.plainValues, copy.base.pointer, copy.marks.pointer)
            unsafe values.update(from: model, count: count)
            unsafe base.update(from: model, count: count)
            unsafe marks.update(repeating: 0, count: copy.marks.count)
        }
    }

    /// Makes each of `workers` change its copy, which is then as the model is, and merge it every `rows` rows or as `period` has it.
    func join(_ workers: [SharedWorker], rows: Int?, period: MergePeriod?, team: WorkerTeam) {
        team.run { rank in if rank < workers.count { self.copyModel(rank: rank) } }
        for worker in workers {
            worker.replica = ReplicaWorker(
                self, rank: worker.rank, rowsPerUpdate: worker.batchSize, rows: rows, period: period)
        }
    }

    /// Merges the replica of `rank`, which has made `updates`, beginning with chunk `first`; and what that is merged into where it is due.
    /// On the rank's thread.
    func merge(rank: Int, updates: UInt64, from first: Int) {
        made.publish(updates, rank: rank)
        var index = plan.copyOfRank[rank]
        while true {
            for chunk in first..<chunks { merge(index, chunk) }
            for chunk in 0..<first { merge(index, chunk) }
            index = copies[index].plan.parent
            if index == 0 { return }
            // Relaxed: only counted.
            let pending = copies[index].pending.add(1, ordering: .relaxed).newValue
            guard pending % copies[index].plan.children == 0 else { return }
        }
    }

    /// Merges some coordinates of the replica of `rank`, chunk by chunk, and of all that it is merged into. On the rank's thread.
    func merge(rank: Int, coordinates: [(chunk: Int, places: [Int])]) {
        var index = plan.copyOfRank[rank]
        while index != 0 {
            let copy = copies[index]
            let parent = copies[copy.plan.parent]
            for (chunk, places) in coordinates {
                copy.claims.take(chunk)
                parent.claims.take(chunk)
                let base = unsafe copy.base.pointer
                for j in places {
                    unsafe mergeSharedChanges(
                        into: parent.plainValues + j, from: copy.values.pointer + j, since: base + j, count: 1)
                }
                if copy.marks.count > 0 { noteChanged(places, of: parent, chunk) }
                if copy.stamps.count > 0 { noteChanged(places, of: copy, chunk) }
                parent.claims.leave(chunk)
                copy.claims.leave(chunk)
            }
            index = copy.plan.parent
        }
    }

    /// The lines of some coordinates are new to those who are merged into `copy`, and are to be merged onwards.
    private func noteChanged(_ places: [Int], of copy: ReplicaCopy, _ chunk: Int) {
        let (version, stamps) = unsafe (copy.versions.pointer + chunk, copy.stamps.pointer)
        unsafe version.pointee += 1
        for j in places { unsafe stamps[j / lineFloats] = version.pointee }
        if let marks = unsafe copy.lineMarks {
            for j in places { unsafe marks[j / lineFloats].store(1, ordering: .relaxed) }
        }
    }

    /// Tells how many updates a rank has made.
    func publish(_ updates: UInt64, rank: Int) { made.publish(updates, rank: rank) }

    /// Brings the chunks of rank `rank` of `ranks` to one state in all copies; all ranks do so while nobody trains.
    func settle(rank: Int, of ranks: Int) {
        for chunk in stride(from: rank, to: chunks, by: ranks) {
            // Upwards, so that the model has everything, and down again.
            for index in plan.upwards.reversed() { merge(index, chunk) }
            for index in plan.upwards { merge(index, chunk) }
            // All are alike: versions begin anew, long before they could run out.
            for copy in copies {
                let perChunk = ReplicaCopy.chunkFloats / lineFloats
                let (versions, seen, stamps) = unsafe (
                    copy.versions.pointer, copy.seen.pointer, copy.stamps.pointer
                )
                unsafe versions[chunk] = 0
                unsafe seen[chunk] = 0
                if copy.stamps.count > 0 {
                    unsafe (stamps + chunk * perChunk).update(repeating: 0, count: perChunk)
                }
            }
        }
    }

    /// Merges one chunk of a copy into that of its parent.
    private func merge(_ index: Int, _ chunk: Int) {
        let copy = copies[index]
        let parent = copies[copy.plan.parent]
        copy.claims.take(chunk)
        parent.claims.take(chunk)
        let first = chunk * ReplicaCopy.chunkFloats
        let isShared = copy.plan.members.count > 1
        if let marks = unsafe copy.lineMarks {
            unsafe mergeLines(copy, parent, chunk, marks, isShared)
        } else {
            let count = min(ReplicaCopy.chunkFloats, copy.values.count - first)
            if isShared {
                unsafe mergeSharedChanges(
                    into: parent.plainValues + first, from: copy.values.pointer + first,
                    since: copy.base.pointer + first, count: count)
            } else {
                unsafe mergeChanges(
                    into: parent.plainValues + first, from: copy.plainValues + first,
                    since: copy.base.pointer + first, count: count)
            }
        }
        if chunk == 0 { count(copy, into: parent) }
        parent.claims.leave(chunk)
        copy.claims.leave(chunk)
    }

    private func mergeLines(
        _ copy: ReplicaCopy, _ parent: ReplicaCopy, _ chunk: Int, _ marks: LineMarks, _ isShared: Bool
    ) {
        let perChunk = ReplicaCopy.chunkFloats / lineFloats
        let lines = chunk * perChunk..<(chunk + 1) * perChunk
        let (versions, stamps) = unsafe (parent.versions.pointer + chunk, parent.stamps.pointer)
        let version = unsafe versions.pointee + 1
        let seen = unsafe copy.seen.pointer + chunk
        if copy.plan.children > 0 {
            // What the parent brings is new to this one's children, too.
            let (ownVersions, ownStamps) = unsafe (copy.versions.pointer + chunk, copy.stamps.pointer)
            unsafe ownVersions.pointee += 1
            for line in lines where unsafe stamps[line] > seen.pointee {
                unsafe ownStamps[line] = ownVersions.pointee
            }
        }
        let merge = unsafe LineMerge(
            into: parent.plainValues, from: copy.values.pointer, since: copy.base.pointer, marks: marks,
            stamps: stamps, isShared: isShared)
        _ = unsafe merge.merge(lines, seen: seen.pointee, version: version)
        if let parentMarks = unsafe parent.lineMarks {
            // What is new to an inner copy is to be merged onwards.
            for line in lines where unsafe stamps[line] == version {
                unsafe parentMarks[line].store(1, ordering: .relaxed)
            }
        }
        unsafe versions.pointee = version
        unsafe seen.pointee = version
    }

    /// Counts who knows of how many updates, in the order in which copies pass the first chunk; records what the members of a replica had not
    /// seen of the others' when their updates left it.
    private func count(_ copy: ReplicaCopy, into parent: ReplicaCopy) {
        let ranks = plan.copyOfRank.count
        let (known, above) = unsafe (copy.counts.pointer, parent.counts.pointer)
        for (place, member) in copy.plan.members.enumerated() {
            let updates = made[member]
            let batch = unsafe updates &- known[member]
            if recordsStaleness && batch > 0 {
                var unseen: UInt64 = 0
                for rank in 0..<ranks where plan.copyOfRank[rank] != plan.copyOfRank[member] {
                    let more = unsafe merged[rank] &- known[rank]
                    unseen &+= more
                    copy.delayedBy[place][rank] &+= more &* batch
                }
                copy.staleness[place].record(unseen, count: batch)
            }
            unsafe known[member] = updates
        }
        for member in copy.plan.members { merged.publish(unsafe known[member], rank: member) }
        for rank in 0..<ranks {
            let newest = unsafe max(known[rank], above[rank])
            unsafe (known[rank], above[rank]) = (newest, newest)
        }
    }
}
