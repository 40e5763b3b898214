// Where text comes from, in rounds of whole lines. The reading thread opens, asks for rounds and closes; while the workers
// parse a round, one of them runs `prepareNext`.

internal import Glibc
internal import Platform

/// Text in rounds of whole lines, each valid until the next is asked for.
protocol TextSource: AnyObject {
    /// The next round, never empty; nil at the end of the text. 32 bytes beyond its end are readable, and no digit follows the
    /// end of the text.
    func nextRound() throws(InputError) -> UnsafeBufferPointer<UInt8>?
    /// Work for the rounds before and after this one that can be done meanwhile.
    func prepareNext()
}

/// One past the last newline in a range of the text, or nil where it has none.
func endOfLastLine(in text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Int? {
    var end = range.upperBound
    while end > range.lowerBound {
        if unsafe text[end - 1] == UInt8(ascii: "\n") { return end }
        end -= 1
    }
    return nil
}

/// One past the first newline at or after a position of the text, or the end of the text.
func endOfLine(in text: UnsafeBufferPointer<UInt8>, from position: Int) -> Int {
    guard position < text.count, let base = text.baseAddress else { return text.count }
    guard let newline = unsafe memchr(base + position, 10, text.count - position) else { return text.count }
    return unsafe UnsafeRawPointer(newline) - UnsafeRawPointer(base) + 1
}
