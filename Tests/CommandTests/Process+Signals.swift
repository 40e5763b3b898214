import Foundation
import Testing

extension Process {
    /// Runs it, sends `signal` so many times once it has printed `text`, and waits for its end.
    func run(until text: String, then signal: Int32, times: Int = 1) throws {
        let output = Pipe()
        standardOutput = output
        try run()
        var seen = ""
        while !seen.contains(text) {
            let more = output.fileHandleForReading.availableData
            if more.isEmpty { break }
            seen += String(decoding: more, as: UTF8.self)
        }
        for _ in 0..<times { #expect(kill(processIdentifier, signal) == 0) }
        _ = try output.fileHandleForReading.readToEnd()
        waitUntilExit()
    }
}
