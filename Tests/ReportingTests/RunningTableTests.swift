import Reporting
import Testing

@Suite struct RunningTableTests {
    @Test func `lines have the widths of their columns before any row is known`() {
        var table = RunningTable([.text("name", width: 6), .number("n"), .number("seconds", width: 3), .text("end")])
        #expect(
            table.header + table.line(["sgd", "1", "0.5", "done"]) + table.line(["a", "2", "", ""]) == """
                name    n  seconds  end
                ------  -  -------  ---
                sgd     1      0.5  done
                a       2

                """)
    }

    @Test func `a cell that is too wide takes the room that the next ones leave`() {
        var table = RunningTable([.number("a"), .number("long header"), .number("b")])
        #expect(
            table.line(["12345", "1", "2"]) == "12345        1  2\n")
        #expect(table.line(["1", "123456789012345", "2"]) == "1  123456789012345  2\n")
    }

    @Test func `columns that a terminal has no room for come after the last row`() {
        let columns: [TextTable.Column] = [.text("name"), .number("first"), .number("second"), .number("third")]
        var table = RunningTable(columns, width: 12)
        #expect(table.header == "name  first\n----  -----\n")
        #expect(
            table.line(["sgd", "1", "2", "3"]) + table.line(["gd", "4", "5", "6"]) == "sgd       1\ngd        4\n")
        #expect(
            table.rest == """

                name  second
                ----  ------
                sgd        2
                gd         5

                name  third
                ----  -----
                sgd       3
                gd        6

                """)
        var wide = RunningTable(columns, width: 27)
        #expect(wide.line(["sgd", "1", "2", "3"]) == "sgd       1       2      3\n" && wide.rest == "")
    }
}
