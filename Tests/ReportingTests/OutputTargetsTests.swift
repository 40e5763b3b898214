import Foundation
import Platform
import Reporting
import Testing

struct OutputTargetsTests {
    private func refusal(_ first: String, _ second: String?) -> InputError? {
        do {
            try OutputTargets.requireDistinct([("--json", first), ("--none", nil), ("--svg", second)])
            return nil
        } catch {
            return error
        }
    }

    @Test func `two options may not name the same file, however it is spelled`() throws {
        let folder = NSTemporaryDirectory() + "relaxed-targets-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder + "/inner", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createSymbolicLink(atPath: folder + "/link", withDestinationPath: "inner")
        try Data().write(to: URL(fileURLWithPath: folder + "/inner/old"))
        try FileManager.default.createSymbolicLink(atPath: folder + "/alias", withDestinationPath: "inner/old")

        for (first, second) in [
            ("new", "new"), ("./new", "inner/../new"), ("inner/new", "link/new"), ("inner/old", "alias"),
        ] {
            let place = "--svg \(folder)/\(second)"
            #expect(
                refusal("\(folder)/\(first)", "\(folder)/\(second)")
                    == InputError(at: place, found: "the file of --json", expected: "another one"))
        }
        #expect(refusal("\(folder)/new", "\(folder)/inner/new") == nil)
        #expect(refusal("\(folder)/new", nil) == nil)
        #expect(refusal("here-and-new", "./here-and-new") != nil)
    }

    @Test func `standard output is taken by one option, a device by any number`() {
        #expect(refusal("-", "-") != nil)
        #expect(refusal("-", "/dev/stdout") != nil)
        #expect(refusal("/dev/null", "/dev/null") == nil)
        #expect(refusal("-", "/dev/null") == nil)
        #expect(OutputTargets.isStandardOutput("/dev/stdout"))
        #expect(!OutputTargets.isStandardOutput("/dev/null") && !OutputTargets.isStandardOutput(nil))
    }
}
