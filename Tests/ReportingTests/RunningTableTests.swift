import Reporting
import Testing

@Suite struct RunningTableTests {
    @Test func `lines have the widths of their columns before any row is known`() {
        let table = RunningTable([.text("name", width: 6), .number("n"), .number("seconds", width: 3), .text("end")])
        #expect(
            table.header + table.line(["sgd", "1", "0.5", "done"]) + table.line(["a", "2", "", ""]) == """
                name    n  seconds  end
                ------  -  -------  ---
                sgd     1      0.5  done
                a       2

                """)
    }

    @Test func `a cell that is too wide takes the room that the next ones leave`() {
        let table = RunningTable([.number("a"), .number("long header"), .number("b")])
        #expect(
            table.line(["12345", "1", "2"]) == "12345        1  2\n")
        #expect(table.line(["1", "123456789012345", "2"]) == "1  123456789012345  2\n")
    }
}
