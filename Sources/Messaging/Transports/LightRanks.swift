// Ranks on stacks of their own. One thread runs them.

internal import CPlatformShims
internal import Glibc
internal import Platform

/// Ranks on stacks of their own, of which one thread runs one at a time.
///
/// A stack is 256 KB of address space above a page that may not be touched; only what was touched takes memory.
@safe final class LightRanks: RankTurns, @unchecked Sendable {
    // Sendable: one thread runs all ranks.

    private static let stackBytes = 256 << 10
    private static let guardBytes = 4 << 10

    private struct Start {
        unowned(unsafe) let ranks: LightRanks
        let rank: Int
    }

    private let count: Int
    private let stacks: UnsafeMutableRawPointer
    /// Where each rank was left; nil before it begins. The last one is their thread. Reached by pointers only: no access to a
    /// property may be open while stacks are switched.
    private let left: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    private let starts: UnsafeMutablePointer<Start>
    private var body: ((Int) -> Int?)?

    /// Throws where the kernel refuses so many stacks.
    init(count: Int) throws(InputError) {
        self.count = count
        let stride = Self.stackBytes + Self.guardBytes
        let memory = unsafe mmap(
            nil, count * stride, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let memory = unsafe memory, unsafe memory != MAP_FAILED else { throw Self.refusal(count) }
        unsafe stacks = memory
        unsafe left = .allocate(capacity: count + 1)
        unsafe left.initialize(repeating: nil, count: count + 1)
        unsafe starts = .allocate(capacity: count)
        for rank in 0..<count {
            unsafe (starts + rank).initialize(to: Start(ranks: self, rank: rank))
            if unsafe mprotect(memory + rank * stride, Self.guardBytes, PROT_NONE) != 0 { throw Self.refusal(count) }
        }
    }

    deinit {
        unsafe munmap(stacks, count * (Self.stackBytes + Self.guardBytes))
        unsafe left.deallocate()
        unsafe starts.deallocate()
    }

    private static func refusal(_ count: Int) -> InputError {
        InputError(
            at: "memory", found: "\(count) stacks of \(stackBytes >> 10) KB, which the kernel refuses",
            expected: "fewer ranks, or a larger vm.max_map_count")
    }

    func handOver(from rank: Int, to next: Int) {
        unsafe Self.jump(from: left + rank, to: next, left, starts, stacks)
    }

    /// A thread for all ranks, and not the caller's: what the caller is in the middle of is not theirs.
    var threadCount: Int { 1 }

    func threadBody(first: Int, _ body: @escaping @Sendable (Int) -> Int?) -> @Sendable (Int) -> Void {
        { thread in
            if thread > 0 { return }
            self.body = body
            self.handOver(from: self.count, to: first)
            self.body = nil
        }
    }

    /// Leaves the running stack in `slot` for that of `next`.
    @inline(__always) private static func jump(
        from slot: UnsafeMutablePointer<UnsafeMutableRawPointer?>, to next: Int,
        _ left: UnsafeMutablePointer<UnsafeMutableRawPointer?>, _ starts: UnsafeMutablePointer<Start>,
        _ stacks: UnsafeMutableRawPointer
    ) {
        if let target = unsafe left[next] { return unsafe relaxed_switch_stack(slot, target) }
        let bottom = unsafe stacks + next * (stackBytes + guardBytes) + guardBytes
        unsafe relaxed_start_stack(slot, bottom, bottom + stackBytes, begin, starts + next)
    }

    /// The first function on a rank's stack.
    private static let begin: @convention(c) (UnsafeMutableRawPointer?) -> Void = { argument in
        let start = unsafe argument!.assumingMemoryBound(to: Start.self)
        let next = unsafe LightRanks.runBody(start)
        unsafe LightRanks.leaveForGood(start, for: next)
    }

    /// Not inlined: nothing that it holds may be left on a stack that nobody comes back to.
    @inline(never) private static func runBody(_ start: UnsafePointer<Start>) -> Int {
        let ranks = unsafe start.pointee.ranks
        return unsafe ranks.body!(start.pointee.rank) ?? ranks.count
    }

    @inline(never) private static func leaveForGood(_ start: UnsafePointer<Start>, for next: Int) {
        let (left, starts, stacks) = unsafe (
            start.pointee.ranks.left, start.pointee.ranks.starts, start.pointee.ranks.stacks
        )
        let slot = unsafe left + start.pointee.rank
        unsafe jump(from: slot, to: next, left, starts, stacks)
        preconditionFailure("a rank that has ended was handed over to")
    }
}
