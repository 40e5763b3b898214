// Pass 2 of reading: the rows of a chunk of LIBSVM text, written straight into place. Every worker thread runs this on
// chunks of its own, which write to separate ranges of the same arrays.

internal import Glibc

/// The arrays that rows go to, from their first element.
@unsafe struct RowTarget {
    let rowOffsets: UnsafeMutablePointer<Int>
    let indices: UnsafeMutablePointer<UInt32>
    let values: UnsafeMutablePointer<Float>
    let labels: UnsafeMutablePointer<Double>
}

/// A line that cannot be used.
struct RowFault: Error, Equatable {
    /// Newlines of the chunk before the line.
    let line: Int
    let found: String
    let expected: String
}

/// Largest index that text may have: 2^32 - 2, so that the number of features fits 32 bits.
private let greatestIndex: UInt64 = 4_294_967_294

/// Reads rows `LABEL INDEX:VALUE INDEX:VALUE … # comment`, the indices from 1 and ascending.
///
/// The hot loop reads 8 bytes at a time and finds the length of a run of digits from the bits, since a branch on it would be
/// mispredicted. Whatever is rare (signs, exponents, long numbers, bad input) goes through `Decimal.parse` and the cold part.
@unsafe struct RowParser {
    let begin: UnsafePointer<UInt8>
    /// After a newline, or the end of the text; 32 bytes from here must be readable, and no digits at the end of the text.
    let end: UnsafePointer<UInt8>

    /// Fills exactly these rows and nonzeros of the target, and adds what Doubles do not hold of labels; returns the largest
    /// index, or throws what is wrong with the first bad line.
    func parse(
        into target: RowTarget, rows: Range<Int>, nonzeros: Range<Int>, remainders: inout [LabelRemainder]
    ) throws(RowFault) -> UInt32 {
        let powers = unsafe Decimal.powers
        let (indices, values) = unsafe (target.indices, target.values)
        let nonzeroEnd = nonzeros.upperBound
        var row = rows.lowerBound
        var n = nonzeros.lowerBound
        var greatest: UInt32 = 0
        var p = unsafe begin
        while unsafe startOfRow(&p) {
            if row == rows.upperBound { throw unsafe changed(at: p) }
            let start = unsafe p
            let label = unsafe Decimal.parseDouble(&p, powers: powers)
            if unsafe !Float(label).isFinite || !isTokenEnd(p) { throw unsafe labelFault(at: start) }
            if label.magnitude >= 0x1p53 {
                let text = unsafe UnsafeBufferPointer(start: start, count: p - start)
                guard let remainder = unsafe Decimal.remainder(of: text, from: label) else {
                    throw unsafe fault(at: start, found: quoted(Array(text)), expected: Label.expected)
                }
                if remainder != 0 { remainders.append(LabelRemainder(row: row, remainder: remainder)) }
            }
            unsafe target.labels[row] = label
            var previous: UInt32 = 0
            while true {
                if unsafe p[0] == UInt8(ascii: " ") { unsafe p += 1 }
                let text = unsafe Decimal.load(p)
                let length = Decimal.nonDigits(text).trailingZeroBitCount &>> 3
                var index = UInt32(
                    truncatingIfNeeded: Decimal.eightDigits(text &<< UInt64(truncatingIfNeeded: 64 &- 8 &* length)))
                var q = unsafe p + (length &+ 1)
                if unsafe UInt(bitPattern: length &- 1) > 6 || p[length] != UInt8(ascii: ":") {
                    if unsafe !startOfToken(&p) { break }
                    guard let long = unsafe longIndex(p) else { throw unsafe pairFault(at: p, previous) }
                    index = long.index
                    unsafe q = unsafe p + long.length
                }
                if index <= previous { throw unsafe pairFault(at: p, previous) }
                if n == nonzeroEnd { throw unsafe changed(at: p) }
                guard let value = unsafe shortValue(&q, powers) ?? longValue(&q, powers) else {
                    throw unsafe pairFault(at: p, previous)
                }
                unsafe indices[n] = index &- 1
                unsafe values[n] = value
                n &+= 1
                previous = index
                unsafe p = unsafe q
            }
            greatest = max(greatest, previous)
            row &+= 1
            unsafe target.rowOffsets[row] = n
        }
        if row != rows.upperBound || n != nonzeroEnd { throw unsafe changed(at: p) }
        return greatest
    }

    // MARK: The hot part

    /// A digit alone, or a digit, a point and up to 15 digits; nil for anything else.
    @inline(__always)
    private func shortValue(_ q: inout UnsafePointer<UInt8>, _ powers: UnsafePointer<Double>) -> Float? {
        let integer = unsafe q[0] &- 48
        if integer > 9 { return nil }
        let following = unsafe q[1]
        if following <= UInt8(ascii: " ") {
            unsafe q += 1
            return Float(integer)
        }
        if following != UInt8(ascii: ".") { return nil }
        let text = unsafe Decimal.load(q + 2)
        var length = Decimal.nonDigits(text).trailingZeroBitCount &>> 3
        var mantissa: UInt64
        if length < 8 {
            let digits = text &<< 8 | UInt64(integer)
            mantissa = Decimal.eightDigits(digits &<< UInt64(truncatingIfNeeded: 56 &- 8 &* length))
        } else {
            let rest = unsafe Decimal.load(q + 10)
            let restLength = Decimal.nonDigits(rest).trailingZeroBitCount &>> 3
            if restLength == 8 { return nil }
            // Two shifts, for no digits at all are 64 bits.
            let fraction = Decimal.eightDigits((rest &<< 8) &<< UInt64(truncatingIfNeeded: 56 &- 8 &* restLength))
            mantissa = UInt64(integer) &* 100_000_000 &+ Decimal.eightDigits(text)
            mantissa = unsafe mantissa &* UInt64(truncatingIfNeeded: Int(powers[restLength])) &+ fraction
            length = 8 &+ restLength
        }
        let value = unsafe Double(Int64(bitPattern: mantissa)) / powers[length]
        let last = unsafe q + (2 &+ length)
        if unsafe last[0] > UInt8(ascii: " ") || Decimal.isDoubtful(value) { return nil }
        unsafe q = unsafe last
        return Float(value)
    }

    // MARK: The cold part

    /// Moves to the next line that has a row; false at the end of the text.
    @inline(__always)
    private func startOfRow(_ p: inout UnsafePointer<UInt8>) -> Bool {
        while unsafe p < end {
            if unsafe startOfToken(&p) { return true }
        }
        return false
    }

    /// Skips space to the next token; false, and past the newline, where the line ends before one.
    private func startOfToken(_ p: inout UnsafePointer<UInt8>) -> Bool {
        while unsafe p < end {
            let byte = unsafe p[0]
            if byte == UInt8(ascii: "\n") {
                unsafe p += 1
                return false
            }
            if byte == UInt8(ascii: "#") {
                unsafe p = unsafe endOfLine(p)
            } else if isSpace(byte) {
                unsafe p += 1
            } else {
                return true
            }
        }
        return false
    }

    private func endOfLine(_ p: UnsafePointer<UInt8>) -> UnsafePointer<UInt8> {
        guard let newline = unsafe memchr(p, 10, end - p) else { return unsafe end }
        return unsafe UnsafePointer(newline.assumingMemoryBound(to: UInt8.self))
    }

    @inline(__always)
    private func isTokenEnd(_ p: UnsafePointer<UInt8>) -> Bool {
        let byte = unsafe p[0]
        return unsafe isSpace(byte) || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "#") || p >= end
    }

    /// An index of any number of digits and the length of `INDEX:`; nil where it is malformed or out of range.
    @inline(never)
    private func longIndex(_ p: UnsafePointer<UInt8>) -> (index: UInt32, length: Int)? {
        var index: UInt64 = 0
        var length = 0
        while unsafe p[length] &- 48 < 10 {
            index = unsafe min(index * 10 + UInt64(p[length] &- 48), greatestIndex + 1)
            length += 1
        }
        guard length > 0, index <= greatestIndex, unsafe p[length] == UInt8(ascii: ":") else { return nil }
        return (UInt32(index), length + 1)
    }

    @inline(never)
    private func longValue(_ q: inout UnsafePointer<UInt8>, _ powers: UnsafePointer<Double>) -> Float? {
        let value = unsafe Decimal.parse(&q, powers: powers)
        return unsafe value.isFinite && isTokenEnd(q) ? value : nil
    }

    // MARK: What is wrong with a line

    private func fault(at p: UnsafePointer<UInt8>, found: String, expected: String) -> RowFault {
        var line = 0
        var q = unsafe begin
        while unsafe q < p {
            if unsafe q[0] == UInt8(ascii: "\n") { line += 1 }
            unsafe q += 1
        }
        return RowFault(line: line, found: found, expected: expected)
    }

    private func changed(at p: UnsafePointer<UInt8>) -> RowFault {
        unsafe fault(at: p, found: "text that changed while it was read", expected: "a file that nobody is writing")
    }

    private func labelFault(at p: UnsafePointer<UInt8>) -> RowFault {
        let token = unsafe token(at: p)
        let isText = token.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
        return unsafe fault(
            at: p, found: quoted(token),
            expected: isText
                ? "a label that is a finite number"
                : "text of rows LABEL INDEX:VALUE …, plain or compressed by gzip, bzip2, xz or zstd")
    }

    private func pairFault(at p: UnsafePointer<UInt8>, _ previous: UInt32) -> RowFault {
        let token = unsafe token(at: p)
        let digits = token.prefix { $0 &- 48 < 10 }
        let index = digits.reduce(UInt64(0)) { min($0 * 10 + UInt64($1 &- 48), greatestIndex + 1) }
        let expected: String
        if digits.isEmpty || digits.count == token.count || token[digits.count] != UInt8(ascii: ":") {
            expected = "INDEX:VALUE"
        } else if index == 0 || index > greatestIndex {
            expected = "an index from 1 to \(greatestIndex)"
        } else if index <= previous {
            expected = "an index above \(previous), the one before it"
        } else {
            expected = "a value that is a finite 32-bit float"
        }
        return unsafe fault(at: p, found: quoted(token), expected: expected)
    }

    /// The bytes from `p` up to space, a newline or the end.
    private func token(at p: UnsafePointer<UInt8>) -> [UInt8] {
        var q = unsafe p
        while unsafe q < end && !isSpace(q[0]) && q[0] != UInt8(ascii: "\n") { unsafe q += 1 }
        return unsafe Array(UnsafeBufferPointer(start: p, count: q - p))
    }
}
