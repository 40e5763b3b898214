import Foundation
import Measurement
import Reporting
import Testing

/// What several runs come to.
@Suite struct RunSummaryTests {
    @Test func `a deviation is that of a sample, and one run has none`() {
        let figure = RunSummary.Figure([2, 4, 4, 4, 5, 5, 7, 9])
        #expect(figure.mean == 5 && abs((figure.standardDeviation ?? 0) - (32.0 / 7).squareRoot()) < 1e-15)
        #expect(RunSummary.Figure([3]) == RunSummary.Figure([3]) && RunSummary.Figure([3]).standardDeviation == nil)
    }

    @Test func `runs with several seeds are lines with mean and deviation, or one line`() throws {
        let runs = [record(losses: [0.7, 0.2], seconds: 1, seed: 1), record(losses: [0.7, 0.4], seconds: 3, seed: 2)]
        let summary = try #require(RunSummary(of: runs))
        var table = SeedsTable(first: runs[0])
        #expect(
            table.header + table.line(runs[0]) + table.line(runs[1]) + table.lines(summary) == """
                seed                   loss  accuracy  seconds  updates/s  tau mean  ended
                ------------------  -------  --------  -------  ---------  --------  ---------
                1                   0.20000   0.80000    1.000     2.00 k     2.000  completed
                2                   0.40000   0.60000    3.000        667     2.000  completed
                mean                0.30000   0.70000    2.000     1.33 k     2.000
                standard deviation  0.14142   0.14142    1.414        943         0

                """)
        var short = SeedsTable(first: runs[0], algorithms: ["sgd", "hogwild"])
        let line = short.lines(summary)
        #expect(
            line.split(separator: " ").joined(separator: " ").hasPrefix("sgd 1 2 0.30000 ± 0.14142 0.70000 ± 0.14142"))
    }

    @Test func `what ended in several ways says so, and interrupted runs do not count`() throws {
        let runs = [
            record(), record(seed: 2, status: .targetReached), record(seed: 3), record(seed: 4, status: .interrupted),
        ]
        let summary = try #require(RunSummary(of: runs))
        #expect(summary.seeds == [1, 2, 3] && summary.endings == ["completed": 2, "targetReached": 1])
        var table = SeedsTable(first: runs[0], algorithms: ["sgd"])
        let line = table.lines(summary)
        #expect(line.hasSuffix("2 completed, 1 target reached\n"))
        #expect(RunSummary(of: [runs[3]]) == nil)
    }

    @Test func `one run is its record, several are a list beside their summary`() throws {
        func object(_ records: RunRecords) throws -> [String: Any] {
            try JSONSerialization.jsonObject(with: Data(JSONOutput.text(of: records).utf8)) as? [String: Any] ?? [:]
        }
        #expect(try object(RunRecords([record()], isList: false))["points"] != nil)
        let list = try object(RunRecords([record()], isList: true))
        #expect(Array(list.keys) == ["runs"])
        let summary = try #require(RunSummary(of: [record(), record(seed: 2)]))
        let seeds = try object(RunRecords([record(), record(seed: 2)], summary: [summary], isList: true))
        #expect((seeds["runs"] as? [Any])?.count == 2 && (seeds["summary"] as? [Any])?.count == 1)
    }
}
