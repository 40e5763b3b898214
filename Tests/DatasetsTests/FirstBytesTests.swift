import Datasets
import Foundation
import Platform
import Testing

/// What stands before and after data, and what files are that hold none.
@Suite struct FirstBytesTests {
    let scratch = try! Scratch()

    private let text = "1 1:0.5 9:2\n-1\n3 2:1 3:1e-3 7:7\n"
    private let skippable: [UInt8] = [0x5A, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 9, 9, 9]

    private func rows(_ bytes: some Sequence<UInt8>) throws -> [String] {
        contents(try reader(roundBytes: 16).read(scratch.file("data", bytes)).dataset)
    }

    @Test(.enabled(if: Scratch.hasCompressors, "gzip, bzip2, xz and zstd are not all installed"))
    func `zstd data may begin with frames to be skipped, and have them between`() throws {
        let plain = try rows(text.utf8)
        let frame = try scratch.output(of: "zstd", "-c", scratch.file("data", text))
        let second = try scratch.output(of: "zstd", "-c", scratch.file("data", "7 1:1\n"))
        #expect(try rows(skippable + frame) == plain && rows(skippable + skippable + frame) == plain)
        #expect(try rows(skippable + frame + skippable + second + skippable).count == plain.count + 1)
        for broken in [skippable + text.utf8, skippable.dropLast(1) + [], skippable + frame.dropLast(6), skippable] {
            #expect(throws: InputError.self) { try rows(broken) }
        }
    }

    @Test func `a byte order mark is no part of the rows`() throws {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        #expect(try rows(mark + text.utf8) == rows(text.utf8))
        #expect(try dense(scratch.file("data", mark + "a,b\n1,2\n".utf8)).columnNames == ["a", "b"])
        #expect(try DataInput(scratch.file("data", mark + text.utf8)).format == .libsvm)
        for (mark, order) in [([0xFF, 0xFE], String.Encoding.utf16LittleEndian), ([0xFE, 0xFF], .utf16BigEndian)] {
            let path = try scratch.file("data", mark.map { UInt8($0) } + text.data(using: order)!)
            let error = #expect(throws: InputError.self) { try reader().read(path) }
            #expect(error == InputError(at: path, found: "text in UTF-16", expected: "text in UTF-8"))
        }
    }

    @Test func `rows with decimal commas are not taken for a table`() throws {
        for text in ["1 1:1,5\n-1 1:2,5\n", "+1 3:0,25 7:1\n", "1 1:2 2:1,5\n"] {
            let path = try scratch.file("data", text)
            #expect(try DataInput(path).format == .libsvm, "\(text)")
            #expect(throws: InputError.self) { try reader().read(path) }
        }
        for text in ["2024-01-01 10:30:00,5\n", "5 10:30:00,7\n", "x 10:30,7\n", "1 2,3:4\n"] {
            #expect(try DataInput(scratch.file("data", text)).format == .csv, "\(text)")
        }
    }

    @Test(
        .enabled(if: Scratch.hasCompressors, "gzip, bzip2, xz and zstd are not all installed"),
        arguments: ["gzip", "bzip2", "xz"])
    func `zeros after compressed data are no data, and other bytes are refused`(tool: String) throws {
        let path = try scratch.file("data", text)
        let bytes = try scratch.output(of: tool, "-c", path)
        let plain = try rows(text.utf8)
        #expect(try rows(bytes + [UInt8](repeating: 0, count: 512)) == plain)
        #expect(try rows(bytes + bytes).count == 2 * plain.count)
        #expect(throws: InputError.self) { try rows(bytes + [0, 0, 0, 0] + Array("rest".utf8)) }
        #expect(throws: InputError.self) { try rows(bytes.dropLast(9)) }
    }

    @Test func `files of other kinds are called by their names`() throws {
        let files: [(String, [UInt8])] = [
            ("lz4", [0x04, 0x22, 0x4D, 0x18, 0x64]), ("lzip", Array("LZIP\u{1}".utf8)),
            ("Parquet", Array("PAR1\u{15}".utf8)),
            ("HDF5", [0x89, 0x48, 0x44, 0x46, 0x0D]), ("compress (.Z)", [0x1F, 0x9D, 0x90]),
        ]
        for (name, bytes) in files {
            let error = #expect(throws: InputError.self) { try rows(bytes + [0, 1, 2, 3]) }
            #expect(error?.found == "\(name) data" && error?.expected.contains("gzip") == true)
        }
        // A text may begin as bzip2 data do.
        #expect(try dense(scratch.file("data", "BZh1,b\n1,2\n")).columnNames == ["BZh1", "b"])
    }

    @Test func `NumPy arrays with Python's long numbers, and of 16-bit floats, are read`() throws {
        let bytes = (1...6).map { UInt8($0) }
        #expect(
            try dense(scratch.file("data.npy", npy("|u1", "(3L, 2L)", bytes))).allValues == [[1, 2], [3, 4], [5, 6]])
        // 1, -2, 65504, the least subnormal, NaN.
        let halves: [UInt8] = [0x00, 0x3C, 0x00, 0xC0, 0xFF, 0x7B, 0x01, 0x00, 0x00, 0x7E]
        let data = try dense(scratch.file("data.npy", npy("<f2", "(1, 5)", halves)))
        #expect(data.values(ofRow: 0).prefix(4) == [1, -2, 65_504, 0x1p-24] && data.values(ofRow: 0)[4].isNaN)
        let swapped = try dense(scratch.file("data.npy", npy(">f2", "(1, 1)", [0x3C, 0x00])))
        #expect(swapped.values(ofRow: 0) == [1])
        #expect(throws: InputError.self) { try dense(scratch.file("data.npy", npy("<f2", "(1, 1)", [0x00, 0x7C]))) }
        let vector = try scratch.file("v.npy", npy("<f4", "(1L,)", [0, 0, 0x80, 0x3F]))
        #expect(try FloatVectorFile.read(vector) == [1])
    }

    @Test func `an NPZ file with two arrays of one name is refused`() throws {
        let x = npy("|u1", "(1, 1)", [1])
        let error = #expect(throws: InputError.self) {
            try dense(scratch.file("data.npz", zip([("x.npy", x), ("x.npy", x)])))
        }
        #expect(error?.found == "two arrays \"x\"")
    }

    @Test func `a cache that cannot be written beside the source costs the cache alone`() throws {
        // With its ending the name is longer than a file's may be.
        let path = try scratch.file(String(repeating: "n", count: 253), text)
        let team = try WorkerTeam(placement: .unpinned(workers: 1))
        let loaded = try DatasetFile(path, cache: .besideSource).load(team: team)
        #expect(loaded.dataset.rowCount == 3 && !loaded.isFromCache && loaded.cacheFailure != nil)
        #expect(throws: (any Error).self) { try DatasetFile(path, cache: .at(path + ".csr")).load(team: team) }
    }
}
