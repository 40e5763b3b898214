// Compressed or piped text. Two buffers, one being parsed while a worker fills the other.

internal import Glibc
internal import Platform

/// The lines of whatever a decoder delivers.
@safe final class StreamText: TextSource {
    private let roundBytes: Int
    private let decoder: any Decoder
    private var current: PageBuffer<UInt8>
    private var next: PageBuffer<UInt8>
    /// Bytes of whole lines in `current`, and all its bytes: the rest begins the next round.
    private var currentLines = 0
    private var currentBytes = 0
    private var nextLines = 0
    private var nextBytes = 0
    private var isPrepared = false
    private var isAtEnd = false
    private var failure: InputError?

    private static let readAhead = 64

    init(_ decoder: any Decoder, roundBytes: Int) throws(InputError) {
        self.decoder = decoder
        self.roundBytes = roundBytes
        current = try PageBuffer(count: Self.readAhead)
        next = try PageBuffer(count: roundBytes + Self.readAhead)
    }

    func nextRound() throws(InputError) -> UnsafeBufferPointer<UInt8>? {
        if !isPrepared { prepareNext() }
        if let failure { throw failure }
        swap(&current, &next)
        (currentLines, currentBytes) = (nextLines, nextBytes)
        isPrepared = false
        return currentLines == 0 ? nil : unsafe UnsafeBufferPointer(start: current.pointer, count: currentLines)
    }

    func prepareNext() {
        do throws(InputError) {
            try fillNext()
        } catch {
            failure = error
        }
        isPrepared = true
    }

    private func fillNext() throws(InputError) {
        let carried = currentBytes - currentLines
        var capacity = max(roundBytes, 2 * carried)
        if next.count < capacity + Self.readAhead { try next.resize(to: capacity + Self.readAhead) }
        unsafe memcpy(next.pointer, current.pointer + currentLines, carried)
        nextBytes = carried
        while true {
            while nextBytes < capacity && !isAtEnd {
                let count = unsafe try decoder.read(into: next.pointer + nextBytes, capacity: capacity - nextBytes)
                if count == 0 { isAtEnd = true }
                nextBytes += count
            }
            if isAtEnd {
                nextLines = nextBytes
                break
            }
            let text = unsafe UnsafeBufferPointer(start: next.pointer, count: nextBytes)
            if let end = unsafe endOfLastLine(in: text, carried..<nextBytes) {
                nextLines = end
                break
            }
            // One line longer than the buffer.
            capacity *= 2
            try next.resize(to: capacity + Self.readAhead)
        }
        unsafe memset(next.pointer + nextBytes, 0, Self.readAhead)
    }
}
