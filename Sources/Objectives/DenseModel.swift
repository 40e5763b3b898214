// A trained dense model and its file, in the safetensors format. Any thread.

public import Datasets
internal import Foundation
public import Platform

/// A trained perceptron with what it takes to apply it to raw rows.
public struct DenseModel: Sendable, Equatable {
    public var network: MultilayerPerceptron
    /// The flat vector, as `network` lays it out.
    public var parameters: [Float]
    /// Of each input, or nil where rows are taken as they are.
    public var standardisation: Standardisation?
    /// Of each output of a regression, or nil where targets were taken as they are.
    public var targetStandardisation: Standardisation?
    /// The names of the classes, in the order of the outputs; empty for regression.
    public var classNames: [String]
    /// The columns that rows of a table are made into, one per input; nil where the place of a number says what it is.
    public var columns: [DenseColumn]?
    /// The column of such a table that had the labels.
    public var labelName: String?
    /// More that the file's metadata says; keys of the format itself are left out.
    public var notes: [String: String]

    /// `classNames` are 0, 1, … where they are not given.
    public init(
        network: MultilayerPerceptron, parameters: [Float], standardisation: Standardisation? = nil,
        targetStandardisation: Standardisation? = nil, classNames: [String]? = nil, columns: [DenseColumn]? = nil,
        labelName: String? = nil, notes: [String: String] = [:]
    ) {
        let isSoftmax = network.loss == .softmax
        let names = classNames ?? (isSoftmax ? (0..<network.outputs).map(String.init) : [])
        precondition(parameters.count == network.parameterCount, "\(parameters.count) parameters")
        precondition(names.count == (isSoftmax ? network.outputs : 0), "\(names.count) names of classes")
        precondition(
            standardisation.map { $0.scales.count == network.inputs } ?? true, "standardisation of other inputs")
        precondition(columns.map { $0.count == network.inputs } ?? true, "columns of other inputs")
        precondition(
            targetStandardisation.map { !isSoftmax && $0.scales.count == network.outputs } ?? true,
            "standardisation of other outputs")
        self.network = network
        self.parameters = parameters
        self.standardisation = standardisation
        self.targetStandardisation = targetStandardisation
        self.classNames = names
        self.columns = columns
        self.labelName = labelName
        self.notes = notes
    }
}

extension DenseModel {
    private static let format = "relaxed-sgd dense model"
    private static let version = "1"
    private static let kind = "multilayer-perceptron"

    private enum Key: String, CaseIterable {
        case format
        case version
        case kind
        case activation
        case loss
        case classes
        case columns
        case label
    }

    private enum Name {
        static let inputs = "standardisation"
        static let targets = "targets"
        static func weight(_ layer: Int) -> String { "layers.\(layer).weight" }
        static func bias(_ layer: Int) -> String { "layers.\(layer).bias" }
    }

    /// The content of the file: `layers.K.weight` (outputs x inputs) and `layers.K.bias`, the standardisation as the vectors
    /// `standardisation.offset`, `.scale` and `.fill` in 64 bits (of a regression's targets `targets.…`), and as
    /// metadata the format with its version, kind, activation, loss, the column of the labels and, as JSON arrays, the names of
    /// the classes and the columns.
    ///
    /// The penalty is not part of it: predictions do not depend on it.
    public func safeTensors() throws -> SafeTensors {
        var file = SafeTensors(metadata: notes)
        for (k, layer) in network.layers.enumerated() {
            let end = layer.biases + layer.outputs
            file.tensors[Name.weight(k)] = SafeTensors.Tensor(
                shape: [layer.outputs, layer.inputs], values: parameters[layer.weights..<layer.biases].map(Double.init))
            file.tensors[Name.bias(k)] = SafeTensors.Tensor(parameters[layer.biases..<end].map(Double.init))
        }
        for (prefix, columns) in [(Name.inputs, standardisation), (Name.targets, targetStandardisation)] {
            guard let columns else { continue }
            file.tensors["\(prefix).offset"] = SafeTensors.Tensor(columns.offsets, type: .double)
            file.tensors["\(prefix).scale"] = SafeTensors.Tensor(columns.scales, type: .double)
            file.tensors["\(prefix).fill"] = SafeTensors.Tensor(columns.fills, type: .double)
        }
        func set(_ key: Key, _ text: String) { file.metadata[key.rawValue] = text }
        set(.format, Self.format)
        set(.version, Self.version)
        set(.kind, Self.kind)
        set(.activation, network.activation.rawValue)
        set(.loss, network.loss.rawValue)
        if !classNames.isEmpty { set(.classes, try Self.json(classNames)) }
        if let columns { set(.columns, try Self.json(columns)) }
        if let labelName { set(.label, labelName) }
        return file
    }

    private static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// Writes the file in the place of `path`; `option` is the argument that named it, for the error's place.
    public func write(to path: String, option: String? = nil) throws {
        let bytes = try safeTensors().bytes()
        var file = try AtomicFile(replacing: path, option: option)
        try unsafe file.write(bytes.span.bytes)
        try file.commit()
    }

    /// Reads a model that `write` wrote, from a file, a pipe or, for `-`, standard input.
    ///
    /// All numbers must be finite and scales positive; the penalty is 0.
    public init(contentsOf path: String) throws(InputError) {
        try self.init(SafeTensors(contentsOf: path), name: path == "-" ? "standard input" : path)
    }

    /// Takes a model from the content of its file; `name` is for messages.
    public init(_ file: SafeTensors, name: String) throws(InputError) {
        func text(_ key: Key, _ expected: String) throws(InputError) -> String {
            guard let found = file.metadata[key.rawValue] else {
                throw InputError(at: name, found: "no \(key.rawValue) in the metadata", expected: expected)
            }
            return found
        }
        func require(_ key: Key, _ expected: String) throws(InputError) {
            let found = try text(key, expected)
            guard found == expected else {
                throw InputError(at: name, found: "the \(key.rawValue) \(found.debugDescription)", expected: expected)
            }
        }
        func choice<Choice: RawRepresentable<String> & CaseIterable>(_ key: Key) throws(InputError) -> Choice {
            let expected = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            let found = try text(key, expected)
            guard let choice = Choice(rawValue: found) else {
                throw InputError(at: name, found: "the \(key.rawValue) \(found.debugDescription)", expected: expected)
            }
            return choice
        }
        func list<Element: Decodable>(_ key: Key, _ text: String, _ count: Int) throws(InputError) -> [Element] {
            if let list = try? JSONDecoder().decode([Element].self, from: Data(text.utf8)), list.count == count {
                return list
            }
            throw InputError(
                at: name, found: "the \(key.rawValue) \(text.prefix(80).debugDescription)",
                expected: "a JSON array of \(count) of them")
        }
        try require(.format, Self.format)
        try require(.version, Self.version)
        try require(.kind, Self.kind)
        let activation: Activation = try choice(.activation)
        let loss: OutputLoss = try choice(.loss)

        var rest = file.tensors
        var parameters: [Float] = []
        var widths: [Int] = []
        while let weight = rest.removeValue(forKey: Name.weight(widths.isEmpty ? 0 : widths.count - 1)) {
            let k = max(0, widths.count - 1)
            guard weight.shape.count == 2, widths.isEmpty || weight.shape[1] == widths.last else {
                throw InputError(
                    at: "\(name), tensor \(Name.weight(k))", found: "the shape \(weight.shape)",
                    expected: "[outputs, \(widths.last.map { "\($0)" } ?? "inputs")]")
            }
            if widths.isEmpty { widths.append(weight.shape[1]) }
            widths.append(weight.shape[0])
            let bias = try Self.vector(Name.bias(k), count: weight.shape[0], from: &rest, name)
            try Self.checkFinite(weight.values, "\(name), tensor \(Name.weight(k))")
            parameters += (weight.values + bias).map { Float($0) }
        }
        guard widths.count >= 2 else {
            throw InputError(at: name, found: "no tensor \(Name.weight(0))", expected: "the layers of a perceptron")
        }
        let network: MultilayerPerceptron
        do {
            network = try MultilayerPerceptron(
                inputs: widths[0], hidden: Array(widths[1..<widths.count - 1]), outputs: widths.last!,
                activation: activation, loss: loss)
        } catch { throw InputError(at: name, found: error.found, expected: error.expected) }
        let inputs = try Self.standardisation(Name.inputs, count: network.inputs, from: &rest, name)
        var targets: Standardisation?
        var names: [String] = []
        switch loss {
        case .softmax:
            names = try list(.classes, try text(.classes, "the names of \(network.outputs) classes"), network.outputs)
            guard Set(names).count == names.count else {
                throw InputError(at: name, found: "two classes of one name", expected: "names that differ")
            }
        case .squared:
            targets = try Self.standardisation(Name.targets, count: network.outputs, from: &rest, name)
        }
        if let extra = rest.keys.min() {
            throw InputError(at: name, found: "a tensor \(extra.debugDescription)", expected: "none of that name")
        }
        let columns: [DenseColumn]? = try file.metadata[Key.columns.rawValue].map { text throws(InputError) in
            try list(.columns, text, network.inputs)
        }
        self.init(
            network: network, parameters: parameters, standardisation: inputs, targetStandardisation: targets,
            classNames: names, columns: columns, labelName: file.metadata[Key.label.rawValue],
            notes: file.metadata.filter { Key(rawValue: $0.key) == nil })
    }

    private static func standardisation(
        _ prefix: String, count: Int, from tensors: inout [String: SafeTensors.Tensor], _ name: String
    ) throws(InputError) -> Standardisation? {
        guard tensors.keys.contains(where: { $0.hasPrefix("\(prefix).") }) else { return nil }
        let offsets = try vector("\(prefix).offset", count: count, from: &tensors, name)
        let scales = try vector("\(prefix).scale", count: count, from: &tensors, name)
        let fills = try vector("\(prefix).fill", count: count, from: &tensors, name)
        if let bad = scales.first(where: { $0 <= 0 }) {
            throw InputError(at: "\(name), tensor \(prefix).scale", found: "\(bad)", expected: "positive scales")
        }
        return Standardisation(offsets: offsets, scales: scales, fills: fills)
    }

    private static func vector(
        _ key: String, count: Int, from tensors: inout [String: SafeTensors.Tensor], _ name: String
    ) throws(InputError) -> [Double] {
        guard let tensor = tensors.removeValue(forKey: key) else {
            throw InputError(at: name, found: "no tensor \(key)", expected: "one of \(count) numbers")
        }
        guard tensor.shape == [count] else {
            throw InputError(
                at: "\(name), tensor \(key)", found: "the shape \(tensor.shape)", expected: "[\(count)]")
        }
        try checkFinite(tensor.values, "\(name), tensor \(key)")
        return tensor.values
    }

    private static func checkFinite(_ values: [Double], _ place: String) throws(InputError) {
        if let index = values.firstIndex(where: { !$0.isFinite }) {
            throw InputError(at: place, found: "\(values[index]) at \(index)", expected: "finite numbers")
        }
    }
}
