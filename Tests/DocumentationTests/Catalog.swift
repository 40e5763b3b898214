import Foundation
import Testing

/// The documents as they stand in the repository.
enum Catalog {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    static let folder = root.appendingPathComponent("Sources/RelaxedSGD/RelaxedSGD.docc")

    /// The README and the articles, by name without extension.
    static func documents() throws -> [String: String] {
        var found = ["README": try String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)]
        for file in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        where file.pathExtension == "md" {
            found[file.deletingPathExtension().lastPathComponent] = try String(contentsOf: file, encoding: .utf8)
        }
        return found
    }

    /// The lines of code in a document: indented, or between fences.
    static func code(in document: String) -> [String] {
        var isFenced = false
        var lines: [String] = []
        for line in document.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("```") {
                isFenced.toggle()
            } else if isFenced || line.hasPrefix("    ") {
                lines.append(String(isFenced ? line : line.dropFirst(4)))
            }
        }
        return lines
    }
}

/// A table of an article that is made of facts; it stands between two comments.
struct GeneratedTable {
    let article: String
    let name: String
    let header: [String]
    let rows: [[String]]

    private var begin: String { "<!-- table \(name): made of facts, see Tests/DocumentationTests -->" }
    private var end: String { "<!-- end of table \(name) -->" }

    private var markdown: String {
        ([header, header.map { _ in "---" }] + rows).map { "| \($0.joined(separator: " | ")) |\n" }.joined()
    }

    /// Compares the article with the facts; with RELAXED_WRITE_TABLES=1 in the environment writes the article instead.
    func check() throws {
        let file = Catalog.folder.appendingPathComponent("\(article).md")
        let text = try String(contentsOf: file, encoding: .utf8)
        let start = try #require(text.range(of: begin), "\(article) has no line \(begin)").upperBound
        let stop = try #require(text.range(of: end, range: start..<text.endIndex), "\(article): no \(end)").lowerBound
        let expected = "\n\n\(markdown)\n"
        if text[start..<stop] == expected { return }
        guard ProcessInfo.processInfo.environment["RELAXED_WRITE_TABLES"] == "1" else {
            Issue.record(
                """
                The table \(name) in \(file.path) is not what the facts say. Write it anew by
                RELAXED_WRITE_TABLES=1 swift test --filter DocumentationTests
                """)
            return
        }
        try (text[..<start] + expected + text[stop...]).write(to: file, atomically: true, encoding: .utf8)
    }
}
