// The event file: what is read, and where an error is said to be.

import Platform
import SwitchModel
import Testing

@Suite struct EventFileTests {
    private func parse(_ text: String) throws(InputError) -> [Posting] {
        try EventFile.parse(Array(text.utf8), name: "e.json")
    }

    @Test func `events are read in the order of the file, other keys skipped`() throws {
        let postings = try parse(
            """
            [{"at": 5, "from": 1, "to": 2, "megabytes": 0.25},
             {"megabytes": 1e-3, "note": [1, {"a": null}, "x\\"]"], "to": 0, "from": 3, "at": 0.1}]

            """)
        #expect(
            postings == [
                Posting(at: 5, from: 1, to: 2, megabytes: 0.25), Posting(at: 0.1, from: 3, to: 0, megabytes: 0.001),
            ])
        #expect(try parse(" [ ] ").isEmpty)
    }

    @Test(arguments: [
        "0", "-0", "7", "0.1", "123456.789", "1e5", "2.5E-7", "0.30000000000000004", "123456789012345678901234567890",
        "9007199254740993", "0.000000000000000000000001", "1.7976931348623157e308", "5e-324",
    ])
    func `numbers are read to the nearest double`(text: String) throws {
        let postings = try parse("[{\"at\": 0, \"from\": 0, \"to\": 1, \"megabytes\": \(text)}]")
        #expect(postings[0].megabytes == Double(text))
    }

    @Test(arguments: [
        ("", "1:1", "the end of the file"), ("{}", "1:1", "\"{\""), ("[", "1:2", "the end of the file"),
        ("[{}]", "1:2", "an event without \"at\""),
        ("[{\"at\":1,\"from\":0,\"to\":1}]", "1:2", "an event without \"megabytes\""),
        ("[{\"at\":1,\n\"from\":-1", "2:8", "\"from\": -1"), ("[{\"from\":1.5", "1:10", "\"from\": 1.5"),
        ("[{\"to\":1000000", "1:8", "\"to\": 1000000"), ("[{\"at\":NaN", "1:8", "\"NaN\""),
        ("[{\"at\":-1", "1:8", "\"at\": -1"), ("[{\"at\":1e999", "1:8", "\"at\": 1e999"),
        ("[{\"at\":1.001e15", "1:8", "\"at\": 1.001e15"), ("[{\"megabytes\":1e999", "1:15", "\"megabytes\": 1e999"),
        ("[{\"megabytes\":-0.5", "1:15", "\"megabytes\": -0.5"), ("[{\"at\":\"1\"", "1:8", "\"\"\""),
        ("[{\"at\":01", "1:8", "a number that begins with 0"), ("[{\"at\":1.", "1:10", "the end of the file"),
        ("[{\"at\":1,\"at\":2", "1:15", "a second \"at\""),
        ("[{\"at\":5,\"\\u0061t\":6", "1:20", "a second \"at\""),
        ("[{\"a\":\"x\\q\"", "1:9", "an escape that JSON does not have"),
        ("[{\"a\":\"\\u00g1\"", "1:8", "an escape that JSON does not have"),
        ("[{\"a\":\"\\", "1:7", "a string without end"),
        ("[{\"at", "1:3", "a string without end"),
        ("[{\"at\":1,\"from\":2,\"to\":2,\"megabytes\":1}]", "1:2", "an event from rank 2 to itself"),
        ("[{\"at\":1,\"from\":2,\"to\":1,\"megabytes\":1},]", "1:41", "\"]\""),
        ("[{\"at\":1,\"from\":2,\"to\":1,\"megabytes\":1}] x", "1:42", "\"x\""),
        ("[{\"x\":tru}]", "1:7", "\"tru\""), ("\u{1F}", "1:1", "a byte that is no text"),
    ])
    func `an error names line, column and what stands there`(text: String, place: String, found: String) {
        let error = #expect(throws: InputError.self) { try self.parse(text) }
        #expect(error?.place == "e.json:\(place)")
        #expect(error?.found == found)
    }

    @Test func `deep nesting and random bytes are refused`() {
        #expect(throws: InputError.self) { try self.parse("[{\"x\":" + String(repeating: "[", count: 100_000)) }
        var state: UInt64 = 7
        let valid = Array("[{\"at\":1.5,\"from\":2,\"to\":1,\"megabytes\":1e2,\"x\":[true,\"\\u0041\"]}]".utf8)
        for _ in 0..<2000 {
            var text = valid
            for _ in 0..<2 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                text[Int(state >> 33) % text.count] = UInt8(truncatingIfNeeded: state >> 56)
            }
            text.removeLast(Int(state >> 40) % text.count)
            // Refused or read, it must not trap.
            _ = try? EventFile.parse(text, name: "random")
        }
    }

    @Test func `times are read as far as they still tell latencies apart`() throws {
        let last = try parse("[{\"at\":1e15,\"from\":0,\"to\":1,\"megabytes\":0}]")
        #expect(last[0].at == EventFile.maximumSeconds)
    }

    @Test func `a text without end is not read to the end of memory`() {
        let error = #expect(throws: InputError.self) { try EventFile.read("/dev/zero", maximumBytes: 1 << 20) }
        #expect(error?.description == "/dev/zero: found a text of more than 1048576 bytes, expected a shorter one")
    }

    @Test func `a file that is not there, or is none, is named`() {
        let folder = #expect(throws: InputError.self) { try EventFile.read("/") }
        #expect(folder?.description == "/: found a directory, expected a JSON array of events")
        let error = #expect(throws: InputError.self) { try EventFile.read("/nonexistent/e.json") }
        #expect(error?.description == "/nonexistent/e.json: found no such file, expected a JSON array of events")
    }
}
