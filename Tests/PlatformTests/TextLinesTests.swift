import Foundation
import Platform
import Testing

/// The one reader of small files that a user names.
@Suite struct TextLinesTests {
    private func reading<Result>(_ bytes: [UInt8], _ body: (String) throws -> Result) throws -> Result {
        let file = FileManager.default.temporaryDirectory.appending(path: "lines-\(UUID()).txt")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(bytes).write(to: file)
        return try body(file.path)
    }

    @Test func `a mark before the text is none of it, and line ends are of either kind`() throws {
        for text in ["a\nb", "\u{FEFF}a\r\nb\r\n\n"] {
            let lines = try reading(Array(text.utf8)) { try TextLines(reading: $0, expected: "lines").lines }
            #expect(lines == ["a", "b"])
        }
    }

    @Test(arguments: [[0x31, 0, 0x32], [0xFF, 0xFE, 0x31, 0], [0xC3, 0x28]] as [[UInt8]])
    func `bytes that no text has are refused`(bytes: [UInt8]) throws {
        try reading(bytes) { path in
            _ = #expect(throws: InputError.self) { try TextLines(reading: path, expected: "lines") }
        }
    }

    @Test func `a device without an end is refused at the limit, and at its first bytes where it is of another kind`() {
        let long = #expect(throws: InputError.self) {
            try TextLines.contents(of: "/dev/zero", expected: "lines", atMost: 1_000_000)
        }
        #expect(long?.found == "more than 1000000 bytes")
        let other = #expect(throws: InputError.self) {
            try TextLines.contents(of: "/dev/zero", expected: "an order", atMost: .max, beginning: Array("order".utf8))
        }
        #expect(other?.found == "another kind of file")
    }

    @Test func `no line of a file makes an error long`() {
        let text = String(repeating: "x", count: 1_000_000)
        #expect(TextLines.shown(text).count < 70 && TextLines.shown("a,b") == "\"a,b\"")
        #expect(InputError(at: "f:1", found: text, expected: "a number").description.utf8.count < 500)
    }
}
