import Foundation
import Testing

/// The recipes for what one adds of one's own: their code is that of the package that `.ci/run` builds and tests.
@Suite struct OwnPackageTests {
    @Test func `code of a file, as an article shows it, stands in that file`() throws {
        var count = 0
        for (name, text) in try Catalog.documents() {
            for match in text.matches(of: /<!-- code of (\S+) -->\n\n```swift\n((?:.|\n)*?)```/) {
                count += 1
                let file = Catalog.root.appendingPathComponent(String(match.1))
                let source = try String(contentsOf: file, encoding: .utf8)
                #expect(source.contains(match.2), "\(name): \(match.1) does not contain:\n\(match.2)")
            }
            #expect(text.components(separatedBy: "<!-- code of ").count - 1 <= count, "\(name)")
        }
        #expect(count >= 8)
    }

    @Test func `an algorithm of one's own needs at most 60 lines and no unsafe word`() throws {
        let folder = Catalog.root.appendingPathComponent("Tests/OwnPackage/Sources/Own")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        for file in files where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            #expect(!text.localizedCaseInsensitiveContains("unsafe"), "\(file.lastPathComponent)")
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).count - 1
            #expect(!text.contains("MessageAlgorithm {") || lines <= 60, "\(file.lastPathComponent): \(lines) lines")
        }
        #expect(files.count >= 4)
    }
}
