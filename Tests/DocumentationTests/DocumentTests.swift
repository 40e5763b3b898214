import ArgumentParser
import Compression
import Foundation
import Testing
import Training

@testable import relaxed

/// The README and the articles: what they name exists.
@Suite struct DocumentTests {
    @Test func `the README has at most 200 lines, and its links lead to files`() throws {
        let readme = try #require(try Catalog.documents()["README"])
        #expect(readme.split(separator: "\n", omittingEmptySubsequences: false).count <= 201)
        for link in readme.matches(of: /\]\(([^)#:]+)\)/) {
            let file = Catalog.root.appendingPathComponent(String(link.1))
            #expect(FileManager.default.fileExists(atPath: file.path), "\(link.1)")
        }
    }

    @Test func `the table of modules is that of the folder Sources`() throws {
        let article = try #require(try Catalog.documents()["Architecture"])
        let section = try #require(article.range(of: "## Modules"))
        let table = article[section.upperBound...].split(separator: "\n").filter { $0.hasPrefix("| `") }
        let named = table.flatMap { row in row.split(separator: "|")[0].matches(of: /`([^`]+)`/).map { String($0.1) } }
        let folders = try FileManager.default.contentsOfDirectory(
            atPath: Catalog.root.appendingPathComponent("Sources").path)
        #expect(named.sorted() == folders.sorted())
    }

    @Test func `every command in the documents is one that the program takes`() throws {
        var count = 0
        for (name, text) in try Catalog.documents() {
            for line in commands(in: Catalog.code(in: text)) {
                count += 1
                do {
                    _ = try Relaxed.parseAsRoot(line)
                } catch  where Relaxed.exitCode(for: error) != .success {
                    Issue.record("\(name): \(line): \(Relaxed.message(for: error))")
                }
                if ["train", "staleness"].contains(line[0]), let list = value(of: "--algorithm", in: line) {
                    #expect(throws: Never.self, "\(name): \(list)") { try Algorithm.list(parsing: list) }
                }
                for codec in value(of: "--codec", in: line)?.split(separator: ";") ?? [] {
                    _ = try CodecConfiguration(parsing: String(codec))
                }
            }
        }
        #expect(count > 30)
    }

    private func value(of option: String, in arguments: [String]) -> String? {
        arguments.firstIndex(of: option).map { arguments[$0 + 1] }
    }

    /// The arguments of each call of `relaxed`, which may go on behind a backslash at a line's end.
    private func commands(in code: [String]) -> [[String]] {
        var found: [[String]] = []
        var goesOn = false
        for line in code {
            let words = words(of: line)
            let isCall = words.first == "relaxed" && words.count > 1
            if isCall { found.append([]) }
            if isCall || goesOn { found[found.count - 1] += words.dropFirst(isCall ? 1 : 0).filter { $0 != "\\" } }
            goesOn = (isCall || goesOn) && words.last == "\\"
        }
        return found
    }

    /// Words between blanks; quotation marks hold one together, and a hash begins a comment.
    private func words(of line: String) -> [String] {
        var words: [String] = []
        var word = ""
        var quote: Character?
        for character in line {
            if character == quote {
                quote = nil
            } else if quote == nil, character == "'" || character == "\"" {
                quote = character
            } else if quote == nil, character == " " {
                if !word.isEmpty { words.append(word) }
                word = ""
            } else if quote == nil, character == "#", word.isEmpty {
                return words
            } else {
                word.append(character)
            }
        }
        return word.isEmpty ? words : words + [word]
    }
}
