// The settings that follow a codec's name on the command line, `bits=4,bucket=512`. Plain values; any thread.

import Platform

/// Settings by name, taken out one after the other; what is left at the end is an error.
struct CodecSettings {
    /// Where the settings stand, for errors.
    let place: String
    private var values: [String: String]

    /// Reads `key=value,key=value`; the empty text has no settings.
    init(parsing text: Substring, at place: String) throws(InputError) {
        self.place = place
        values = [:]
        for part in text.split(separator: ",", omittingEmptySubsequences: false) where !text.isEmpty {
            let halves = part.split(separator: "=", maxSplits: 1)
            guard halves.count == 2, values.updateValue(String(halves[1]), forKey: String(halves[0])) == nil else {
                throw InputError(at: place, found: "\"\(part)\"", expected: "settings such as bits=4, each once")
            }
        }
    }

    /// Takes a whole number; the default where the setting is absent.
    mutating func integer(_ key: String, default standard: Int, in range: ClosedRange<Int>) throws(InputError) -> Int {
        guard let text = values.removeValue(forKey: key) else { return standard }
        guard let value = Int(text), range.contains(value) else {
            throw InputError(
                at: place, found: "\(key)=\(text)",
                expected: "\(key) to be a whole number in \(range.lowerBound)...\(range.upperBound)")
        }
        return value
    }

    /// Takes a whole number, or a word that stands for one.
    mutating func integer(
        _ key: String, default standard: Int, in range: ClosedRange<Int>, orWord word: String, meaning: Int
    ) throws(InputError) -> Int {
        if values[key] == word {
            values[key] = nil
            return meaning
        }
        return try integer(key, default: standard, in: range)
    }

    /// Takes a number that is positive and at most `upperBound`; nil where the setting is absent.
    mutating func positiveNumber(_ key: String, upTo upperBound: Double = .greatestFiniteMagnitude) throws(InputError)
        -> Double?
    {
        guard let text = values.removeValue(forKey: key) else { return nil }
        guard let value = Double(text), value > 0, value <= upperBound else {
            let limit = upperBound == .greatestFiniteMagnitude ? "" : " and at most \(upperBound)"
            throw InputError(
                at: place, found: "\(key)=\(text)", expected: "\(key) to be a number greater than 0\(limit)")
        }
        return value
    }

    /// Takes a number that is positive and finite as a float32; nil where the setting is absent.
    mutating func positiveFloat(_ key: String) throws(InputError) -> Float? {
        guard let text = values.removeValue(forKey: key) else { return nil }
        guard let value = Float(text), value > 0, value.isFinite else {
            throw InputError(
                at: place, found: "\(key)=\(text)",
                expected:
                    "\(key) to be a number from \(Float.leastNonzeroMagnitude) to \(Float.greatestFiniteMagnitude)")
        }
        return value
    }

    /// Takes a setting if it has the value `word`.
    mutating func word(_ key: String, _ word: String) -> Bool {
        guard values[key] == word else { return false }
        values[key] = nil
        return true
    }

    /// How many elements a sparsifier keeps.
    enum Quantity {
        case number(Int)
        case fraction(Double)
    }

    /// Takes `k`, or `fraction`, which is 0.01 where both are absent.
    mutating func quantity() throws(InputError) -> Quantity {
        guard values["k"] == nil else { return .number(try integer("k", default: 1, in: 1...Int(UInt32.max))) }
        return .fraction(try positiveNumber("fraction", upTo: 1) ?? 0.01)
    }

    /// Takes one of several words; the default, or else the first, where the setting is absent.
    mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String, _: Choice.Type = Choice.self, default standard: Choice? = nil
    ) throws(InputError) -> Choice where Choice.RawValue == String {
        guard let text = values.removeValue(forKey: key) else {
            return standard ?? Choice.allCases[Choice.allCases.startIndex]
        }
        guard let value = Choice(rawValue: text) else {
            let words = Choice.allCases.map(\.rawValue).joined(separator: " or ")
            throw InputError(at: place, found: "\(key)=\(text)", expected: "\(key) to be \(words)")
        }
        return value
    }

    /// Throws where a setting was not taken.
    func finish() throws(InputError) {
        guard let key = values.keys.min() else { return }
        throw InputError(at: place, found: "the setting \(key)", expected: "only settings that the codec has")
    }
}
