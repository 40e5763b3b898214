import Platform
import Testing

@Suite struct CPUListTests {
    @Test func `lists keep the order and repetitions in which they are written`() throws {
        #expect(try CPUList.parse("0-3,8", at: "x") == [0, 1, 2, 3, 8])
        #expect(try CPUList.parse("8,0-1,8", at: "x") == [8, 0, 1, 8])
    }

    @Test(arguments: ["", ",", "1,", "a", "3-1", "1-2-3", "-1", " 1", "+1", "0-99999999999999999999", "0-9999999"])
    func `what is no list of CPUs is refused`(text: String) {
        #expect(throws: InputError(at: "x", found: "\"\(text)\"", expected: "CPU numbers and ranges such as 0-3,8")) {
            try CPUList.parse(text, at: "x")
        }
    }

    @Test func `numbers are written as ranges in their order`() {
        #expect(CPUList.format([0, 1, 2, 3, 8]) == "0-3,8")
        #expect(CPUList.format([5, 4, 4]) == "5,4,4")
        #expect(CPUList.format([]) == "")
    }
}
