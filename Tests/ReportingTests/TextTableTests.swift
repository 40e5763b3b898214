import Reporting
import Testing

@Suite struct TextTableTests {
    @Test func `numbers stand right, text stands left, and no line ends in spaces`() {
        var table = TextTable([.text("algorithm"), .number("time", unit: "s"), .text("note")])
        table.append(["sgd", "12.5", ""])
        table.append(["hogwild", "3", "2 workers"])
        #expect(
            table.rendered() == """
                algorithm  time (s)  note
                ---------  --------  ---------
                sgd            12.5
                hogwild           3  2 workers

                """)
    }

    @Test func `a cell holds text alone, whatever a file says`() {
        var table = TextTable([.text("name"), .number("n")])
        table.append(["\u{1B}[1m\n", "1"])
        #expect(table.rendered().hasSuffix("\\x1b[1m\\x0a  1\n"))
    }

    @Test func `columns stay aligned where a character takes no column or two`() {
        var table = TextTable([.text("name"), .number("n")])
        table.append(["Cafe\u{301}", "1"])
        table.append(["学習", "2"])
        table.append(["█▏", "3"])
        #expect(
            table.rendered() == """
                name  n
                ----  -
                Cafe\u{301}  1
                学習  2
                █▏    3

                """)
    }

    @Test func `a table that is too wide goes on below, with its first column again`() {
        var table = TextTable([.text("algorithm"), .number("time"), .number("loss"), .text("ended")])
        table.append(["sgd", "12.5", "0.31", "completed"])
        #expect(
            table.rendered(width: 21) == """
                algorithm  time  loss
                ---------  ----  ----
                sgd        12.5  0.31

                algorithm  ended
                ---------  ---------
                sgd        completed

                """)
        #expect(table.rendered(width: 34) == table.rendered(width: nil))
        // What is too narrow for two columns still shows them two by two.
        #expect(table.rendered(width: 1).split(separator: "\n\n").count == 3)
    }

    @Test func `a table without rows is its header`() {
        #expect(TextTable([.text("a"), .number("b")]).rendered() == "a  b\n-  -\n")
    }
}
