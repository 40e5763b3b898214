// The header of an IDX file, the format of the MNIST family. The reading thread.

internal import Platform

/// Two zero bytes, the type of the numbers, the number of dimensions, and each dimension as a big-endian 32-bit number.
struct IDXHeader {
    let shape: [Int]
    let type: NumberType

    private static let types: [UInt8: NumberType] = [
        0x08: NumberType(kind: .unsigned, byteCount: 1), 0x09: NumberType(kind: .signed, byteCount: 1),
        0x0B: NumberType(kind: .signed, byteCount: 2, isBigEndian: true),
        0x0C: NumberType(kind: .signed, byteCount: 4, isBigEndian: true),
        0x0D: NumberType(kind: .real, byteCount: 4, isBigEndian: true),
        0x0E: NumberType(kind: .real, byteCount: 8, isBigEndian: true),
    ]

    init(name: String, _ bytes: ByteReader) throws(InputError) {
        let magic = try bytes.header(4)
        guard magic.count == 4, magic[0] == 0, magic[1] == 0, let type = Self.types[magic[2]], magic[3] > 0 else {
            throw InputError(
                at: name, found: magic.isEmpty ? "an empty file" : "first bytes \(hexadecimal(magic))",
                expected: "an IDX file: 00 00, a type of 08, 09, 0b, 0c, 0d or 0e, and the number of dimensions")
        }
        let wanted = Int(magic[3]) * 4
        let extents = try bytes.header(wanted)
        guard extents.count == wanted else {
            throw InputError(
                at: name, found: "a file of \(4 + extents.count) bytes",
                expected: "at least \(4 + wanted), for a header with \(magic[3]) dimensions")
        }
        shape = (0..<Int(magic[3])).map { k in extents[4 * k..<4 * k + 4].reduce(0) { $0 << 8 | Int($1) } }
        self.type = type
    }

    /// Where the labels of a file of images are by custom: `…-labels-idx1-…` beside `…-images-idx3-…`, compressed or not.
    static func labelPaths(forImages path: String) -> [String] {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let folder = slash.map { String(path[...$0]) } ?? ""
        let file = slash.map { String(path[path.index(after: $0)...]) } ?? path
        guard file.contains("images") else { return [] }
        func replaced(_ text: String, _ old: String, _ new: String) -> String {
            text.split(separator: old, omittingEmptySubsequences: false).joined(separator: new)
        }
        let labels = replaced(replaced(file, "images", "labels"), "idx3", "idx1")
        var stem = labels
        for compression in FileCompression.allCases where stem.hasSuffix(compression.rawValue) {
            stem = String(stem.dropLast(compression.rawValue.count))
        }
        let others = [stem] + FileCompression.allCases.map { stem + $0.rawValue }
        return ([labels] + others.filter { $0 != labels }).map { folder + $0 }
    }
}

/// Bytes as `00 01 fe`.
func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
}
