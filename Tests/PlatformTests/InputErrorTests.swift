import Platform
import Testing

@Suite struct InputErrorTests {
    @Test func `an input error is one line that says where, what was found and what was expected`() {
        let error = InputError(at: "a9a:3", found: "\"x\"", expected: "a number")
        #expect(error.description == "a9a:3: found \"x\", expected a number")
    }
}
