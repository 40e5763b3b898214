import Platform
import Testing

@Suite struct InputErrorTests {
    @Test func `an input error is one line that says where, what was found and what was expected`() {
        let error = InputError(at: "a9a:3", found: "\"x\"", expected: "a number")
        #expect(error.description == "a9a:3: found \"x\", expected a number")
    }

    @Test func `what does not print is shown, in errors, too`() {
        #expect("caf\u{E9} 学習 █ a\u{301}".printable == "caf\u{E9} 学習 █ a\u{301}")
        #expect("\u{1B}[31m\n\t\0\u{7F}\u{85}".printable == "\\x1b[31m\\x0a\\x09\\x00\\x7f\\x85")
        #expect(
            "\u{202A}\u{202E}\u{2066}\u{2069}\u{2028}\u{FEFF}".printable
                == "\\u{202a}\\u{202e}\\u{2066}\\u{2069}\\u{2028}\\u{feff}")
        let text = "\u{1B}\u{202E}".printable
        #expect(text.printable == text)
        let error = InputError(at: "a\nb", found: "\u{1B}", expected: "\u{9B}")
        #expect(error.description == "a\\x0ab: found \\x1b, expected \\x9b")
    }
}
