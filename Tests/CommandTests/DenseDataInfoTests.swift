import Foundation
import Testing

/// What `relaxed data info` prints about dense data.
struct DenseDataInfoTests {
    private struct Info: Decodable {
        struct Label: Decodable, Equatable {
            let label: String
            let rows: Int
        }

        struct Range: Decodable {
            let min: Double
            let max: Double
        }

        struct Column: Decodable {
            let name: String
            let kind: String
            let missing: Int
            let mean: Double
            let deviation: Double
        }

        let schema: Int
        let format: String
        let rows: Int
        let columns: Int
        let columnsByKind: [String: Int]
        let missing: Int
        let means: Range
        let labels: [Label]?
        let labelRange: Range?
        let statistics: [Column]
    }

    private let table = "x,kind,y\n1,a,no\n3,,yes\n,b,no\n"

    @Test(arguments: ["data", "-"]) func `data info describes the columns of a table`(data: String) throws {
        let workspace = try Workspace()
        try workspace.write("data", table)
        let line = "data info \(data) --label y --json -"
        let info: Info = try decode(workspace.relaxed(line, input: data == "-" ? table : nil).output)
        #expect(info.schema == 1 && info.format == "csv" && info.rows == 3 && info.columns == 3)
        #expect(info.missing == 2 && info.columnsByKind == ["numeric": 1, "indicator": 2])
        #expect(info.labels == [.init(label: "no", rows: 2), .init(label: "yes", rows: 1)])
        #expect(info.statistics.map(\.name) == ["x", "kind=a", "kind=b"] && info.statistics[0].mean == 2)
        #expect(info.statistics[0].deviation == 1 && info.statistics.map(\.missing) == [1, 1, 1])
        let text = try workspace.relaxed("data info data --label y --top 1").output
        #expect(text.contains("1 numeric") && text.contains("and 2 more columns"))
    }

    @Test func `data info reads sparse rows from a pipe`() throws {
        let outcome = try Workspace().relaxed("data info - --json -", input: "1 1:1 4:1\n-1 4:2\n")
        #expect(outcome.code == 0 && outcome.output.contains("\"nonzeros\""))
    }

    @Test(arguments: [
        ("--label z", "--label: found \"z\""), ("--array x", "--array: found data in the format csv"),
        ("--format npz", "data: found"), ("--format nosuch", "--format: found \"nosuch\""),
        ("--header perhaps", "--header: found \"perhaps\""), ("--positive 1", "--positive: found data in the format"),
        ("--format libsvm", "data:1: "), ("--format idx", "an IDX file"), ("--cache", "--cache: found"),
    ])
    func `data info refuses what does not suit the data in one line`(options: String, fragment: String) throws {
        let workspace = try Workspace()
        try workspace.write("data", table)
        let outcome = try workspace.relaxed("data info data \(options) --json record.json")
        #expect(outcome.code == 2 && outcome.output == "" && outcome.errorLines.count == 1)
        #expect(outcome.errors.contains(fragment), "\(outcome.errors)")
        #expect(try workspace.files() == ["data"])
    }
}
