// The compressions that are undone, and files that are taken for none of data. Whoever opens a file.

internal import Platform

/// The compressions that are recognised, by the first bytes of the file; the raw value is the usual end of its name.
enum FileCompression: String, CaseIterable {
    case gzip = ".gz"
    case bzip2 = ".bz2"
    case xz = ".xz"
    case zstd = ".zst"

    /// Bytes that tell.
    static let headBytes = 10

    /// The compression of a file that begins so, or nil.
    init?(head: [UInt8]) {
        guard let compression = Self.allCases.first(where: { $0.begins(head) }) else { return nil }
        self = compression
    }

    private func begins(_ head: [UInt8]) -> Bool {
        switch self {
        case .gzip: return head.starts(with: [0x1F, 0x8B])
        case .bzip2:
            // "BZh" and the size of a block could begin a text, too: the number pi of a block, or its root at the end.
            guard head.starts(with: [0x42, 0x5A, 0x68]), head.count > 3, (0x31...0x39).contains(head[3]) else {
                return false
            }
            let rest = head.dropFirst(4)
            return [[0x31, 0x41, 0x59, 0x26, 0x53, 0x59], [0x17, 0x72, 0x45, 0x38, 0x50, 0x90]].contains {
                (mark: [UInt8]) in
                rest.starts(with: mark.prefix(rest.count))
            }
        case .xz: return head.starts(with: [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00])
        case .zstd: return head.starts(with: [0x28, 0xB5, 0x2F, 0xFD])
        }
    }

    /// What a file is that begins so and that no text does; nil where it may be data.
    static func unknown(head: [UInt8]) -> String? {
        let marks: [(String, [UInt8])] = [
            ("lz4", [0x04, 0x22, 0x4D, 0x18]), ("lzip", Array("LZIP\u{1}".utf8)), ("compress (.Z)", [0x1F, 0x9D]),
            ("7z", [0x37, 0x7A, 0xBC, 0xAF]), ("RAR", Array("Rar!\u{1A}".utf8)), ("Parquet", Array("PAR1\u{15}".utf8)),
            ("Arrow", Array("ARROW1\0".utf8)), ("HDF5", [0x89, 0x48, 0x44, 0x46]), ("PDF", Array("%PDF-".utf8)),
        ]
        return marks.first { head.starts(with: $0.1) }?.0
    }

    /// Moves past the frames before a zstd file that hold none of its data, as pzstd writes them; says whether there are any.
    static func skipFrames(of blocks: ByteBlocks) throws(InputError) -> Bool {
        var isAny = false
        while true {
            // 0x184D2A50 to 0x184D2A5F and the number of bytes that follow, both little-endian.
            let head = try blocks.head(8)
            guard head.count >= 4, head[0] & 0xF0 == 0x50, Array(head[1...3]) == [0x2A, 0x4D, 0x18] else {
                return isAny
            }
            isAny = true
            let length = head.dropFirst(4).reversed().reduce(0) { $0 << 8 | Int($1) }
            guard head.count == 8, try blocks.discard(8 + length) else {
                throw blocks.broken("zstd data that are cut off")
            }
        }
    }
}
