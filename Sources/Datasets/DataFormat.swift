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
        if tokens.count > 1 && isPair(tokens[1], behind: tokens[0]) { return false }
        return CSVSyntax.separators.contains { $0 != UInt8(ascii: "\t") && line.contains($0) }
            || line.contains(UInt8(ascii: "\t")) && !line.contains(UInt8(ascii: ":"))
    }

    /// Whether this is INDEX:VALUE. A comma may stand in the fraction, which reading refuses, where the label is a number: else it ends
    /// a field, such as one with a time of day.
    private static func isPair(_ token: ArraySlice<UInt8>, behind label: ArraySlice<UInt8>) -> Bool {
        let isDigit = { (byte: UInt8) in byte &- 48 < 10 }
        guard token.first.map(isDigit) == true, token.contains(UInt8(ascii: ":")) else { return false }
        if !token.contains(UInt8(ascii: ",")) { return true }
        let value = token.drop(while: isDigit).dropFirst()
        let fraction = value.drop(while: isDigit)
        return !value.isEmpty && fraction.first == UInt8(ascii: ",") && fraction.dropFirst().allSatisfy(isDigit)
            && Double(String(decoding: label, as: UTF8.self)) != nil
    }
}
