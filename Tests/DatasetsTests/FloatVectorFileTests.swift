import Datasets
import Foundation
import Platform
import Testing

@Suite struct FloatVectorFileTests {
    private let values: [Float] = [1, -2.5, 0, -0.0, .leastNonzeroMagnitude, 3e38]

    private func numPy(_ head: String, version: UInt8 = 1, content: [UInt8]) -> [UInt8] {
        let padded = head + String(repeating: " ", count: 63 - (head.utf8.count + 10) % 64) + "\n"
        let length = padded.utf8.count
        let size = (0..<(version == 1 ? 2 : 4)).map { UInt8(length >> (8 * $0) & 255) }
        return [0x93] + "NUMPY".utf8 + [version, 0] + size + padded.utf8 + content
    }

    private func bytes(_ values: [Float]) -> [UInt8] {
        values.flatMap { value in (0..<4).map { UInt8(value.bitPattern >> (8 * $0) & 255) } }
    }

    @Test func `what was written is read back to the bit, and lies little-endian in the file`() throws {
        let scratch = try Scratch()
        let file = scratch.path + "/v.f32"
        try FloatVectorFile.write(values, to: file)
        #expect(try Array(Data(contentsOf: URL(fileURLWithPath: file))) == bytes(values))
        #expect(try FloatVectorFile.read(file).map(\.bitPattern) == values.map(\.bitPattern))
    }

    @Test(arguments: [1, 2, 3] as [UInt8])
    func `an array that NumPy saved is read`(version: UInt8) throws {
        let scratch = try Scratch()
        let head = "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }"
        let file = try scratch.file("v.npy", numPy(head, version: version, content: bytes(values)))
        #expect(try FloatVectorFile.read(file).map(\.bitPattern) == values.map(\.bitPattern))
    }

    @Test func `another array, another length and numbers that are not finite are refused`() throws {
        let scratch = try Scratch()
        let content = bytes(values)
        let files: [([UInt8], String)] = [
            ([], "0 bytes"), (content + [1], "25 bytes"), (bytes([1, .nan]), "element 1: found nan"),
            (numPy("{'descr': '<f8', 'fortran_order': False, 'shape': (6,), }", content: content), "<f8"),
            (numPy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }", content: content), "(3,2)"),
            (numPy("{'descr': '<f4', 'fortran_order': False, 'shape': (7,), }", content: content), "(7,)"),
            (numPy("{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }", content: []), "0 bytes"),
            (numPy("{'descr': '<f4'", version: 4, content: content), "the start of a NumPy file"),
            ([0x93] + "NUMPY".utf8 + [1, 0, 255, 255, 0x41], "a NumPy array"),
        ]
        for (bytes, found) in files {
            let file = try scratch.file("v", bytes)
            let error = #expect(throws: InputError.self) { try FloatVectorFile.read(file) }
            #expect(error?.description.contains(found) == true, "\(String(describing: error)), not \(found)")
        }
    }
}
