// A plain file as text: mapped, and given back to the kernel round by round, so that memory holds two rounds of it at most.

internal import Glibc
internal import Platform

/// The lines of a mapped file.
@safe final class MappedText: TextSource {
    private let base: UnsafeMutablePointer<UInt8>
    private let byteCount: Int
    private let mappedBytes: Int
    private let roundBytes: Int
    private var round = 0..<0
    private var released = 0
    private static let page = sysconf(Int32(_SC_PAGESIZE))

    /// Maps the open file, which the caller may close afterwards.
    init(descriptor: Int32, byteCount: Int, roundBytes: Int, name: String) throws(InputError) {
        let page = Self.page
        self.byteCount = byteCount
        self.roundBytes = roundBytes
        // One page more, of zeros: the parser reads a few bytes ahead.
        let mappedBytes = (byteCount + page - 1) / page * page + page
        self.mappedBytes = mappedBytes
        let reserved = unsafe mmap(nil, mappedBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let reserved = unsafe reserved, unsafe reserved != MAP_FAILED else {
            throw InputError(at: name, found: "\(byteCount) bytes, too many to map", expected: "a smaller file")
        }
        unsafe base = reserved.assumingMemoryBound(to: UInt8.self)
        let file = unsafe mmap(reserved, byteCount, PROT_READ, MAP_PRIVATE | MAP_FIXED, descriptor, 0)
        guard unsafe file != MAP_FAILED else {
            unsafe munmap(reserved, mappedBytes)
            throw InputError(at: name, found: "a file that cannot be mapped", expected: "a regular file")
        }
    }

    deinit { unsafe munmap(base, mappedBytes) }

    func nextRound() -> UnsafeBufferPointer<UInt8>? {
        let begin = round.upperBound
        if begin == byteCount { return nil }
        round = begin..<wholeLines(from: begin, to: min(begin + roundBytes, byteCount))
        return unsafe UnsafeBufferPointer(start: base + begin, count: round.count)
    }

    /// Gives back all before this round, and has the kernel read the next one from disk.
    ///
    /// By rounds, not by chunks: every call interrupts all processors that run workers.
    func prepareNext() {
        advise(released..<round.lowerBound, MADV_DONTNEED)
        released = round.lowerBound
        advise(round.upperBound..<min(round.upperBound + roundBytes, byteCount), MADV_WILLNEED)
    }

    /// The end of the last line that ends before `limit`, or of the first line where that is longer.
    private func wholeLines(from begin: Int, to limit: Int) -> Int {
        if limit == byteCount { return limit }
        let text = unsafe UnsafeBufferPointer(start: base, count: byteCount)
        return unsafe endOfLastLine(in: text, begin..<limit) ?? endOfLine(in: text, from: limit)
    }

    /// Advice on the whole pages of a range; the rest of a line's page comes back on demand.
    private func advise(_ range: Range<Int>, _ advice: Int32) {
        let page = Self.page
        let begin = range.lowerBound / page * page
        let end = (range.upperBound + page - 1) / page * page
        if begin < end { unsafe madvise(base + begin, end - begin, advice) }
    }
}
