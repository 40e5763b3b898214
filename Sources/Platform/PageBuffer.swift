// Large arrays straight from the kernel: zeroed, committed page by page as touched, movable between memory nodes. Allocated
// and resized by one thread; which threads use the elements is the owner's affair.

internal import CNUMA
internal import CPlatformShims
internal import Glibc

/// An array in pages of its own: no copy to grow, memory given back on shrinking, bound to memory nodes by range.
///
/// Not for small arrays: it takes at least one page (4096 bytes on x86-64) and a system call.
@safe public struct PageBuffer<Element: BitwiseCopyable>: ~Copyable, @unchecked Sendable {
    // Sendable: `pointer` and `count` change only under exclusive access (`mutating`); elements are raw memory, and
    // whoever shares them between threads orders the accesses.

    /// The number of elements.
    public private(set) var count: Int
    @usableFromInline var base: UnsafeMutablePointer<Element>
    private var mappedBytes: Int

    /// Bytes that the buffer takes once it has been written to: whole pages.
    public var byteCount: Int { mappedBytes }

    /// Bytes that a buffer of `count` elements takes once it has been written to.
    public static func byteCount(of count: Int) -> Int {
        Page.roundUp(max(1, count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride).partialValue)) ?? .max
    }

    /// The first element, aligned to a page; valid until the next `resize` or the end of the buffer.
    @inlinable public var pointer: UnsafeMutablePointer<Element> { unsafe base }

    /// `count` elements of zero bytes; `hugePages` asks for 2 MiB pages where the buffer is at least that large.
    ///
    /// Throws where the kernel refuses so much memory.
    public init(count: Int, hugePages: Bool = false) throws(InputError) {
        let bytes = try Self.pageBytes(of: count)
        let memory = unsafe mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let memory = unsafe memory, unsafe memory != MAP_FAILED else { throw Self.refusal(bytes, errno) }
        if hugePages && bytes >= 2 << 20 {
            // Advice: a kernel without huge pages refuses it and nothing is lost.
            unsafe madvise(memory, bytes, MADV_HUGEPAGE)
        }
        self.count = count
        mappedBytes = bytes
        _ = relaxed_count_mapped(Int64(bytes))
        unsafe base = memory.bindMemory(to: Element.self, capacity: bytes / max(1, MemoryLayout<Element>.stride))
    }

    deinit {
        unsafe munmap(UnsafeMutableRawPointer(base), mappedBytes)
        _ = relaxed_count_mapped(Int64(-mappedBytes))
    }

    /// Changes the number of elements in place or by moving pages, never by copying; new elements are zero.
    ///
    /// Shrinking gives whole pages back to the kernel. Pointers into the buffer are invalid afterwards.
    public mutating func resize(to newCount: Int) throws(InputError) {
        let bytes = try Self.pageBytes(of: newCount)
        if bytes != mappedBytes {
            guard let memory = unsafe relaxed_mremap_maymove(UnsafeMutableRawPointer(base), mappedBytes, bytes) else {
                throw Self.refusal(bytes, errno)
            }
            unsafe base = memory.bindMemory(to: Element.self, capacity: bytes / max(1, MemoryLayout<Element>.stride))
            _ = relaxed_count_mapped(Int64(bytes - mappedBytes))
            mappedBytes = bytes
        }
        if newCount < count {
            // What is left of the last page must be zero should the buffer grow again.
            let used = newCount * MemoryLayout<Element>.stride
            unsafe memset(UnsafeMutableRawPointer(base) + used, 0, bytes - used)
        }
        count = newCount
    }

    /// Puts the pages that hold `range`, and those touched later, on a memory node; does nothing without NUMA.
    ///
    /// The pages at both ends are included whole. It is a preference: where the node is full the kernel takes another.
    public func bind(_ range: Range<Int>, toNode node: Int) { bind(NodeRanges(range, over: [node])) }

    /// Puts the pages of each piece on its nodes, those of several nodes in turn, with one call of the kernel per piece.
    ///
    /// As `bind(_:toNode:)`; a page in which two pieces meet goes with the later one.
    public func bind(_ ranges: NodeRanges) {
        guard NUMA.isAvailable else { return }
        for piece in ranges.pieces {
            let nodes = piece.nodes.filter { (0...Int(numa_max_node())).contains($0) }
            guard let last = nodes.last else { continue }
            let pages = pageRange(of: piece.range)
            let start = unsafe UnsafeMutableRawPointer(base) + pages.lowerBound
            var mask = [UInt](repeating: 0, count: last / UInt.bitWidth + 1)
            for node in nodes { mask[node / UInt.bitWidth] |= 1 << (node % UInt.bitWidth) }
            // The kernel takes one bit fewer than it is told.
            let bits = UInt(mask.count * UInt.bitWidth + 1)
            let policy = nodes.count > 1 ? MPOL_INTERLEAVE : MPOL_PREFERRED
            unsafe mbind(start, UInt(pages.count), policy, mask, bits, UInt32(MPOL_MF_MOVE))
        }
    }

    /// The memory nodes on which touched pages of `range` lie, as the kernel says, ascending; empty without NUMA.
    public func nodes(ofPagesIn range: Range<Int>) -> [Int] {
        let pages = pageRange(of: range)
        var found: Set<Int> = []
        for chunk in stride(from: pages.lowerBound, to: pages.upperBound, by: 1024 * Page.bytes) {
            let end = min(pages.upperBound, chunk + 1024 * Page.bytes)
            let pageCount = (end - chunk) / Page.bytes
            var addresses: [UnsafeMutableRawPointer?] = unsafe (0..<pageCount).map { page in
                unsafe UnsafeMutableRawPointer(base) + (chunk + page * Page.bytes)
            }
            var status = [Int32](repeating: -1, count: pageCount)
            guard unsafe move_pages(0, UInt(pageCount), &addresses, nil, &status, 0) == 0 else { return [] }
            // Negative: a page not touched yet.
            for node in status where node >= 0 { found.insert(Int(node)) }
        }
        return found.sorted()
    }

    /// The byte offsets, whole pages, of the elements in `range`.
    private func pageRange(of range: Range<Int>) -> Range<Int> {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "elements \(range) of a buffer of \(count)")
        let first = range.lowerBound * MemoryLayout<Element>.stride / Page.bytes * Page.bytes
        return first..<Page.roundUp(range.upperBound * MemoryLayout<Element>.stride)!
    }

    private static func pageBytes(of count: Int) throws(InputError) -> Int {
        precondition(count >= 0, "a buffer of \(count) elements")
        let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
        guard !overflow, let rounded = Page.roundUp(max(1, bytes)) else {
            throw InputError(
                at: "memory", found: "a request for \(count) elements of \(MemoryLayout<Element>.stride) bytes",
                expected: "a size that memory can hold")
        }
        return rounded
    }

    private static func refusal(_ bytes: Int, _ errorNumber: Int32) -> InputError {
        InputError(
            at: "memory",
            found: "a request for \(bytes) bytes that the kernel refuses (\(describe(errorNumber: errorNumber)))",
            expected: "a size that fits in memory")
    }
}

/// Bytes in page buffers that the calling thread has made, less those it has freed: what tests hold statements of memory against.
package func threadPageBytes() -> Int { Int(relaxed_count_mapped(0)) }

/// The kernel's page.
enum Page {
    static let bytes = sysconf(Int32(_SC_PAGESIZE))

    /// The next multiple of the page size, or nil where there is none.
    static func roundUp(_ size: Int) -> Int? {
        let (sum, overflow) = size.addingReportingOverflow(bytes - 1)
        return overflow ? nil : sum / bytes * bytes
    }
}
