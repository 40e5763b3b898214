import Datasets
import Foundation
import Glibc
import Kernels
import Platform
import Testing

@Suite struct LIBSVMReaderTests {
    let scratch = try! Scratch()

    private func read(_ text: String, name: String = "data") throws -> SparseDataset {
        try reader().read(scratch.file(name, text)).dataset
    }

    private func error(_ text: some Sequence<UInt8>, name: String = "data") throws -> InputError? {
        let path = try scratch.file(name, text)
        return #expect(throws: InputError.self) { try reader().read(path) }
    }

    @Test func `a row is a label and its features from 0`() throws {
        let data = try read("-1 3:1 5:0.5\n+1 1:-2e-1\n")
        #expect(data.rowCount == 2 && data.featureCount == 5 && data.nonzeroCount == 3)
        #expect(
            contents(data) == [
                "-1.0 [(index: 2, value: 1.0), (index: 4, value: 0.5)]", "1.0 [(index: 0, value: -0.2)]",
            ])
    }

    @Test(arguments: [
        "\n\n1 2:3\n\n", "1 2:3", "1 2:3\r\n", "\r\n1 2:3\r", "# whole line 7:7\n1 2:3\n", "1 2:3 # 4:5\n", "1 2:3#4:5",
        "  1\t 2:3  \t\n", "+1 2:+3\n", "1. 2:3.\n", "1e0 2:.3e1\n", "1 2:30E-1\n",
        "1 0000000002:3.0000000000000000000\n",
        "1 2:300000000000000000000e-20\n", "#\n#\n 1 2:3",
    ])
    func `all these say the same row`(_ text: String) throws {
        #expect(contents(try read(text)) == ["1.0 [(index: 1, value: 3.0)]"])
    }

    @Test func `rows without features, tiny values and the largest index are accepted`() throws {
        let data = try read("1\n0 # nothing\n3 4294967294:1e-50\n-0 1:0 2:1e-45")
        #expect(data.rowCount == 4 && data.featureCount == 4_294_967_294)
        #expect(data.features(ofRow: 0).isEmpty && data.features(ofRow: 1).isEmpty)
        #expect(data.features(ofRow: 2).map(\.index) == [4_294_967_293] && data.features(ofRow: 2)[0].value == 0)
        #expect(data.features(ofRow: 3)[1].value == .leastNonzeroMagnitude)
    }

    @Test(arguments: [
        ("1:", "\"1:\"", "a value that is a finite 32-bit float"),
        ("x:1", "\"x:1\"", "INDEX:VALUE"),
        ("-1:1", "\"-1:1\"", "INDEX:VALUE"),
        ("7", "\"7\"", "INDEX:VALUE"),
        (":1", "\":1\"", "INDEX:VALUE"),
        ("0:1", "\"0:1\"", "an index from 1 to 4294967294"),
        ("5:1 3:1", "\"3:1\"", "an index above 5, the one before it"),
        ("3:1 3:2", "\"3:2\"", "an index above 3, the one before it"),
        ("1:nan", "\"1:nan\"", "a value that is a finite 32-bit float"),
        ("1:inf", "\"1:inf\"", "a value that is a finite 32-bit float"),
        ("1:1e999", "\"1:1e999\"", "a value that is a finite 32-bit float"),
        ("1:3.5e38", "\"1:3.5e38\"", "a value that is a finite 32-bit float"),
        ("1:0x1p3", "\"1:0x1p3\"", "a value that is a finite 32-bit float"),
        ("1:1e", "\"1:1e\"", "a value that is a finite 32-bit float"),
        ("1:1:1", "\"1:1:1\"", "a value that is a finite 32-bit float"),
        ("4294967295:1", "\"4294967295:1\"", "an index from 1 to 4294967294"),
        ("99999999999999999999999:1", "\"99999999999999999999999:1\"", "an index from 1 to 4294967294"),
        ("1:1 \u{1}\u{7}\"", "\"\\x01\\x07\\\"\"", "INDEX:VALUE"),
    ])
    func `a bad pair is refused with its line`(_ pair: String, _ found: String, _ expected: String) throws {
        for end in ["\n1 1:1\n", "\r\n", ""] {
            let error = try error("1 2:2\n\n# 9:9\n1 \(pair)\(end)".utf8)
            #expect(error == InputError(at: scratch.path + "/data:4", found: found, expected: expected))
        }
    }

    @Test(arguments: ["x", "1x", "nan", "inf", "-inf", "1e999", "1:1", "1,2", "+", ".", "-.e3"])
    func `a label that is no finite number is refused with its line`(_ label: String) throws {
        let error = try error("1 2:2\n\(label) 1:1\n".utf8)
        #expect(
            error
                == InputError(
                    at: scratch.path + "/data:2", found: "\"\(label)\"", expected: "a label that is a finite number"))
    }

    @Test func `a file that is not there, is a folder, is empty or has no row is refused by name`() throws {
        #expect(throws: InputError.self) { try reader().read(scratch.path + "/none") }
        let folder = #expect(throws: InputError.self) { try reader().read(scratch.path) }
        #expect(folder?.found == "a directory")
        #expect(try error([])?.found == "an empty file")
        #expect(try error("\n# 1 1:1\n  \n".utf8)?.description.hasPrefix(scratch.path + "/data: found no rows") == true)
    }

    @Test func `random bytes are refused in one line that prints`() throws {
        var random = RandomStream(seed: 3)
        for name in ["data", "data.gz", "data.bz2", "data.xz", "data.zst"] {
            let bytes = [0x80] + (0..<5_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let line = try #require(try error(bytes, name: name)).description
            #expect(
                line.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value < 127 || $0 == "…" } && line.count < 300)
            #expect(
                name == "data"
                    ? line.contains("/data:1: found \"\\x80") : line.contains("found bytes that are not"))
        }
    }

    @Test(.enabled(if: Scratch.hasGzip, "gzip is not installed"))
    func `a gzip file of several members is read to its end`() throws {
        let halves = try ["1 1:1\n1 2:", "2\n-1 3:3\n"].enumerated().map { k, text in
            try scratch.output(of: "gzip", "-c", try scratch.file("part\(k)", text))
        }
        let data = try reader().read(scratch.file("data.gz", halves[0] + halves[1])).dataset
        #expect(data.rowCount == 3 && data.features(ofRow: 2)[0].value == 3)
    }

    @Test(.enabled(if: Scratch.hasGzip, "gzip is not installed"))
    func `gzip data that were damaged or cut anywhere are refused`() throws {
        let members = try ["1 1:1\n1 2:2\n", "-1 3:3\n"].enumerated().map { k, text in
            try scratch.output(of: "gzip", "-nc", try scratch.file("part\(k)", text))
        }
        let (first, second) = (members[0], members[1])
        let whole = first + second
        func reason(_ bytes: Data) throws -> String? { try error(bytes)?.found }
        let rows = contents(try read("1 1:1\n1 2:2\n-1 3:3\n"))
        var accepted = 0
        for k in 2..<whole.count {
            var damaged = whole
            damaged[k] ^= 4
            // Of the time and the system in a header, and of the bits that fill up the last byte, nothing depends.
            do {
                #expect(contents(try reader().read(scratch.file("data", damaged)).dataset) == rows, "byte \(k)")
                accepted += 1
            } catch let error as InputError {
                #expect(error.found.hasPrefix("data that cannot be read ("), "byte \(k)")
            }
        }
        #expect(accepted <= 14)
        for count in 2..<whole.count where count != first.count {
            #expect(try reason(whole.prefix(count)) == "data that cannot be read (the gzip data are cut off)")
        }
        #expect(
            try reason(first + Data("1 5:5\n".utf8))
                == "data that cannot be read (bytes after the gzip data that are no gzip data)")
        #expect(try reason(first + Data(count: 64) + Data("1 5:5\n".utf8))?.contains("no gzip data") == true)
    }

    @Test(.enabled(if: Scratch.hasGzip, "gzip is not installed"))
    func `a pipe is read like a file, plain or compressed`() throws {
        let plain = Data("1 1:2\n-1 4:0.25".utf8)
        for text in [plain, try scratch.output(of: "gzip", "-c", try scratch.file("plain", plain))] {
            let pipe = Pipe()
            try pipe.fileHandleForWriting.write(contentsOf: text)
            try pipe.fileHandleForWriting.close()
            let data = try reader(roundBytes: 4).read("/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)").dataset
            #expect(data.rowCount == 2 && data.features(ofRow: 1)[0].value == 0.25)
        }
    }

    @Test func `a file that ends exactly at a page is read to its end`() throws {
        let row = "1 123:4.5\n"
        for count in [4_096, 8_192] {
            let text = String(repeating: row, count: count / 10) + String("1 1:2.5".prefix(count % 10))
            let data = try read(text.padding(toLength: count, withPad: "0", startingAt: 0))
            #expect(data.rowCount == count / 10 + 1)
        }
    }

    @Test func `a file that changes while it is read is refused`() throws {
        let path = try scratch.file("data", "1 1:1\n")
        let file = try TextFile(path)
        try file.checkUnchanged()
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.truncate(atOffset: 3)
        let error = #expect(throws: InputError.self) { try file.checkUnchanged() }
        #expect(error?.place == path && error?.found == "a file that changed while it was read")
    }

    @Test func `a mapped file that is cut while it is read ends the process with one line`() async {
        let result = await #expect(processExitsWith: .exitCode(2), observing: [\.standardErrorContent]) {
            let scratch = try Scratch()
            let path = try scratch.file("data", [UInt8](repeating: 10, count: 100_000))
            let descriptor = open(path, O_RDWR)
            let mapping = UnsafeRawBufferPointer(
                start: mmap(nil, 100_000, PROT_READ, MAP_PRIVATE, descriptor, 0), count: 100_000)
            let mappingGuard = MappingGuard(mapping, name: "cut")
            precondition(mapping[99_999] == 10 && ftruncate(descriptor, 10) == 0)
            precondition(mapping[99_998] == 10)
            withExtendedLifetime(mappingGuard) {}
        }
        let line = "error: cut: found a file that was cut while it was read, expected one that nobody is writing\n"
        #expect(result.map { String(decoding: $0.standardErrorContent, as: UTF8.self) } == line)
    }

    private static let real = [("a9a.gz", 32_561, 123), ("news20-tfidf.train.libsvm.gz", 11_293, 42_280)]

    @Test(
        .enabled(
            if: real.allSatisfy { FileManager.default.fileExists(atPath: "../shared/data/" + $0.0) },
            "no data beside the checkout"), arguments: real)
    func `real data has its known size`(file: String, rows: Int, features: Int) throws {
        let data = try reader(workers: 2).read("../shared/data/" + file).dataset
        #expect(data.rowCount == rows && data.featureCount <= features)
    }
}
