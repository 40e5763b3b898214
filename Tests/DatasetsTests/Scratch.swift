import Datasets
import Foundation
import Platform
import Testing

/// A folder of a test's own, removed at the end of its life.
final class Scratch: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "relaxed-datasets-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
        let file = path + "/" + name
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        return file
    }

    func file(_ name: String, _ text: String) throws -> String { try file(name, text.utf8) }

    /// Tools that compress, and whether a test that needs them can run.
    static let compressors = ["gzip", "bzip2", "xz", "zstd"]
    static let hasGzip = path(of: "gzip") != nil
    static let hasCompressors = compressors.allSatisfy { path(of: $0) != nil }

    private static func path(of tool: String) -> String? {
        ["/usr/bin/", "/bin/"].map { $0 + tool }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// What a system tool makes of a file.
    func output(of tool: String, _ arguments: String...) throws -> Data {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Self.path(of: tool), "\(tool) is not installed"))
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return data
    }
}

/// A reader with as many unpinned workers.
func reader(workers: Int = 1, roundBytes: Int = 16 << 20, chunkBytes: Int = 256 << 10) throws -> LIBSVMReader {
    var reader = LIBSVMReader(team: try WorkerTeam(placement: .unpinned(workers: workers)))
    reader.roundBytes = roundBytes
    reader.chunkBytes = chunkBytes
    return reader
}

/// All rows, to compare data sets.
func contents(_ data: SparseDataset) -> [String] {
    (0..<data.rowCount).map { "\(data.label(ofRow: $0)) \(data.features(ofRow: $0))" }
}
