// A data set by the name the user gave it: text, or its binary cache where one is asked for. The reading thread.

internal import Glibc
public import Platform

/// A file of LIBSVM text, plain or compressed, or standard input; with the cache that may stand for it.
public struct DatasetFile: Sendable {
    /// Whether to use a binary cache.
    public enum Cache: Sendable, Equatable {
        case none
        /// `FILE.csr` beside the source.
        case besideSource
        case at(String)
    }

    /// A data set, and what it took to load it.
    public struct Loaded: Sendable {
        public let dataset: SparseDataset
        /// Bytes of uncompressed text that the rows were.
        public let textBytes: Int
        /// Seconds of reading, or of loading the cache.
        public let seconds: Double
        /// Whether the rows come from the cache.
        public let isFromCache: Bool
        /// Why there is no cache beside the source now, though one was asked for.
        public let cacheFailure: String?
    }

    /// The path, or `-` for standard input.
    public let path: String
    public let cache: Cache

    public init(_ path: String, cache: Cache = .none) {
        self.path = path
        self.cache = cache
    }

    /// Loads the rows with all workers of the team.
    ///
    /// With a cache: takes it where it agrees with the size and time of the source, otherwise reads the source and writes it.
    /// Where `besideSource` cannot be written the rows are all the same there, and `cacheFailure` says why.
    /// Throws `InputError` as `LIBSVMReader.read` does, or where a cache is asked of what is no regular file or is damaged; and
    /// `FileWriteError` where one with a path of its own cannot be written.
    ///
    /// `input` is the same data where they are already open; they are read from there unless a cache serves.
    public func load(team: WorkerTeam, from input: DataInput? = nil) throws -> Loaded {
        let start = monotonicNanoseconds()
        func loaded(
            _ result: (dataset: SparseDataset, textBytes: Int), seconds: Double? = nil, isFromCache: Bool = false,
            cacheFailure: String? = nil
        ) -> Loaded {
            Loaded(
                dataset: result.dataset, textBytes: result.textBytes,
                seconds: seconds ?? Double(monotonicNanoseconds() - start) / 1e9, isFromCache: isFromCache,
                cacheFailure: cacheFailure)
        }
        let cacheFile = try cacheFile()
        func read() throws(InputError) -> (dataset: SparseDataset, textBytes: Int) {
            let reader = LIBSVMReader(team: team)
            if let input { return try reader.read(input) }
            return try reader.read(path)
        }
        guard let cache = cacheFile else { return loaded(try read()) }
        let stamp = try TextFile(path).stamp
        if let result = try cache.load(name: path, stamp: stamp, team: team) {
            return loaded(result, isFromCache: true)
        }
        // What the user named is refused before the reading.
        if self.cache != .besideSource { try AtomicFile.check(cache.path, option: "--cache") }
        let result = try read()
        let seconds = Double(monotonicNanoseconds() - start) / 1e9
        do {
            try cache.write(result.dataset, textBytes: result.textBytes, stamp: stamp)
        } catch  where self.cache == .besideSource {
            return loaded(result, seconds: seconds, cacheFailure: "\(error)")
        }
        return loaded(result, seconds: seconds)
    }

    private func cacheFile() throws(InputError) -> DatasetCache? {
        if cache == .none { return nil }
        if !isRegularFile {
            throw InputError(
                at: "--cache", found: path == "-" ? "standard input" : "\(path), which is no regular file",
                expected: "a file, whose changes a cache can notice")
        }
        if case .at(let path) = cache { return DatasetCache(path: path) }
        return DatasetCache(path: path + ".csr")
    }

    /// Looks without opening, which would wait for the writer of a pipe; what is not there, or a folder, opening refuses.
    private var isRegularFile: Bool {
        // Whatever a descriptor stands for now, the next time it is another file.
        if ["-", "/dev/stdin"].contains(path) || ["/dev/fd/", "/proc/self/fd/"].contains(where: path.hasPrefix) {
            return false
        }
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return true }
        return [S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT)
    }
}
