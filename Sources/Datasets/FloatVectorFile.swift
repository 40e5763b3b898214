// One vector of float32 in a file: raw, or NumPy's format for reading. The thread that reads or writes it.

public import Platform

/// A file of float32, little-endian, one after the other (`.f32`).
public enum FloatVectorFile {
    private static let expected = "float32, raw and little-endian or a NumPy array '<f4' of one dimension"
    /// The first bytes of NumPy's format.
    private static let magic: [UInt8] = [0x93] + "NUMPY".utf8

    /// The finite numbers of `path`, or of standard input for `-`: raw, or an NPY file of a one-dimensional `<f4` array.
    ///
    /// Throws `InputError` with the first element that is not finite, or with what else the file is.
    public static func read(_ path: String) throws(InputError) -> [Float] {
        // A zero byte stands behind them.
        let bytes = try TextFile(path, expected: "a file of \(expected)").contents().dropLast()
        let name = path == "-" ? "standard input" : path
        let isNumPy = bytes.starts(with: magic)
        let content = isNumPy ? try numPyContent(bytes, name: name) : bytes
        guard content.count.isMultiple(of: 4), !content.isEmpty else {
            throw InputError(at: name, found: "\(content.count) bytes", expected: expected)
        }
        var values: [Float] = []
        values.reserveCapacity(content.count / 4)
        for at in stride(from: content.startIndex, to: content.endIndex, by: 4) {
            let word = (0..<4).reduce(UInt32(0)) { $0 | UInt32(content[at + $1]) << (8 * $1) }
            let value = Float(bitPattern: word)
            guard value.isFinite else {
                throw InputError(at: "\(name), element \(values.count)", found: "\(value)", expected: "a finite number")
            }
            values.append(value)
        }
        return values
    }

    /// Writes the numbers raw, as `AtomicFile` does.
    public static func write(_ values: [Float], to path: String, option: String? = nil) throws {
        let words = values.map(\.bitPattern.littleEndian)
        var file = try AtomicFile(replacing: path, option: option)
        try unsafe file.write(words.span.bytes)
        try file.commit()
    }

    /// What follows the head of an NPY file of version 1, 2 or 3, whose length the head must give.
    private static func numPyContent(_ bytes: ArraySlice<UInt8>, name: String) throws(InputError) -> ArraySlice<UInt8> {
        let start = bytes.startIndex + magic.count
        guard bytes.count > 12, (1...3).contains(bytes[start]) else {
            throw InputError(at: name, found: "the start of a NumPy file", expected: expected)
        }
        let lengthBytes = bytes[start] == 1 ? 2 : 4
        let length = (0..<lengthBytes).reduce(0) { $0 | Int(bytes[start + 2 + $1]) << (8 * $1) }
        let text = bytes[(start + 2 + lengthBytes)...].prefix(length)
        let content = bytes[text.endIndex...]
        let head = String(decoding: text, as: UTF8.self).filter { $0 != " " && $0 != "\n" }
        guard head.contains("'descr':'<f4'"),
            ["", "L"].contains(where: { head.contains("'shape':(\(content.count / 4)\($0),)") })
        else {
            let shown = head.filter { !$0.isNewline }.prefix(100)
            throw InputError(at: name, found: "a NumPy array \(shown)", expected: expected)
        }
        return content
    }
}
