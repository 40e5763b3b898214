import BenchSupport
import Testing

@Suite struct ContestTests {
    @Test func `contestants take turns, the order turns round, and the first run of each does not count`() throws {
        var order = ""
        let contest = try Contest(
            rounds: 3, unit: "s",
            [
                .init("a") {
                    order += "a"
                    return Double(order.count)
                },
                .init("b") {
                    order += "b"
                    return Double(order.count)
                },
            ])
        #expect(order == "ab" + "ab" + "ba" + "ab")
        #expect(contest.figures.map(\.rounds) == [[3, 6, 7], [4, 5, 8]])
    }

    @Test func `a ratio is the median of the rounds' own ratios, so that a slow moment of the machine cancels`() throws
    {
        var rounds: [Double] = [0, 1, 100, 2]
        var reference: [Double] = [0, 2, 200, 1]
        let contest = try Contest(
            rounds: 3, unit: "s",
            [.init("ours") { rounds.removeFirst() }, .init("C") { reference.removeFirst() }])
        #expect(contest.ratio(of: "ours", to: "C") == 0.5)
        #expect(contest.ratio(of: "ours", to: "absent") == nil)
        #expect(contest.rendered(reference: "absent").contains(" -\n"))
    }

    @Test func `quantiles are figures that occurred`() throws {
        var values: [Double] = [0, 4, 1, 3, 2]
        let figures = try Contest(rounds: 4, unit: "s", [.init("x") { values.removeFirst() }]).figures[0]
        #expect([0, 0.25, 0.5, 0.99, 1].map(figures.quantile) == [1, 1, 2, 4, 4])
    }

    @Test func `a yardstick that is not there is nil, not an error`() {
        #expect(Yardstick("none", sources: ["no-such-file.c"], options: [], scratch: "/tmp") == nil)
    }
}
