import Datasets
import Foundation
import Platform

/// Reads dense data with as many unpinned workers.
func dense(
    _ path: String, workers: Int = 1, chunkBytes: Int = 256 << 10, format: DataFormat? = nil,
    _ configure: (inout DenseReader.Options) -> Void = { _ in }
) throws -> DenseDataset {
    var options = DenseReader.Options()
    configure(&options)
    var reader = DenseReader(team: try WorkerTeam(placement: .unpinned(workers: workers)), options: options)
    reader.chunkBytes = chunkBytes
    return try reader.read(try DataInput(path, format: format)).dataset
}

extension DenseDataset {
    /// All values, row by row.
    var allValues: [[Double]] { (0..<rowCount).map { values(ofRow: $0) } }

    var allLabels: [Float] { (0..<rowCount).map { label(ofRow: $0) } }

    var columnNames: [String] { columns.map(\.name) }
}

/// An IDX file with one byte for each of `shape`.
func idx(_ type: UInt8, _ shape: [Int], _ numbers: [UInt8]) -> [UInt8] {
    [0, 0, type, UInt8(shape.count)] + shape.flatMap { bigEndian($0, 4) } + numbers
}

func bigEndian(_ value: Int, _ bytes: Int) -> [UInt8] {
    (0..<bytes).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
}

/// A NumPy array: version, the dictionary as Python writes it, and the numbers.
func npy(_ type: String, _ shape: String, _ numbers: [UInt8], order: String = "False", version: UInt8 = 1) -> [UInt8] {
    let header = Array("{'descr': '\(type)', 'fortran_order': \(order), 'shape': \(shape), }   \n".utf8)
    let length = bigEndian(header.count, version == 1 ? 2 : 4).reversed()
    return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + header + numbers
}

/// A zip file of stored entries, without a directory at its end; CRC-32 as zip has it.
func zip(_ entries: [(name: String, bytes: [UInt8])]) -> [UInt8] {
    func littleEndian(_ value: Int, _ bytes: Int) -> [UInt8] { bigEndian(value, bytes).reversed() }
    var file: [UInt8] = []
    var directory: [UInt8] = []
    for (name, bytes) in entries {
        var remainder: UInt32 = ~0
        for byte in bytes {
            remainder ^= UInt32(byte)
            for _ in 0..<8 { remainder = remainder >> 1 ^ (remainder & 1 == 1 ? 0xEDB8_8320 : 0) }
        }
        let offset = file.count
        let common =
            littleEndian(20, 2) + littleEndian(0, 8) + littleEndian(Int(~remainder), 4) + littleEndian(bytes.count, 4)
            + littleEndian(bytes.count, 4) + littleEndian(name.utf8.count, 2) + littleEndian(0, 2)
        file += [0x50, 0x4B, 3, 4] + common + Array(name.utf8) + bytes
        directory += [0x50, 0x4B, 1, 2] + littleEndian(20, 2) + common
        directory += littleEndian(0, 2) + littleEndian(0, 2) + littleEndian(0, 2) + littleEndian(0, 4)
        directory += littleEndian(offset, 4) + Array(name.utf8)
    }
    let start = file.count
    return file + directory + [0x50, 0x4B, 5, 6] + littleEndian(0, 4) + littleEndian(entries.count, 2)
        + littleEndian(entries.count, 2) + littleEndian(directory.count, 4) + littleEndian(start, 4)
        + littleEndian(0, 2)
}
