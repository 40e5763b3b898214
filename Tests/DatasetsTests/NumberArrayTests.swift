import Datasets
import Foundation
import Platform
import Testing

/// IDX, NPY and NPZ.
@Suite struct NumberArrayTests {
    let scratch = try! Scratch()

    private func fault(
        _ name: String, _ bytes: [UInt8], _ configure: (inout DenseReader.Options) -> Void = { _ in }
    ) throws -> InputError? {
        let path = try scratch.file(name, bytes)
        return #expect(throws: InputError.self) { try dense(path, configure) }
    }

    // MARK: IDX

    @Test(.enabled(if: Scratch.hasGzip, "gzip is not installed"))
    func `images find their labels beside them, compressed or not`() throws {
        let path = try scratch.file("train-images-idx3-ubyte", idx(8, [2, 1, 3], [0, 10, 255, 1, 2, 3]))
        let alone = try dense(path)
        #expect(alone.allValues == [[0, 10, 255], [1, 2, 3]] && alone.labelName == nil)
        #expect(alone.columns == (1...3).map { DenseColumn(name: "\($0)", kind: .pixel) })
        #expect(throws: InputError.self) { try alone.classified() }
        let labels = try scratch.file("train-labels-idx1-ubyte", idx(8, [2], [7, 3]))
        #expect(try dense(path).allLabels == [7, 3])
        _ = try scratch.file("train-labels-idx1-ubyte.gz", scratch.output(of: "gzip", "-c", labels))
        try FileManager.default.removeItem(atPath: labels)
        let data = try dense(path)
        #expect(data.allLabels == [7, 3] && data.labelName == labels + ".gz")
        let other = try scratch.file("other", idx(9, [2], [0xFF, 1]))
        #expect(try dense(path) { $0.label = other }.allLabels == [-1, 1])
    }

    @Test(
        arguments: [
            (0x08, [200, 1], [200, 1]), (0x09, [0x80, 1], [-128, 1]), (0x0B, [0xFF, 0xFE, 1, 2], [-2, 258]),
            (0x0C, [0xFF, 0xFF, 0xFF, 0xFD, 0, 1, 0, 0], [-3, 65_536]),
            (0x0D, [0x3F, 0xC0, 0, 0, 0xC0, 0, 0, 0], [1.5, -2]),
            (0x0E, [0x3F, 0xF8, 0, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0], [1.5, -2]),
        ] as [(UInt8, [UInt8], [Double])])
    func `every type of number of IDX is read`(type: UInt8, bytes: [UInt8], values: [Double]) throws {
        #expect(try dense(scratch.file("data", idx(type, [1, 2], bytes))).values(ofRow: 0) == values)
    }

    @Test func `an IDX file that is none, short or long is refused with its bytes`() throws {
        let path = scratch.path + "/data"
        #expect(
            try fault("data", idx(8, [2, 3], [1, 2, 3, 4]))
                == InputError(at: path, found: "4 bytes of numbers", expected: "6, for 2 x 3 numbers of 1 byte"))
        #expect(try fault("data", idx(0x0B, [2, 2], Array(repeating: 0, count: 9)))?.found == "9 bytes of numbers")
        #expect(try fault("data", idx(0x0A, [2], [1, 2]))?.found == "first bytes 00 00 0a 01")
        #expect(try fault("data", Array(idx(8, [2, 2], []).prefix(9)))?.found == "a file of 9 bytes")
        #expect(try fault("data", idx(8, [0, 3], []))?.found == "an array of 0 x 3")
        #expect(try fault("data", idx(8, [Int](repeating: 1 << 30, count: 4), [1]))?.place == path)
        #expect(
            try fault("data", idx(0x0D, [1, 2], [0, 0, 0, 0, 0x7F, 0x80, 0, 0]))?.found.contains("column 2") == true)
    }

    @Test func `labels that do not suit the images are refused`() throws {
        let images = idx(8, [2, 2], [1, 2, 3, 4])
        let labels = try scratch.file("labels", idx(8, [3], [1, 2, 3]))
        let error = try fault("images", images) { $0.label = labels }
        #expect(
            error
                == InputError(
                    at: labels, found: "3 labels", expected: "2, one for each row of \(scratch.path)/images"))
        let pairs = try scratch.file("pairs", idx(8, [2, 2], [1, 2, 3, 4]))
        #expect(try fault("images", images) { $0.label = pairs }?.found == "an array of 2 x 2")
        let text = try scratch.file("text", "1 1:1\n")
        #expect(try fault("images", images) { $0.label = text }?.place == text)
    }

    private static let fashion = "/usr/share/datasets/fashion-mnist/"

    @Test(.enabled(if: FileManager.default.fileExists(atPath: fashion), "dataset-fashion-mnist is not installed"))
    func `Fashion-MNIST has 60,000 images and 10 classes`() throws {
        let data = try dense(Self.fashion + "t10k-images-idx3-ubyte.gz")
        #expect(data.rowCount == 10_000 && data.columnCount == 784)
        let expected = (0..<10).map { LabelSummary.Count(label: Label($0), rows: 1_000) }
        #expect(data.labelSummary() == .distinct(expected))
        #expect(Standardisation(fitting: data).scales == [Double](repeating: 255, count: 784))
    }

    // MARK: NPY

    @Test(arguments: [1, 2, 3] as [UInt8]) func `an array is read in every version of the format`(version: UInt8) throws
    {
        let path = try scratch.file("data", npy("|u1", "(2, 3)", [1, 2, 3, 4, 5, 6], version: version))
        let data = try dense(path)
        #expect(data.allValues == [[1, 2, 3], [4, 5, 6]] && data.columns[0].kind == .pixel)
    }

    @Test(
        arguments: [
            ("<f4", [0, 0, 0xC0, 0x3F], 1.5), (">f8", [0x3F, 0xF8, 0, 0, 0, 0, 0, 0], 1.5), ("|i1", [0xFF], -1),
            ("<i2", [0xFE, 0xFF], -2), (">i4", [0, 1, 0, 0], 65_536), ("<i8", [3, 0, 0, 0, 0, 0, 0, 0x80], -0x1p63),
            ("<u2", [0xFF, 0xFF], 65_535), (">u4", [0x80, 0, 0, 0], 0x1p31),
            ("<u8", [0, 0, 0, 0, 0, 0, 0, 0x80], 0x1p63),
            ("|b1", [2], 1),
        ] as [(String, [UInt8], Double)])
    func `every type of number of NumPy is read`(type: String, bytes: [UInt8], value: Double) throws {
        #expect(try dense(scratch.file("data", npy(type, "(1,)", bytes))).values(ofRow: 0) == [value])
    }

    @Test func `column-major arrays give the same rows, of many columns and dimensions`() throws {
        func bytes(_ count: Int, _ value: (Int) -> Int) -> [UInt8] { (0..<count).map { UInt8(value($0)) } }
        // 3 rows of 20 columns; element (r, c) is 20 r + c.
        let flat = try dense(
            scratch.file("f", npy("|u1", "(3, 20)", bytes(60) { $0 % 3 * 20 + $0 / 3 }, order: "True")))
        #expect(flat.allValues == (0..<3).map { r in (0..<20).map { Double(20 * r + $0) } })
        // 2 x 2 x 3; element (i, j, k) is 6 i + 3 j + k.
        let cube = bytes(12) { 6 * ($0 % 2) + 3 * ($0 / 2 % 2) + $0 / 4 }
        let data = try dense(scratch.file("c", npy("|u1", "(2, 2, 3)", cube, order: "True")))
        #expect(data.allValues == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]])
    }

    @Test func `a NumPy array that cannot be used is refused`() throws {
        #expect(try fault("data", npy("|O", "(1,)", [0]))?.found.contains("Python objects") == true)
        #expect(try fault("data", npy("<c8", "(1,)", [0, 0]))?.found == "an array of dtype '<c8'")
        #expect(try fault("data", npy("<f4", "()", [0, 0, 0, 0]))?.found == "a single number")
        #expect(try fault("data", npy("<f4", "(2, 1)", [0, 0, 0, 0]))?.found == "4 bytes of numbers")
        #expect(try fault("data", npy("<f4", "(1, 1)", [0, 0, 0, 0, 0]))?.found == "5 bytes of numbers")
        #expect(try fault("data", npy("<f4", "(-1, 1)", []))?.found == "a header without a usable 'shape'")
        #expect(try fault("data", npy("<f4", "(1,)", [0, 0, 0, 0], order: "0"))?.found.contains("fortran") == true)
        #expect(try fault("data", npy("<f4", "(1,)", [], version: 9))?.found.hasPrefix("version 9") == true)
        #expect(try fault("data", Array(npy("<f4", "(1,)", []).prefix(30)))?.found == "a header of 20 bytes")
        #expect(try fault("data", npy("|u1", "(1 1,)", [0]))?.found == "a header without a usable 'shape'")
        let twice = npy("<i2', 'descr': '>i2", "(1,)", [0, 1])
        #expect(try fault("data", twice)?.found == "a header without a usable 'descr'")
        let labels = try scratch.file("labels", npy("<f4", "(1,)", [0, 0, 0xC0, 0x7F]))
        #expect(try fault("data", npy("|i1", "(1,)", [0])) { $0.label = labels }?.found.hasPrefix("NaN") == true)
    }

    // MARK: NPZ

    private let archive = zip([
        ("y.npy", npy("<i2", "(2,)", [1, 0, 2, 0])), ("other.npy", npy("|O", "(2,)", [])),
        ("x.npy", npy("|i1", "(2, 2)", [1, 2, 3, 4])), ("z.npy", npy("|i1", "(2,)", [9, 8])),
    ])

    @Test(.enabled(if: Scratch.hasGzip, "gzip is not installed"))
    func `arrays of a container are x and y, or those that are named`() throws {
        let path = try scratch.file("data.npz", archive)
        let data = try dense(path)
        #expect(data.allValues == [[1, 2], [3, 4]] && data.allLabels == [1, 2] && data.columns[0].kind == .numeric)
        #expect(try dense(path) { $0.label = "z" }.allLabels == [9, 8])
        #expect(try dense(path) { $0.array = "z" }.allValues == [[9], [8]])
        // A stream, which cannot be read from its end.
        let compressed = try scratch.output(of: "gzip", "-c", path)
        #expect(try dense(scratch.file("data.npz.gz", compressed)).allValues == data.allValues)
    }

    @Test func `an array that is not there or damaged is refused`() throws {
        #expect(try fault("data", archive) { $0.array = "w" }?.found == "arrays y, other, x, z")
        #expect(try fault("data", archive) { $0.label = "w" }?.expected == "w (--label names another)")
        #expect(try fault("data", zip([("a.npy", npy("|i1", "(1,)", [0]))]))?.expected.hasPrefix("x ") == true)
        var damaged = archive
        let numbers = try #require(archive.indices.dropLast(4).first { Array(archive[$0..<$0 + 4]) == [1, 2, 3, 4] })
        damaged[numbers] = 7
        #expect(try fault("data", damaged)?.found.contains("CRC") == true)
        #expect(try fault("data", Array(archive.prefix(200))) != nil)
    }
}
