// Whether a column that is not of numbers alone was meant to be. Every worker thread counts for itself.

internal import Platform

/// How many fields of a text column are numbers.
struct FieldTally {
    /// Fields that are not missing.
    var present = 0
    /// Those of them that are numbers, be their fraction behind a point or a comma.
    var numbers = 0
    /// Those of them that say that a number was not finite.
    var unbounded = 0
    /// Where the first that is no number stands in the text, and the mark before its fraction where that is what makes it none.
    var odd: (position: Int, text: [UInt8], mark: String?)?

    /// From this share of numbers on a column is taken for one of numbers, in which other texts are mistakes.
    static let numericShare = 0.75

    static func += (tally: inout FieldTally, later: FieldTally) {
        tally.present += later.present
        tally.numbers += later.numbers
        tally.unbounded += later.unbounded
        tally.odd = tally.odd ?? later.odd
    }

    /// That a column of numbers has a field that is none; nil where it is no such column.
    func fault(column: String) -> CSVFault? {
        let meant = numbers + unbounded
        guard let odd, meant > 0, Double(meant) >= Self.numericShare * Double(present) else { return nil }
        let remedy =
            odd.mark.map { "--decimal \($0) reads fractions behind it" }
            ?? "--missing takes more words as missing values"
        let count = "\(present) fields \(numbers) are numbers" + (odd.mark == nil ? "" : ", with a point or a comma")
        return CSVFault(
            position: odd.position, found: "\(quoted(odd.text)) in column \"\(column)\", of whose \(count)",
            expected: "a number (\(remedy), --category \(column) takes all its fields as names)")
    }
}
