// What a column of a dense data set is. Any thread; a value type.

/// A column: what it is called and how its numbers came about, which decides how `Standardisation` scales it.
public struct DenseColumn: Codable, Sendable, Equatable {
    public enum Kind: Codable, Sendable, Equatable {
        /// A measurement.
        case numeric
        /// 1 in the rows where the text column `column` has the value `category`, and 0 in the others.
        case indicator(column: String, category: String)
        /// The brightness of a picture's element, from 0; all such columns of a data set share one scale.
        case pixel
    }

    /// The name in the file, `COLUMN=CATEGORY` for an indicator, or the number of the column, from 1.
    public let name: String
    public let kind: Kind

    public init(name: String, kind: Kind = .numeric) {
        self.name = name
        self.kind = kind
    }

    /// The indicator of a category of a text column.
    public init(column: String, category: String) {
        self.init(name: "\(column)=\(category)", kind: .indicator(column: column, category: category))
    }

    /// `count` columns of the same kind that have no names.
    static func numbered(_ count: Int, kind: Kind) -> [DenseColumn] {
        (0..<count).map { DenseColumn(name: "\($0 + 1)", kind: kind) }
    }
}
