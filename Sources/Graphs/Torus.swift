// torus: a grid whose ends are joined. Plain values; any thread.

public import Platform

/// N = rows x columns ranks, row by row, each with one neighbour up, down, left and right, mod rows and mod columns.
///
/// With two rows or columns both neighbours along them are the same one, which counts twice, as on the ring of two.
public struct Torus: Graph {
    public static let facts = GraphFacts(
        name: "torus", summary: "a grid whose ends are joined: four neighbours", source: "Lian et al. 2017",
        settings: [SettingFacts("rows", default: nil, "rows of the grid; as square as N allows")])

    public let workers: Int
    public let rows: Int
    public var columns: Int { workers / rows }

    public init(_ settings: inout NamedSettings, workers: Int, seed: UInt64) throws(InputError) {
        let squarest = (1...max(1, Int(Double(workers).squareRoot()))).last { workers.isMultiple(of: $0) } ?? 1
        let given = try settings.integer("rows", default: squarest, in: 1...max(1, workers))
        guard workers.isMultiple(of: given), given > 1, workers / given > 1 else {
            throw InputError(
                at: settings.place, found: "torus for \(workers) workers in \(given) rows",
                expected: "a number that is rows times columns, both at least 2; the torus of one row is the ring")
        }
        self.workers = workers
        rows = given
    }

    public var isVertexTransitive: Bool { true }

    public func targets(of rank: Int, round: Int) -> [Int] {
        let (row, column) = rank.quotientAndRemainder(dividingBy: columns)
        func at(_ row: Int, _ column: Int) -> Int { (row + rows) % rows * columns + (column + columns) % columns }
        return [at(row, column + 1), at(row, column - 1), at(row + 1, column), at(row - 1, column)]
    }
}
