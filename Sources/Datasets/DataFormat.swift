// Which format data are in, told from their first bytes. Any thread.

/// The formats that data sets come in.
public enum DataFormat: String, Sendable, CaseIterable {
    /// Sparse rows LABEL INDEX:VALUE ….
    case libsvm
    /// Rows of fields between commas, semicolons or tabs.
    case csv
    /// Arrays of the MNIST family.
    case idx
    /// One NumPy array.
    case npy
    /// NumPy arrays in a zip file.
    case npz

    /// Whether the data become a matrix, read by `DenseReader`.
    public var isDense: Bool { self != .libsvm }

    /// The format of data that begin so, behind a byte order mark; the name decides where text could be either.
    ///
    /// Text is CSV where the file is called so, or where its first line has a separator and no `INDEX:VALUE` behind a label.
    init(head: [UInt8], name: String) {
        if head.starts(with: NPYHeader.magic) {
            self = .npy
        } else if head.starts(with: [0x50, 0x4B, 3, 4]) || head.starts(with: [0x50, 0x4B, 5, 6]) {
            self = .npz
        } else if head.count >= 4 && head[0] == 0 && head[1] == 0 && head[3] > 0 {
            self = .idx
        } else {
            var stem = Substring(name.lowercased())
            for compression in FileCompression.allCases where stem.hasSuffix(compression.rawValue) {
                stem = stem.dropLast(compression.rawValue.utf8.count)
            }
            let isNamedSo = stem.hasSuffix(".csv") || stem.hasSuffix(".tsv")
            self = isNamedSo || Self.looksLikeCSV(head) ? .csv : .libsvm
        }
    }

    private static func looksLikeCSV(_ head: [UInt8]) -> Bool {
        let lines = head.split(separator: UInt8(ascii: "\n")).lazy.filter { line in
            guard let first = line.first(where: { !isSpace($0) }) else { return false }
            return first != UInt8(ascii: "#")
        }
        guard let line = lines.first else { return false }
        let tokens = line.split(whereSeparator: isSpace)
        let isPair = tokens.count > 1 && tokens[1].first.map { $0 &- 48 < 10 } == true
        if isPair && tokens[1].contains(UInt8(ascii: ":")) && !tokens[1].contains(UInt8(ascii: ",")) { return false }
        return CSVSyntax.separators.contains { $0 != UInt8(ascii: "\t") && line.contains($0) }
            || line.contains(UInt8(ascii: "\t")) && !line.contains(UInt8(ascii: ":"))
    }
}
