import Datasets
import Foundation
import Kernels
import Platform
import Testing

@Suite struct LIBSVMReaderConcurrencyTests {
    let scratch = try! Scratch()

    @Test func `chunks, rounds and workers do not change the rows`() throws {
        let text = libsvmText(rows: 300, seed: 1)
        let path = try scratch.file("data", text)
        let whole = contents(try reader().read(path).dataset)
        #expect(whole.count == 300)
        for workers in [1, 2, 3, 8] {
            for (round, chunk) in [(1 << 20, 1 << 10), (4_096, 100), (1_000, 7), (10, 3)] where workers < 8 || chunk > 7
            {
                let (data, bytes) = try reader(workers: workers, roundBytes: round, chunkBytes: chunk).read(path)
                #expect(contents(data) == whole && bytes == text.utf8.count)
            }
        }
    }

    @Test(
        .enabled(if: Scratch.hasCompressors, "gzip, bzip2, xz and zstd are not all installed"),
        arguments: [("gzip", "gz"), ("bzip2", "bz2"), ("xz", "xz"), ("zstd", "zst")])
    func `compressed text is read like plain text, and refused where it is cut off`(tool: String, suffix: String) throws
    {
        let plain = try scratch.file("data", libsvmText(rows: 200, seed: 2))
        let whole = contents(try reader().read(plain).dataset)
        let packed = try scratch.output(of: tool, "-c", plain)
        let path = try scratch.file("data." + suffix, packed)
        for (workers, round) in [(1, 1 << 20), (3, 1_000), (2, 16)] {
            #expect(
                contents(try reader(workers: workers, roundBytes: round, chunkBytes: 64).read(path).dataset) == whole)
        }
        #expect(contents(try reader().read(try scratch.file("noSuffix", packed)).dataset) == whole)

        let twice = try reader().read(try scratch.file("twice", packed + packed)).dataset
        #expect(twice.rowCount == 2 * whole.count)
        var damaged = packed + packed
        damaged[packed.count] ^= 1
        let after = try scratch.file("after", damaged)
        #expect(throws: InputError.self) { try reader().read(after) }

        for (count, round) in [(packed.count * 2 / 3, 1 << 20), (packed.count / 2, 1_000), (9, 64), (6, 64)] {
            let cut = try scratch.file("cut." + suffix, packed.prefix(count))
            let error = #expect(throws: InputError.self) { try reader(workers: 2, roundBytes: round).read(cut) }
            #expect(error?.place == cut && error?.found.hasPrefix("data that cannot be read") == true)
        }
    }

    @Test func `the earliest bad line is named, whichever worker finds one first`() throws {
        var lines = (0..<400).map { "1 \($0 + 1):1" }
        for bad in [390, 250, 123] { lines[bad] = "1 bad" }
        lines[50] = "# bad"
        let path = try scratch.file("data", lines.joined(separator: "\n"))
        for workers in [1, 2, 4] {
            for (round, chunk) in [(1 << 20, 50), (500, 50), (1 << 20, 1 << 20)] {
                let error = #expect(throws: InputError.self) {
                    try reader(workers: workers, roundBytes: round, chunkBytes: chunk).read(path)
                }
                #expect(error?.place == path + ":124")
            }
        }
    }
}

/// Rows with lengths, spacing, comments and blank lines that vary; the same for the same seed.
private func libsvmText(rows: Int, seed: UInt64) -> String {
    var random = RandomStream(seed: seed)
    var text = ""
    for row in 0..<rows {
        if random.next(upperBound: 8) == 0 { text += ["\n", "# 1:2 comment\n", "  \t\r\n"][row % 3] }
        text += ["1", "-1", "+1", "2.5"][row % 4]
        var index = 0
        for _ in 0..<random.next(upperBound: 12) {
            index += 1 + Int(random.next(upperBound: 1_000_000))
            text += " \(index):\(random.nextUnitFloat())"
        }
        text += ["\n", "\r\n", " \n", " # 5:5\n"][row % 4]
    }
    return text
}
