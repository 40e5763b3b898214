import Foundation
import Measurement
import Platform
import Testing

@testable import Reporting

@Suite struct TerminalFigureTests {
    @Test func `a distribution function rises from the share of the least to all`() {
        #expect(
            TerminalECDF([(0, 1), (1, 2), (3, 1)], valueHeader: "updates").rendered(width: 12, height: 4) == """
                share of updates with at most so many updates
                 100%        █
                         █████
                  50%    █████
                      ████████
                      0   1  3

                """)
        for counts in [[(0, 5), (1_000_000, 1)], [(7, 3)], [(1, 1), (2, 1), (40, 1)]]
            as [[(value: UInt64, count: UInt64)]]
        {
            for width in [20, 33, 90] {
                let lines = TerminalECDF(counts, valueHeader: "updates").rendered(width: width).split(separator: "\n")
                #expect(lines.dropFirst().allSatisfy { $0.count <= width })
                // The last column is the largest value, of which all are.
                #expect(lines[1].hasSuffix("█"))
            }
        }
        #expect(TerminalECDF([], valueHeader: "updates").rendered() == "")
    }

    @Test func `a matrix has the means of its rows' updates, and blocks of workers where they do not fit`() {
        #expect(
            TerminalMatrix([[0, 20], [5, 0]], updates: [10, 10]).rendered(width: 40) == """
                tau of, by        0       1
                ----------  -------  ------
                0               0    2.00 █
                1           0.500 ▒     0

                """)
        let many = [[UInt64]](repeating: Array(repeating: 1, count: 100), count: 100)
        let text = TerminalMatrix(many, updates: Array(repeating: 10, count: 100)).rendered(width: 80)
        let lines = text.split(separator: "\n")
        #expect(lines.allSatisfy { $0.count <= 80 } && lines[2].hasPrefix("0-"))
        // Blocks of 15 workers: each update of a worker has 15 times a tenth of each.
        #expect(text.contains("1.50"))
    }

    @Test func `the file of staleness has every count, as CSV or as JSON`() throws {
        let recorders = (0..<2).map { _ in StalenessRecorder() }
        recorders[0].record(1, count: 3)
        recorders[1].record(0, count: 2)
        var summary = StalenessSummary(method: .exact, every: 1, recorders: recorders)
        summary.delayedBy = [[0, 3], [0, 0]]
        summary.overTime = [.init(updates: 5, count: 5, mean: 0.6)]
        summary.lockWaits = [.init(atLeastSeconds: 0.5, count: 2, meanStaleness: 1.5)]
        #expect(
            StalenessFile.csv(summary) == """
                table,index,value,count
                all,,0,2
                all,,1,3
                worker,0,1,3
                worker,1,0,2
                delayedBy,0,0,0
                delayedBy,0,1,3
                delayedBy,1,0,0
                delayedBy,1,1,0
                overTime,5,0.6,5
                lockWait,0.5,1.5,2

                """)
        let path = FileManager.default.temporaryDirectory.path + "/staleness-\(UUID().uuidString).json"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try StalenessFile.write(summary, to: path)
        let read = try JSONDecoder().decode(
            StalenessSummary.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
        #expect(read == summary)
        #expect(throws: InputError.self) { try StalenessFile.check("staleness.txt") }
    }
}
