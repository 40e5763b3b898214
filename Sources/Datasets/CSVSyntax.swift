// The form of a CSV file: what stands between fields, and how a field is told from the next (RFC 4180). Any thread.

internal import Glibc

/// What separates fields, and what stands in them.
struct CSVSyntax {
    let separator: UInt8
    /// What stands before the fraction of a number.
    private let point: UInt8
    /// Fields that stand for no value, beside those that always do.
    private let missing: Set<[UInt8]>
    /// Those of them that are numbers.
    let missingNumbers: [Double]

    /// The separators that are recognised, the most likely first.
    static let separators = [UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\t")]
    private static let never: UInt8 = 0xFF

    /// Takes the first of the known separators that a line has outside quotes, or a comma where it has none; a comma comes last where
    /// it stands in numbers, as it does where semicolons leave nothing but such numbers.
    init(line: UnsafeBufferPointer<UInt8>, options: DenseReader.Options) {
        var found: Set<UInt8> = []
        var isQuoted = false
        for k in line.indices {
            let byte = unsafe line[k]
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if !isQuoted { found.insert(byte) }
        }
        let fields = unsafe line.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
        let hasCommas =
            unsafe options.hasDecimalComma
            || fields.count > 1
                && fields.allSatisfy {
                    let text = unsafe UnsafeBufferPointer(rebasing: $0)
                    return unsafe Self.number(CSVField.trimmed(text), point: UInt8(ascii: ",")) != nil
                }
        let order = hasCommas ? Array(Self.separators.dropFirst()) + [UInt8(ascii: ",")] : Self.separators
        separator = order.first(where: found.contains) ?? UInt8(ascii: ",")
        point = UInt8(ascii: options.hasDecimalComma ? "," : ".")
        missing = Set(options.missing.map { Array($0.utf8) })
        missingNumbers = options.missing.compactMap { Double($0) }
    }

    /// Nothing at all, `NA`, `N/A`, `NaN`, `null` and `?`, in capitals or not, and what the options add.
    func isMissing(_ field: CSVField) -> Bool {
        unsafe field.isMissing || !missing.isEmpty && missing.contains(Array(field.text))
    }

    /// What stands before the fraction of a number without quotes; a byte of no text where that separates fields.
    var barePoint: UInt8 { point == separator ? Self.never : point }

    /// The number that a field is, infinite beyond Double's range; nil where it is none.
    func number(_ field: CSVField) -> Double? {
        unsafe Self.number(field.text, point: field.isQuoted ? point : barePoint)
    }

    /// What stands before the fraction of other people's numbers.
    var otherPoint: String { point == UInt8(ascii: ",") ? "." : "," }

    /// Whether a field is a number, be its fraction behind a point or a comma.
    func looksNumeric(_ field: CSVField) -> Bool {
        guard let first = unsafe field.text.first, first &- 48 < 10 || (0x2B...0x2E).contains(first) else {
            return false
        }
        return unsafe number(field) != nil || Self.number(field.text, point: UInt8(ascii: ",")) != nil
            || Self.number(field.text, point: UInt8(ascii: ".")) != nil
    }

    /// Whether a field is what programs write for a number that is not finite: `inf`, `-Infinity`, `-nan`.
    func isUnbounded(_ field: CSVField) -> Bool {
        guard unsafe field.text.count < 10, let first = unsafe field.text.first else { return false }
        let isSigned = first == UInt8(ascii: "-") || first == UInt8(ascii: "+")
        let word = unsafe String(decoding: field.text.dropFirst(isSigned ? 1 : 0), as: UTF8.self)
        return ["inf", "infinity", "nan"].contains(word.lowercased())
    }

    private static func number(_ text: UnsafeBufferPointer<UInt8>, point: UInt8) -> Double? {
        guard var p = text.baseAddress, !text.isEmpty else { return nil }
        let end = unsafe p + text.count
        let value = unsafe Decimal.parseDouble(&p, powers: Decimal.powers, point: point)
        return unsafe p == end && !value.isNaN ? value : nil
    }
}

/// What is wrong at a place of the text.
struct CSVFault: Error {
    /// Bytes from the start of the text.
    let position: Int
    let found: String
    let expected: String
}

/// A field without its quotes and the blanks around it.
@unsafe struct CSVField {
    let text: UnsafeBufferPointer<UInt8>
    /// Whether it stands in quotes.
    var isQuoted = false
    /// Whether quotes in it are doubled.
    var hasQuotes = false

    var string: String {
        let string = unsafe String(decoding: text, as: UTF8.self)
        if unsafe !hasQuotes { return string }
        return string.split(separator: "\"\"", omittingEmptySubsequences: false).joined(separator: "\"")
    }

    /// What is wrong with the bytes as text; nil where nothing is. Texts in another encoding would become one and the same.
    var fault: String? {
        if unsafe text.contains(0) { return "a zero byte" }
        return unsafe String(validating: text, as: UTF8.self) == nil ? "text that is not UTF-8" : nil
    }

    /// Whether this stands for no value: nothing at all, `NA`, `N/A`, `NaN`, `null` or `?`.
    var isMissing: Bool {
        if unsafe text.isEmpty { return true }
        if unsafe text.count > 4 || text[0] | 0x20 != UInt8(ascii: "n") && text[0] != UInt8(ascii: "?") { return false }
        return unsafe ["na", "n/a", "nan", "null", "?"].contains(String(decoding: text, as: UTF8.self).lowercased())
    }

    /// Text without the blanks around it.
    static func trimmed(_ text: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
        let isBlank = { isSpace($0) || $0 == UInt8(ascii: "\n") }
        guard let first = unsafe text.firstIndex(where: { !isBlank($0) }),
            let last = unsafe text.lastIndex(where: { !isBlank($0) })
        else { return unsafe UnsafeBufferPointer(start: nil, count: 0) }
        return unsafe UnsafeBufferPointer(rebasing: text[first...last])
    }
}

/// A place in the text, from which fields are read one by one.
@unsafe struct CSVCursor {
    /// The start of all text, from which faults are counted.
    let base: UnsafePointer<UInt8>
    /// The end of a record or of the text; 32 bytes from here are readable, and no digit follows the end of the text.
    let end: UnsafePointer<UInt8>
    let separator: UInt8
    var p: UnsafePointer<UInt8>

    /// Whether a field ends here; a carriage return before a newline is skipped.
    @inline(__always) static func endsField(
        _ q: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ separator: UInt8
    ) -> Bool {
        let byte = unsafe q[0]
        if byte == separator || byte == UInt8(ascii: "\n") { return true }
        if unsafe q >= end { return true }
        if unsafe byte == UInt8(ascii: "\r") && (q[1] == UInt8(ascii: "\n") || q + 1 >= end) {
            unsafe q += 1
            return true
        }
        return false
    }

    /// Moves past blank lines; false at the end of the text.
    mutating func startRecord() -> Bool {
        while unsafe p < end {
            if unsafe p[0] == UInt8(ascii: "\n") {
                unsafe p += 1
            } else if unsafe p[0] == UInt8(ascii: "\r") && p[1] == UInt8(ascii: "\n") {
                unsafe p += 2
            } else {
                return true
            }
        }
        return false
    }

    /// Whether the field before was the last of its record; moves to the next field or record.
    mutating func endRecord() -> Bool {
        if unsafe p >= end { return true }
        let isLast = unsafe p[0] == UInt8(ascii: "\n")
        unsafe p += 1
        return isLast
    }

    /// The next field, whatever it is; stands at the separator, newline or end behind it afterwards.
    mutating func field() throws(CSVFault) -> CSVField {
        let start = unsafe p
        unsafe skipBlanks()
        if unsafe p < end && p[0] == UInt8(ascii: "\"") { return unsafe try quotedField(start) }
        let first = unsafe p
        var q = unsafe p
        var bareReturn = unsafe p
        while unsafe !Self.endsField(&q, end, separator) {
            if unsafe q[0] == UInt8(ascii: "\"") {
                throw unsafe fault(start, "a quote inside a field without quotes")
            }
            if unsafe q[0] == UInt8(ascii: "\r") { unsafe bareReturn = unsafe q }
            unsafe q += 1
        }
        unsafe p = unsafe q
        // A carriage return, or blanks, before the end.
        while unsafe q > first && (isSpace(q[-1])) { unsafe q -= 1 }
        if unsafe bareReturn < q && bareReturn[0] == UInt8(ascii: "\r") {
            throw unsafe CSVFault(
                position: start - base, found: "a carriage return without a newline",
                expected: "lines that end with a newline, or with a carriage return and a newline")
        }
        return unsafe CSVField(text: UnsafeBufferPointer(start: first, count: q - first))
    }

    private mutating func quotedField(_ start: UnsafePointer<UInt8>) throws(CSVFault) -> CSVField {
        let first = unsafe p + 1
        var q = unsafe first
        var hasQuotes = false
        while true {
            guard let quote = unsafe memchr(q, 0x22, end - q) else {
                throw unsafe fault(start, "a quoted field that does not end")
            }
            let last = unsafe UnsafePointer(quote.assumingMemoryBound(to: UInt8.self))
            if unsafe last + 1 < end && last[1] == UInt8(ascii: "\"") {
                hasQuotes = true
                unsafe q = unsafe last + 2
                continue
            }
            unsafe p = unsafe last + 1
            unsafe skipBlanks()
            if unsafe !Self.endsField(&p, end, separator) {
                throw unsafe fault(start, "text behind the quotes of a field")
            }
            return unsafe CSVField(
                text: UnsafeBufferPointer(start: first, count: last - first), isQuoted: true, hasQuotes: hasQuotes)
        }
    }

    private mutating func skipBlanks() {
        while unsafe p < end && p[0] != separator && (p[0] == UInt8(ascii: " ") || p[0] == UInt8(ascii: "\t")) {
            unsafe p += 1
        }
    }

    private func fault(_ p: UnsafePointer<UInt8>, _ found: String) -> CSVFault {
        unsafe CSVFault(
            position: p - base, found: found,
            expected: "a field in quotes, the quotes inside it doubled, before a separator or the end of the line")
    }
}
