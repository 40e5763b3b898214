// The settings that follow a name on the command line, `quantize:bits=4,bucket=512`. Plain values; any thread.

/// A name and its settings, which are taken out one after the other; what is left at the end is an error.
public struct NamedSettings: Sendable {
    /// What stands before the colon.
    public let name: String
    /// Where the settings stand, for errors: an option such as `--codec`.
    public let place: String
    private var values: [String: String]
    /// What was asked for, given or not.
    private var keys: Set<String> = []

    /// Reads `NAME` or `NAME:key=value,key=value`.
    public init(parsing text: some StringProtocol, at place: String) throws(InputError) {
        let halves = String(text).split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        try self.init(name: halves[0], settings: halves.count == 2 ? halves[1] : "", at: place)
    }

    /// Reads `key=value,key=value`; the empty text has no settings.
    public init(name: String, settings text: String, at place: String) throws(InputError) {
        self.name = name
        self.place = place
        values = [:]
        for part in text.split(separator: ",", omittingEmptySubsequences: false) where !text.isEmpty {
            let halves = part.split(separator: "=", maxSplits: 1)
            guard halves.count == 2, values.updateValue(String(halves[1]), forKey: String(halves[0])) == nil else {
                throw InputError(at: place, found: "\"\(part)\"", expected: "settings such as key=value, each once")
            }
        }
    }

    /// Takes a setting as it stands; nil where it is absent.
    public mutating func take(_ key: String) -> String? {
        keys.insert(key)
        return values.removeValue(forKey: key)
    }

    /// Takes a whole number; the default where the setting is absent.
    public mutating func integer(_ key: String, default standard: Int, in range: ClosedRange<Int>) throws(InputError)
        -> Int
    {
        guard let text = take(key) else { return standard }
        guard let value = Int(text), range.contains(value) else {
            throw InputError(
                at: place, found: "\(key)=\(text)",
                expected: "\(key) to be a whole number in \(range.lowerBound)...\(range.upperBound)")
        }
        return value
    }

    /// Takes a whole number, or a word that stands for one.
    public mutating func integer(
        _ key: String, default standard: Int, in range: ClosedRange<Int>, orWord word: String, meaning: Int
    ) throws(InputError) -> Int {
        if self.word(key, word) { return meaning }
        return try integer(key, default: standard, in: range)
    }

    /// Takes a number that is positive and at most `upperBound`; nil where the setting is absent.
    public mutating func positiveNumber(_ key: String, upTo upperBound: Double = .greatestFiniteMagnitude)
        throws(InputError)
        -> Double?
    {
        guard let text = take(key) else { return nil }
        guard let value = Double(text), value > 0, value <= upperBound else {
            let limit = upperBound == .greatestFiniteMagnitude ? "" : " and at most \(upperBound)"
            throw InputError(
                at: place, found: "\(key)=\(text)", expected: "\(key) to be a number greater than 0\(limit)")
        }
        return value
    }

    /// Takes a number that is positive and finite as a float32; nil where the setting is absent.
    public mutating func positiveFloat(_ key: String) throws(InputError) -> Float? {
        guard let text = take(key) else { return nil }
        guard let value = Float(text), value > 0, value.isFinite else {
            throw InputError(
                at: place, found: "\(key)=\(text)",
                expected:
                    "\(key) to be a number from \(Float.leastNonzeroMagnitude) to \(Float.greatestFiniteMagnitude)")
        }
        return value
    }

    /// Takes a setting if it has the value `word`.
    public mutating func word(_ key: String, _ word: String) -> Bool {
        keys.insert(key)
        guard values[key] == word else { return false }
        values[key] = nil
        return true
    }

    /// Takes one of several words; the default, or else the first, where the setting is absent.
    public mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String, _: Choice.Type = Choice.self, default standard: Choice? = nil
    ) throws(InputError) -> Choice where Choice.RawValue == String {
        guard let text = take(key) else {
            return standard ?? Choice.allCases[Choice.allCases.startIndex]
        }
        guard let value = Choice(rawValue: text) else {
            let words = Choice.allCases.map(\.rawValue)
            let nearest = words.nearest(to: text).map { "; did you mean \($0)?" } ?? ""
            throw InputError(
                at: place, found: "\(key)=\(text)",
                expected: "\(key) to be \(words.joined(separator: " or "))\(nearest)")
        }
        return value
    }

    /// Throws where a setting was not taken.
    public func finish() throws(InputError) {
        guard let key = values.keys.min() else { return }
        let own = keys.isEmpty ? "no settings" : "the settings \(keys.sorted().joined(separator: ", "))"
        let nearest = keys.sorted().nearest(to: key).map { "; did you mean \($0)?" } ?? ""
        throw InputError(at: place, found: "\(name) with the setting \(key)", expected: own + nearest)
    }
}
