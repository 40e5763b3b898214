import Foundation
import Platform
import Reporting
import Testing

@Suite struct JSONOutputTests {
    private struct Point: Encodable {
        var loss: Double
        var gradient: Float
        var file = "a/b"
        var rates: [Double] = []
    }

    @Test func `keys are sorted, slashes plain, and what is no number is null`() throws {
        let text = try JSONOutput.text(of: Point(loss: .nan, gradient: -.infinity, rates: [1.5, .infinity]))
        #expect(
            text == """
                {
                  "file" : "a/b",
                  "gradient" : null,
                  "loss" : null,
                  "rates" : [
                    1.5,
                    null
                  ]
                }

                """)
    }

    @Test func `numbers keep every bit`() throws {
        let values = [0.1, 1.0 / 3, Double.leastNonzeroMagnitude, 1.7976931348623157e308, -0.0]
        let text = try JSONOutput.text(of: values)
        let read = try JSONDecoder().decode([Double].self, from: Data(text.utf8))
        #expect(read.map(\.bitPattern) == values.map(\.bitPattern))
    }

    @Test func `a folder that is missing is refused before the run, under its option`() {
        #expect(
            throws: InputError(
                at: "--json no/such/run.json", found: "no folder \"no/such\"", expected: "a folder that exists")
        ) { try JSONOutput.check("no/such/run.json") }
    }

    @Test func `a value that cannot be encoded leaves the old file as it was`() throws {
        struct Failing: Encodable {
            func encode(to encoder: any Encoder) throws { throw CancellationError() }
        }
        let path = "\(FileManager.default.temporaryDirectory.path)/json-output-\(UUID().uuidString).json"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try JSONOutput.write([1], to: path)
        #expect(throws: CancellationError.self) { try JSONOutput.write(Failing(), to: path) }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "[\n  1\n]\n")
    }

    @Test func `a headed record holds the keys of head and body side by side`() throws {
        let environment = RunEnvironment(seed: 7, commandLine: ["relaxed", "train"])
        let text = try JSONOutput.text(
            of: HeadedRecord(environment: environment, body: Point(loss: 0.5, gradient: 1)))
        let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(object["schema"] as? Int == 1)
        #expect(object["seed"] as? Int == 7)
        #expect(object["commandLine"] as? [String] == ["relaxed", "train"])
        #expect(object["loss"] as? Double == 0.5)
        let start = try #require(object["startedAt"] as? String)
        #expect(try Date(start, strategy: .iso8601) <= Date())
        let machine = try #require(object["machine"] as? [String: Any])
        #expect(try #require(machine["onlineCPUs"] as? Int) >= 1)
        #expect(try #require(machine["memoryBytes"] as? Int) > 1 << 20)
        #expect(try #require(machine["kernel"] as? String).hasPrefix("Linux "))
        #expect(try #require(machine["processor"] as? String) != "")
        let toolchain = try #require(object["toolchain"] as? [String: Any])
        #expect(try #require(toolchain["swift"] as? String).wholeMatch(of: /\d+\.\d+/) != nil)
        #expect(try #require(toolchain["compiler"] as? String).contains(/\d/))
    }
}
