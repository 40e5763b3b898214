// The binary cache of a data set: the arrays as they are in memory, behind a header that says of which source. The reading
// thread writes; all workers load.
//
// Layout, little-endian: `CacheHeader` (eighteen 8-byte words), 8-byte row offsets (rows + 1), 4-byte indices, float
// values, float labels; where these do not hold all labels, those as 8-byte floats, and where these do not either, 2-byte
// integers of what they lack.

internal import Glibc
internal import Platform

/// The file of a cache.
struct DatasetCache {
    let path: String

    /// Replaces the cache; readers see the old one or the new one, never a part.
    func write(_ dataset: SparseDataset, textBytes: Int, stamp: SourceStamp) throws {
        var file = try AtomicFile(replacing: path, option: "--cache")
        var header = CacheHeader(dataset, textBytes: textBytes, stamp: stamp)
        let sections = unsafe CacheSection.all(
            header, dataset.rows, dataset.labels.doubles, dataset.labels.remainders.baseAddress)
        for k in unsafe sections.indices { header.checksums[k] = unsafe Checksum.of(sections[k].content) }
        try unsafe file.write(header.words.span.bytes)
        for k in unsafe sections.indices {
            try unsafe file.write(sections[k].content.bytes)
        }
        withExtendedLifetime(dataset) {}
        try file.commit()
    }

    /// The data set, or nil where there is no cache, or one of another state of the source or another version.
    ///
    /// Throws where the file is no cache, or one that is cut off or damaged.
    func load(
        name: String, stamp: SourceStamp, team: WorkerTeam
    ) throws(InputError) -> (dataset: SparseDataset, textBytes: Int)? {
        // Opening a pipe must not wait for somebody to write to it.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        // A name that is too long is none of a file.
        if descriptor < 0 && (errno == ENOENT || errno == ENAMETOOLONG) { return nil }
        defer { if descriptor >= 0 { close(descriptor) } }
        var status = stat()
        guard unsafe descriptor >= 0 && fstat(descriptor, &status) == 0 else {
            throw refusal(unsafe String(cString: strerror(errno)).lowercased())
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw refusal("what is no regular file") }
        var words = [UInt64](repeating: 0, count: CacheHeader.wordCount)
        let headerBytes = unsafe pread(descriptor, &words, CacheHeader.byteCount, 0)
        guard headerBytes >= 16, words[0] == CacheHeader.magic else { throw refusal("a file that is no cache") }
        if words[1] != CacheHeader.version { return nil }
        let header = CacheHeader(words: words)
        guard headerBytes == CacheHeader.byteCount, words == header.words, header.fileBytes == Int(status.st_size)
        else {
            throw refusal("a cache that is cut off or damaged")
        }
        if header.stamp != stamp { return nil }

        let rowOffsets = try PageBuffer<Int>(count: header.rowCount + 1)
        let indices = try PageBuffer<UInt32>(count: header.nonzeroCount)
        let values = try PageBuffer<Float>(count: header.nonzeroCount)
        let labels = try PageBuffer<Float>(count: header.rowCount)
        let doubles = try PageBuffer<Double>(count: header.doubleCount)
        let remainders = try PageBuffer<Int16>(count: header.remainderCount)
        let rows = unsafe CSRRows(
            rowOffsets: rowOffsets.pointer, indices: indices.pointer, values: values.pointer, labels: labels.pointer,
            rowCount: header.rowCount)
        let sections = unsafe CacheSection.all(header, rows, doubles.pointer, remainders.pointer)
        let checksums = unsafe read(sections, from: descriptor, team)
        guard checksums == header.checksums, unsafe isSound(rows, doubles.pointer, header, team)
        else { throw refusal("a cache that is damaged") }
        let dataset = SparseDataset(
            name: name, featureCount: header.featureCount,
            nonzeros: NonzeroPages(rowOffsets: rowOffsets, indices: indices, values: values),
            labels: header.doubleCount == 0
                ? LabelPages(labels) : LabelPages(labels, ExactLabels(values: doubles, remainders: remainders)))
        return (dataset, header.textBytes)
    }

    /// Each worker reads its share of every section; their checksums, or nil where the file cannot be read to its end.
    private func read(_ sections: [CacheSection], from descriptor: Int32, _ team: WorkerTeam) -> [UInt64]? {
        let checksums = unsafe Locked<[UInt64]?>(Array(repeating: 0, count: sections.count))
        // Each rank fills blocks of its own.
        nonisolated(unsafe) let sections = unsafe sections
        team.run { rank in
            for k in unsafe sections.indices {
                let section = unsafe sections[k]
                let blocks = unsafe (section.content.count + Checksum.blockBytes - 1) / Checksum.blockBytes
                var sum: UInt64 = 0
                for number in blocks * rank / team.count..<blocks * (rank + 1) / team.count {
                    let begin = number * Checksum.blockBytes
                    let end = unsafe min(section.content.count, begin + Checksum.blockBytes)
                    let block = unsafe UnsafeRawBufferPointer(rebasing: section.content[begin..<end])
                    guard unsafe fill(block, from: descriptor, at: section.position + begin) else {
                        checksums.withLock { $0 = nil }
                        return
                    }
                    unsafe sum &+= Checksum.ofBlock(number, block)
                }
                checksums.withLock { $0?[k] &+= sum }
            }
        }
        return checksums.withLock { $0 }
    }

    /// Reads a block from its place in the file; false where the file ends before.
    private func fill(_ block: UnsafeRawBufferPointer, from descriptor: Int32, at position: Int) -> Bool {
        var done = 0
        while done < block.count {
            let target = unsafe UnsafeMutableRawPointer(mutating: block.baseAddress! + done)
            let count = unsafe pread(descriptor, target, block.count - done, position + done)
            if count > 0 {
                done += count
            } else if count == 0 || errno != EINTR {
                return false
            }
        }
        return true
    }

    /// Whether the arrays are what a reader would have made, so that damage cannot lead outside them later.
    private func isSound(
        _ rows: CSRRows, _ doubles: UnsafePointer<Double>, _ header: CacheHeader, _ team: WorkerTeam
    ) -> Bool {
        let isSound = unsafe Locked(
            rows.rowOffsets[0] == 0 && rows.rowOffsets[header.rowCount] == header.nonzeroCount
                && header.featureCount <= Int(UInt32.max))
        // Only read.
        nonisolated(unsafe) let doubles = unsafe doubles
        team.run { rank in
            for row in header.rowCount * rank / team.count..<header.rowCount * (rank + 1) / team.count {
                let (begin, end) = unsafe (rows.rowOffsets[row], rows.rowOffsets[row + 1])
                var least = 0
                var isRowSound =
                    unsafe begin >= 0 && begin <= end && end <= header.nonzeroCount && rows.labels[row].isFinite
                    && (header.doubleCount == 0 || doubles[row].isFinite)
                if isRowSound {
                    for k in begin..<end {
                        let index = unsafe Int(rows.indices[k])
                        isRowSound = unsafe isRowSound && index >= least && rows.values[k].isFinite
                        least = index + 1
                    }
                }
                if !isRowSound || least > header.featureCount {
                    isSound.withLock { $0 = false }
                    return
                }
            }
        }
        return isSound.withLock { $0 }
    }

    private func refusal(_ found: String) -> InputError {
        InputError(at: path, found: found, expected: "a cache that `--cache` wrote, or no file there")
    }
}

/// Size and time of change of a source file: what a cache must agree with.
struct SourceStamp: Equatable {
    let bytes: Int
    let seconds: Int
    let nanoseconds: Int
}

extension SourceStamp {
    init(_ status: stat) {
        bytes = Int(status.st_size)
        seconds = Int(status.st_mtim.tv_sec)
        nanoseconds = Int(status.st_mtim.tv_nsec)
    }
}

/// The first bytes of a cache.
private struct CacheHeader {
    static let magic = UInt64(littleEndian: 0x3152_5343_4152_4C52)  // "RLRACSR1"
    static let version: UInt64 = 3
    static let wordCount = 18
    static let byteCount = wordCount * 8
    /// Above any count of a real data set, and far below overflow.
    private static let greatestCount: UInt64 = 1 << 48

    let stamp: SourceStamp
    let rowCount: Int
    let nonzeroCount: Int
    let featureCount: Int
    let textBytes: Int
    /// Labels as 8-byte floats, and integers of what these lack: as many as rows, or none.
    let doubleCount: Int
    let remainderCount: Int
    /// One per section, in the order of the file.
    var checksums: [UInt64] = [0, 0, 0, 0, 0, 0]

    init(_ dataset: SparseDataset, textBytes: Int, stamp: SourceStamp) {
        self.stamp = stamp
        rowCount = dataset.rowCount
        nonzeroCount = dataset.nonzeroCount
        featureCount = dataset.featureCount
        self.textBytes = textBytes
        doubleCount = unsafe dataset.labels.doubles == nil ? 0 : dataset.rowCount
        remainderCount = unsafe dataset.labels.remainders.count
    }

    /// From the words of a file; counts that cannot be are made such that `fileBytes` fits no file.
    init(words: [UInt64]) {
        func count(_ word: UInt64) -> Int { Int(min(word, Self.greatestCount)) }
        stamp = SourceStamp(
            bytes: Int(truncatingIfNeeded: words[2]), seconds: Int(truncatingIfNeeded: words[3]),
            nanoseconds: Int(truncatingIfNeeded: words[4]))
        rowCount = count(words[5])
        nonzeroCount = count(words[6])
        featureCount = count(words[7])
        textBytes = count(words[8])
        doubleCount = words[9] == 0 ? 0 : rowCount
        remainderCount = words[10] == 0 ? 0 : rowCount
        checksums = Array(words[11..<17])
    }

    /// The header as it stands in the file, its own checksum last.
    var words: [UInt64] {
        let numbers = [
            stamp.bytes, stamp.seconds, stamp.nanoseconds, rowCount, nonzeroCount, featureCount, textBytes, doubleCount,
            remainderCount,
        ]
        let words = [Self.magic, Self.version] + numbers.map { UInt64(truncatingIfNeeded: $0) } + checksums
        return words + [unsafe words.withUnsafeBytes { unsafe Checksum.of($0) }]
    }

    /// Bytes of the whole file.
    var fileBytes: Int {
        Self.byteCount + 8 * (rowCount + 1) + 8 * nonzeroCount + 4 * rowCount + 8 * doubleCount + 2 * remainderCount
    }
}

/// One array of a cache: where it lies in memory and in the file.
@unsafe private struct CacheSection {
    let content: UnsafeRawBufferPointer
    let position: Int

    /// The arrays in the order of the file.
    static func all(
        _ header: CacheHeader, _ rows: CSRRows, _ doubles: UnsafePointer<Double>?, _ remainders: UnsafePointer<Int16>?
    ) -> [CacheSection] {
        let arrays = unsafe [
            UnsafeRawBufferPointer(start: rows.rowOffsets, count: 8 * (header.rowCount + 1)),
            UnsafeRawBufferPointer(start: rows.indices, count: 4 * header.nonzeroCount),
            UnsafeRawBufferPointer(start: rows.values, count: 4 * header.nonzeroCount),
            UnsafeRawBufferPointer(start: rows.labels, count: 4 * header.rowCount),
            UnsafeRawBufferPointer(start: doubles, count: 8 * header.doubleCount),
            UnsafeRawBufferPointer(start: remainders, count: 2 * header.remainderCount),
        ]
        var position = CacheHeader.byteCount
        return unsafe arrays.map { content in
            defer { position += content.count }
            return unsafe CacheSection(content: content, position: position)
        }
    }
}
