// Reading a model from LIBLINEAR's text format. Any thread.

internal import Datasets
public import Platform

extension LinearModel {
    /// Reads a model that LIBLINEAR or this project wrote, from a file, a pipe or, for `-`, standard input: two classes or a
    /// regression, all numbers finite, labels whole numbers of at most 64 bits.
    public init(contentsOf path: String) throws(InputError) {
        let file = try TextFile(path, expected: ModelText.expectedFile)
        try self.init(text: file.contents(), name: path)
    }

    /// Takes the model from the text of its file, which a zero byte ends.
    init(text: [UInt8], name: String) throws(InputError) {
        try self.init(ModelText(text, name: name))
    }

    /// Reads the text of a model file; `name` is used in errors.
    public init(parsing text: String, name: String) throws(InputError) {
        try self.init(text: Array(text.utf8) + [0], name: name)
    }

    private init(_ source: consuming ModelText) throws(InputError) {
        var text = source
        try text.skipMark()
        try text.readHeader()
        let solver = try text.words("solver_type", 1)[0]
        guard let loss = Self.losses[solver] else {
            throw text.refusal(
                "solver_type", expected: "a linear solver of two classes, such as L2R_LR, or a regression")
        }
        guard try text.number("nr_class") == 2 else {
            throw text.refusal("nr_class", expected: "nr_class 2: a model of two classes, or a regression")
        }
        var labels: [Label] = [1, -1]
        if loss.isClassification {
            labels = try text.words("label", 2).compactMap { Label(parsing: $0) }.filter(Self.isLabel)
            if labels.count != 2 || labels[0] == labels[1] {
                throw text.refusal("label", expected: "label and two different whole numbers of at most 64 bits")
            }
        }
        let bias = try text.number("bias")
        let features = try text.words("nr_feature", 1)[0]
        guard let features = Int(features), (0...Int(UInt32.max)).contains(features) else {
            throw text.refusal("nr_feature", expected: "nr_feature and a count up to \(UInt32.max)")
        }
        let expected = features + (bias >= 0 ? 1 : 0)
        var weights = try text.readWeights(reserving: expected)
        guard weights.count == expected else {
            throw InputError(
                at: text.name, found: "\(weights.count) weights", expected: "\(expected), as nr_feature and bias say")
        }
        let intercept = bias >= 0 ? weights.removeLast() * bias : nil
        if let intercept, !intercept.isFinite {
            throw text.refusal("bias", expected: "a bias whose product with the last weight is finite")
        }
        self.init(
            loss: loss, weights: weights, intercept: intercept, positiveLabel: labels[0], negativeLabel: labels[1])
    }

    /// The loss whose predictions are those of a solver of LIBLINEAR.
    private static let losses: [String: LossKind] = [
        "L2R_LR": .logistic, "L2R_LR_DUAL": .logistic, "L1R_LR": .logistic,
        "L2R_L2LOSS_SVC_DUAL": .hinge, "L2R_L2LOSS_SVC": .hinge, "L2R_L1LOSS_SVC_DUAL": .hinge,
        "L1R_L2LOSS_SVC": .hinge,
        "L2R_L2LOSS_SVR": .squared, "L2R_L2LOSS_SVR_DUAL": .squared, "L2R_L1LOSS_SVR_DUAL": .squared,
    ]
}

/// The bytes of a model file, and how far they are read.
private struct ModelText: ~Copyable {
    static let expectedFile = "a model in LIBLINEAR's format"
    private static let keys = ["solver_type", "nr_class", "label", "nr_feature", "bias"]

    let name: String
    /// A zero byte ends them.
    private let bytes: [UInt8]
    private var position = 0
    private var line = 0
    private var header: [String: (line: Int, words: [String])] = [:]

    init(_ bytes: [UInt8], name: String) {
        self.bytes = bytes
        self.name = name
    }

    mutating func skipMark() throws(InputError) { position = try ByteOrderMark.length(in: bytes, name: name) }

    /// Reads the lines up to the one that says `w`.
    mutating func readHeader() throws(InputError) {
        while let words = nextLine() {
            guard let key = words.first else { continue }
            if words == ["w"] { return }
            guard words.count >= 2, Self.keys.contains(key), header[key] == nil else {
                throw refusal(line, words, expected: "a header line of a model in LIBLINEAR's format")
            }
            header[key] = (line, Array(words.dropFirst()))
        }
        throw InputError(at: name, found: "no line w", expected: Self.expectedFile)
    }

    /// Reads the lines after the header: one weight each.
    mutating func readWeights(reserving count: Int) throws(InputError) -> [Float] {
        var weights: [Float] = []
        // A weight takes two bytes at least: what the header promises may not be there.
        weights.reserveCapacity(min(count, bytes.count / 2))
        let powers = unsafe Decimal.powers
        while position < bytes.count - 1 {
            let start = position
            let weight = unsafe bytes.withUnsafeBufferPointer { bytes in
                var p = unsafe bytes.baseAddress! + start
                let value = unsafe Decimal.parse(&p, powers: powers)
                position = unsafe p - bytes.baseAddress!
                return value
            }
            if weight.isFinite, restOfLineIsBlank() {
                line += 1
                weights.append(weight)
                continue
            }
            position = start
            if let words = nextLine(), !words.isEmpty {
                guard words.count == 1, let weight = Float(words[0]), weight.isFinite else {
                    throw refusal(line, words, expected: "one weight, a finite number")
                }
                weights.append(weight)
            }
        }
        return weights
    }

    /// The words after a key of the header.
    func words(_ key: String, _ count: Int) throws(InputError) -> [String] {
        guard let words = header[key]?.words else {
            throw InputError(at: name, found: "no line \(key)", expected: Self.expectedFile)
        }
        if words.count != count { throw refusal(key, expected: count == 1 ? "one value" : "\(count) values") }
        return words
    }

    /// The one number after a key, finite.
    func number(_ key: String) throws(InputError) -> Float {
        guard let number = Float(try words(key, 1)[0]), number.isFinite else {
            throw refusal(key, expected: "\(key) and a finite number")
        }
        return number
    }

    /// That the line of a key cannot be used.
    func refusal(_ key: String, expected: String) -> InputError {
        refusal(header[key]?.line ?? 0, [key] + (header[key]?.words ?? []), expected: expected)
    }

    private func refusal(_ line: Int, _ words: [String], expected: String) -> InputError {
        let text = words.joined(separator: " ").prefix(40)
        return InputError(at: "\(name):\(line)", found: "\"\(text)\"", expected: expected)
    }

    /// Moves past the newline, or to the end, where only blanks come before it.
    private mutating func restOfLineIsBlank() -> Bool {
        while position < bytes.count - 1 {
            let byte = bytes[position]
            if !Self.isBlank(byte) && byte != UInt8(ascii: "\n") { return false }
            position += 1
            if byte == UInt8(ascii: "\n") { break }
        }
        return true
    }

    /// The words of the next line, or nil at the end.
    private mutating func nextLine() -> [String]? {
        if position >= bytes.count - 1 { return nil }
        let rest = bytes[position..<bytes.count - 1]
        let content = rest.prefix { $0 != UInt8(ascii: "\n") }
        position = min(content.endIndex + 1, bytes.count - 1)
        line += 1
        return content.split(whereSeparator: Self.isBlank).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
    }
}
