// The header of a NumPy array, versions 1 to 3. The reading thread.

internal import Platform

/// What the header says; a dictionary in Python's syntax behind the magic bytes, the version and its length.
struct NPYHeader {
    let shape: [Int]
    let type: NumberType
    let isColumnMajor: Bool

    static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

    init(name: String, _ bytes: ByteReader) throws(InputError) {
        let start = try bytes.header(8)
        guard start.starts(with: Self.magic), start.count == 8 else {
            throw InputError(
                at: name, found: start.isEmpty ? "an empty file" : "first bytes \(hexadecimal(start))",
                expected: "a NumPy array: 93 4e 55 4d 50 59")
        }
        guard (1...3).contains(start[6]) else {
            throw InputError(at: name, found: "version \(start[6]) of the NPY format", expected: "version 1, 2 or 3")
        }
        let lengthBytes = try bytes.header(start[6] == 1 ? 2 : 4)
        let length = lengthBytes.reversed().reduce(0) { $0 << 8 | Int($1) }
        let text = try bytes.header(min(length, 1 << 20))
        guard lengthBytes.count == (start[6] == 1 ? 2 : 4), text.count == length else {
            throw InputError(
                at: name, found: "a header of \(text.count) bytes", expected: "a NumPy header of \(length) bytes")
        }
        let header = String(decoding: text, as: UTF8.self)
        func malformed(_ key: String) -> InputError {
            InputError(
                at: name, found: "a header without a usable '\(key)'",
                expected: "{'descr': '<f4', 'fortran_order': False, 'shape': (ROWS, COLUMNS)} or the like")
        }
        guard let description = Self.value(of: "descr", in: header) else { throw malformed("descr") }
        type = try Self.type(description, name: name)
        switch Self.value(of: "fortran_order", in: header).map({ $0.prefix { $0.isLetter } }) {
        case "True": isColumnMajor = true
        case "False": isColumnMajor = false
        default: throw malformed("fortran_order")
        }
        guard let tuple = Self.value(of: "shape", in: header), tuple.first == "(", let end = tuple.firstIndex(of: ")")
        else { throw malformed("shape") }
        var shape: [Int] = []
        for part in tuple[..<end].dropFirst().split(separator: ",") {
            var digits = part.drop { $0 == " " }
            while digits.last == " " { digits.removeLast() }
            if digits.isEmpty { continue }
            // As Python 2 writes its long numbers.
            if digits.last == "L" { digits.removeLast() }
            guard let extent = Int(digits), extent >= 0 else { throw malformed("shape") }
            shape.append(extent)
        }
        self.shape = shape
    }

    /// The text behind `'key':`; nil where there is none, or more than one.
    private static func value(of key: String, in header: String) -> Substring? {
        var values: [Substring] = []
        for quote in ["'", "\""] {
            let parts = header.split(separator: "\(quote)\(key)\(quote)", omittingEmptySubsequences: false)
            for part in parts.dropFirst() {
                let rest = header[part.startIndex...].drop { $0 == " " }
                if rest.first == ":" { values.append(rest.dropFirst().drop { $0 == " " }) }
            }
        }
        return values.count == 1 ? values[0] : nil
    }

    private static func type(_ description: Substring, name: String) throws(InputError) -> NumberType {
        let accepted = "numbers: f2, f4, f8, i1 to i8, u1 to u8 or bool"
        guard let quote = description.first, quote == "'" || quote == "\"",
            let end = description.dropFirst().firstIndex(of: quote)
        else { throw InputError(at: name, found: "an array of records", expected: accepted) }
        let code = description[..<end].dropFirst()
        let order = code.first.flatMap { "<>=|".contains($0) ? $0 : nil }
        let kindAndSize = order == nil ? code : code.dropFirst()
        if kindAndSize.first == "O" {
            throw InputError(
                at: name, found: "an array of Python objects (dtype '\(code)'), which holds pickled code",
                expected: accepted)
        }
        let kinds: [Character: NumberType.Kind] = ["f": .real, "i": .signed, "u": .unsigned, "b": .truth]
        let sizes: [NumberType.Kind: [Int]] = [
            .real: [2, 4, 8], .signed: [1, 2, 4, 8], .unsigned: [1, 2, 4, 8], .truth: [1],
        ]
        guard let letter = kindAndSize.first, let kind = kinds[letter], let size = Int(kindAndSize.dropFirst()),
            sizes[kind]!.contains(size)
        else { throw InputError(at: name, found: "an array of dtype '\(code)'", expected: accepted) }
        return NumberType(kind: kind, byteCount: size, isBigEndian: order == ">")
    }
}
