// Times as people write them, `50us`. Plain values; any thread.

/// A time such as `50us`, `2ms`, `1.5s`, `3min`, or `1.5` for seconds.
public enum TimeText {
    /// What `seconds(parsing:at:)` reads, for help and errors.
    public static let forms = "a time such as 50us, 2ms or 1.5s, or a number of seconds"

    /// By how much a number before the unit is multiplied, then divided; the longer of two units that end alike stands first.
    private static let units: [(name: String, multiplier: Double, divisor: Double)] = [
        ("ns", 1, 1e9), ("us", 1, 1e6), ("µs", 1, 1e6), ("μs", 1, 1e6), ("ms", 1, 1e3), ("s", 1, 1), ("min", 60, 1),
        ("h", 3600, 1), ("", 1, 1),
    ]

    /// The seconds that `text` says, finite and not negative.
    ///
    /// Throws `InputError` at `place`, the name of an option, for anything else.
    public static func seconds(parsing text: String, at place: String) throws(InputError) -> Double {
        for unit in units where text.hasSuffix(unit.name) {
            let number = text.dropLast(unit.name.count).reversed().drop { $0 == " " }.reversed()
            // `Double` takes names and hexadecimal digits, too.
            guard number.allSatisfy({ "0123456789+-.eE".contains($0) }), let value = Double(String(number)) else {
                break
            }
            let seconds = value * unit.multiplier / unit.divisor
            guard seconds >= 0, seconds.isFinite else { break }
            return seconds
        }
        throw InputError(at: place, found: "\"\(text)\"", expected: forms)
    }
}
