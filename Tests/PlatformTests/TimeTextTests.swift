import Platform
import Testing

/// Times with units.
struct TimeTextTests {
    @Test(arguments: [
        ("50us", 50e-6), ("2ms", 2e-3), ("1.5", 1.5), ("1.5s", 1.5), ("0", 0), ("1e-3", 1e-3), ("1e-3ms", 1e-6),
        ("7ns", 7e-9), ("3 µs", 3e-6), ("2min", 120), ("1h", 3600), (".5ms", 5e-4),
    ])
    func `a number with a unit, or alone for seconds, is a time to the last bit`(text: String, seconds: Double) throws {
        #expect(try TimeText.seconds(parsing: text, at: "--latency") == seconds)
    }

    @Test(arguments: [
        "", "us", "-1", "-1ms", "nan", "inf", "infs", "0x10", "1e400", "5 m", "5k", "5Ms", "5us ", "1e308h", "one",
    ])
    func `anything else is refused with what would be one`(text: String) {
        let expected = InputError(at: "--latency", found: "\"\(text)\"", expected: TimeText.forms)
        #expect(throws: expected) { try TimeText.seconds(parsing: text, at: "--latency") }
    }
}
