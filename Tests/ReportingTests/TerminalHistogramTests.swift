import Testing

@testable import Reporting

@Suite struct TerminalHistogramTests {
    @Test func `few values get one line each, gaps included, and a rare one still shows`() {
        let histogram = TerminalHistogram(
            [(3, 1), (0, 6000), (1, 3000)], valueHeader: "staleness", countHeader: "updates")
        #expect(
            histogram.rendered(width: 58) == """
                staleness  updates  share  cumulative
                ---------  -------  -----  ----------
                        0    6,000  66.7%       66.7%  ███████████████████
                        1    3,000  33.3%      >99.9%  █████████▌
                        2        0   0.0%      >99.9%
                        3        1  <0.1%      100.0%  ▏

                """)
    }

    @Test func `wide distributions get ranges that double`() {
        let histogram = TerminalHistogram([(0, 5), (1, 2), (3, 1), (1000, 1)], valueHeader: "staleness")
        #expect(
            histogram.bins.map(\.range) == [
                0...0, 1...1, 2...3, 4...7, 8...15, 16...31, 32...63, 64...127, 128...255, 256...511, 512...1023,
            ])
        #expect(histogram.bins.map(\.count) == [5, 2, 1, 0, 0, 0, 0, 0, 0, 0, 1])
    }

    @Test func `values close together get ranges of one round width`() {
        let histogram = TerminalHistogram([(63, 1), (127, 8), (190, 1)], valueHeader: "staleness")
        #expect(histogram.bins.first?.range == 60...69)
        #expect(histogram.bins.last?.range == 190...199)
        #expect(histogram.bins.count == 14)
        #expect(histogram.bins.reduce(0) { $0 + $1.count } == 10)
    }

    @Test(
        arguments: [[0, 1], [0, 30], [0, .max], [.max], [.max - 5, .max], [.max - 1000, .max], [1, 7, 1 << 40]]
            as [[UInt64]])
    func `no count is lost and the lines stay few, up to the largest integers`(values: [UInt64]) {
        let histogram = TerminalHistogram(values.map { ($0, 3) }, valueHeader: "value", maximumLines: 12)
        #expect(histogram.bins.count <= 12)
        #expect(histogram.bins.reduce(0) { $0 + $1.count } == 3 * UInt64(values.count))
        for (bin, next) in zip(histogram.bins, histogram.bins.dropFirst()) {
            #expect(bin.range.upperBound + 1 == next.range.lowerBound)
        }
    }

    @Test func `a bar is proportional in eighths, empty only for zero, full only for the largest`() {
        #expect(TerminalHistogram.bar(0, of: 8, columns: 1) == "")
        #expect(TerminalHistogram.bar(1, of: 1_000_000, columns: 10) == "▏")
        #expect(TerminalHistogram.bar(3, of: 8, columns: 1) == "▍")
        #expect(TerminalHistogram.bar(12, of: 16, columns: 2) == "█▌")
        #expect(TerminalHistogram.bar(8, of: 8, columns: 3) == "███")
    }

    @Test func `no values is said, not drawn`() {
        #expect(TerminalHistogram([(4, 0)], valueHeader: "staleness").rendered() == "staleness: no values\n")
    }
}
