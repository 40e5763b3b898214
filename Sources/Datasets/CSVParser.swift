// The passes over a chunk of CSV text: numbers straight into place, then the categories of text columns. Every worker thread
// runs this on chunks of its own, which write to separate rows.

internal import Glibc

/// Where the fields of a row go, and the arrays they go to.
@unsafe struct CSVTarget {
    /// For each column of the file its place in a row of `values`, or one of the two below.
    let slots: [Int32]
    /// Values of a row.
    let width: Int
    let values: UnsafeMutablePointer<Double>
    let labels: UnsafeMutablePointer<Double>

    static let ignored: Int32 = -1
    static let label: Int32 = -2
}

/// Whole records of a CSV text.
@unsafe struct CSVParser {
    let base: UnsafePointer<UInt8>
    let begin: UnsafePointer<UInt8>
    /// As of `CSVCursor`.
    let end: UnsafePointer<UInt8>
    let syntax: CSVSyntax

    /// Fills rows from `firstRow` on and returns how many there are.
    ///
    /// A field that is text sets its column in `textColumns` and leaves NaN, unless `numbersOnly` calls that a fault; columns
    /// that are set already may hold anything.
    func parse(
        into target: CSVTarget, firstRow: Int, textColumns: inout [Bool], remainders: inout [LabelRemainder],
        numbersOnly: Bool
    ) throws(CSVFault) -> Int {
        let (separator, point, missingNumbers) = unsafe (syntax.separator, syntax.barePoint, syntax.missingNumbers)
        let powers = unsafe Decimal.powers
        let slots = unsafe target.slots
        let last = slots.count - 1
        var cursor = unsafe CSVCursor(base: base, end: end, separator: separator, p: begin)
        var row = firstRow
        while unsafe cursor.startRecord() {
            let start = unsafe cursor.p
            let values = unsafe target.values + row * target.width
            for column in 0...last {
                let slot = slots[column]
                var q = unsafe cursor.p
                var value = Double.nan
                if unsafe slot == CSVTarget.ignored || textColumns[column] {
                    let field = unsafe try cursor.field()
                    if unsafe slot == CSVTarget.label && syntax.isMissing(field) { throw unsafe unlabelled(start) }
                } else if let short = unsafe Self.shortNumber(&q, powers, point),
                    unsafe CSVCursor.endsField(&q, end, separator)
                {
                    value = short
                    unsafe cursor.p = unsafe q
                } else {
                    let place = unsafe cursor.p
                    let field = unsafe try cursor.field()
                    if let number = unsafe syntax.number(field) {
                        guard Float(number).isFinite else { throw unsafe fault(place, field, "a finite 32-bit float") }
                        value = number
                        if unsafe slot == CSVTarget.label {
                            guard let remainder = unsafe Decimal.remainder(of: field.text, from: number) else {
                                throw unsafe fault(place, field, Label.expected)
                            }
                            if remainder != 0 { remainders.append(LabelRemainder(row: row, remainder: remainder)) }
                        }
                    } else if unsafe syntax.isMissing(field) {
                        if unsafe slot == CSVTarget.label { throw unsafe unlabelled(start) }
                    } else if unsafe numbersOnly && slot != CSVTarget.label {
                        throw unsafe fault(place, field, "a number, as in the rows that were learned from")
                    } else {
                        textColumns[column] = true
                    }
                }
                if !missingNumbers.isEmpty && missingNumbers.contains(value) {
                    value = .nan
                    if unsafe slot == CSVTarget.label { throw unsafe unlabelled(start) }
                }
                if slot >= 0 {
                    unsafe values[Int(slot)] = value
                } else if unsafe slot == CSVTarget.label {
                    unsafe target.labels[row] = value
                }
                if unsafe cursor.endRecord() != (column == last) { throw unsafe ragged(start, last + 1) }
            }
            row += 1
        }
        return row - firstRow
    }

    /// Puts the number of each category of the text columns in place of NaN, where missing ones stay NaN, and counts which of them are
    /// numbers.
    ///
    /// - Precondition: `parse` has accepted the text.
    func categorise(
        into target: CSVTarget, firstRow: Int, textColumns: [Bool], tables: inout [CategoryTable],
        tallies: inout [FieldTally]
    ) throws(CSVFault) {
        let slots = unsafe target.slots
        let separator = unsafe syntax.separator
        var cursor = unsafe CSVCursor(base: base, end: end, separator: separator, p: begin)
        var row = firstRow
        while unsafe cursor.startRecord() {
            let values = unsafe target.values + row * target.width
            for column in slots.indices {
                let start = unsafe cursor.p
                let field = unsafe try cursor.field()
                _ = unsafe cursor.endRecord()
                let slot = slots[column]
                if unsafe !textColumns[column] || slot == CSVTarget.ignored { continue }
                var value = Double.nan
                if unsafe !syntax.isMissing(field) {
                    unsafe count(field, at: start, in: &tallies[column])
                    let (number, isNew) = unsafe tables[column].number(of: field)
                    if isNew, let found = unsafe field.fault {
                        throw unsafe CSVFault(
                            position: start - base, found: "\(quoted(Array(field.text))), \(found)",
                            expected: "text in UTF-8")
                    }
                    value = Double(number)
                }
                if slot >= 0 {
                    unsafe values[Int(slot)] = value
                } else {
                    unsafe target.labels[row] = value
                }
            }
            row += 1
        }
    }

    private func count(_ field: CSVField, at p: UnsafePointer<UInt8>, in tally: inout FieldTally) {
        let looksNumeric = unsafe syntax.looksNumeric(field)
        tally.present += 1
        if looksNumeric {
            tally.numbers += 1
        } else if unsafe syntax.isUnbounded(field) {
            tally.unbounded += 1
        }
        if unsafe tally.odd == nil && syntax.number(field) == nil {
            tally.odd = unsafe (p - base, Array(field.text), looksNumeric ? syntax.otherPoint : nil)
        }
    }

    /// Up to 7 digits, and a point with up to 7 more; nil for what is longer or no such number. 32 bytes must be readable.
    ///
    /// The lengths come from the bits, since a branch on them would be mispredicted.
    @inline(__always)
    private static func shortNumber(
        _ q: inout UnsafePointer<UInt8>, _ powers: UnsafePointer<Double>, _ point: UInt8
    ) -> Double? {
        let isNegative = unsafe q[0] == UInt8(ascii: "-")
        unsafe q += isNegative ? 1 : 0
        let text = unsafe Decimal.load(q)
        let length = Decimal.nonDigits(text).trailingZeroBitCount &>> 3
        if UInt(bitPattern: length &- 1) > 6 { return nil }
        let integer = Decimal.eightDigits(text &<< UInt64(truncatingIfNeeded: 64 &- 8 &* length))
        unsafe q += length
        let whole = Double(Int64(bitPattern: integer))
        if unsafe q[0] != point { return isNegative ? -whole : whole }
        let fraction = unsafe Decimal.load(q + 1)
        let places = Decimal.nonDigits(fraction).trailingZeroBitCount &>> 3
        if places > 7 { return nil }
        // Two shifts, for no digits at all are 64 bits.
        let digits = Decimal.eightDigits((fraction &<< 8) &<< UInt64(truncatingIfNeeded: 56 &- 8 &* places))
        let power = unsafe powers[places]
        let mantissa = Int64(bitPattern: integer) &* Int64(power) &+ Int64(bitPattern: digits)
        // Both are exact, so that the quotient is the nearest Double.
        let value = Double(mantissa) / power
        unsafe q += 1 &+ places
        return isNegative ? -value : value
    }

    // MARK: What is wrong with a record

    private func fault(_ p: UnsafePointer<UInt8>, _ field: CSVField, _ expected: String) -> CSVFault {
        unsafe CSVFault(position: p - base, found: quoted(Array(field.text)), expected: expected)
    }

    private func unlabelled(_ p: UnsafePointer<UInt8>) -> CSVFault {
        unsafe CSVFault(position: p - base, found: "a row without a label", expected: "one in each row")
    }

    private func ragged(_ start: UnsafePointer<UInt8>, _ expected: Int) -> CSVFault {
        var cursor = unsafe CSVCursor(base: base, end: end, separator: syntax.separator, p: start)
        var count = 0
        repeat {
            // What follows a field that is broken cannot be counted.
            guard unsafe (try? cursor.field()) != nil else { break }
            count += 1
        } while unsafe !cursor.endRecord()
        return unsafe CSVFault(
            position: start - base, found: "\(count) field\(count == 1 ? "" : "s")",
            expected: "\(expected), as in the first line")
    }
}
