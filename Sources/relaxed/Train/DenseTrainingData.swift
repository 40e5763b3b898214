// Dense data made ready to learn from, and what is saved with the model that is learned. Before and after a run, on the main
// thread.

import Datasets
import Measurement
import Objectives
import Platform
import Reporting

/// Standardised rows with classes or standardised targets, and the network that fits them.
struct DenseTrainingData {
    let train: DenseDataset
    let test: DenseDataset?
    let network: MultilayerPerceptron
    /// Fitted on the training rows; `train` and `test` are scaled already.
    let inputs: Standardisation
    /// Of the targets of a squared loss, whose value is therefore half the squared error in units of the variance of the
    /// training targets: it does not depend on the unit, and neither does the step size.
    let targets: Standardisation?
    /// The classes that the labels index; empty for a squared loss.
    let classNames: [String]
    let readSeconds: Double
    private let method: Standardisation.Method
    /// Whether columns have names to be found by.
    private let isTable: Bool
    private let testTitle: String

    /// Reads the data behind `input`, which are dense, and those of `test`, a path.
    ///
    /// Without `objective` the labels decide: a softmax where `DenseDataset.hasClassLabels`, else a squared loss. Rows are laid out and
    /// scaled as `model` has it, where there is one, whose loss is `objective`.
    static func read(
        _ input: DataInput, test testPath: String?, arguments: DenseTrainingArguments, objective: OutputLoss?,
        like model: DenseModel? = nil,
        layers: (hidden: [Int], activation: Activation), l2: Double, team: WorkerTeam
    ) throws(InputError) -> DenseTrainingData {
        try arguments.check(hasTest: testPath != nil)
        let method =
            if let model { model.notes["standardise"].flatMap(Standardisation.Method.init) ?? .byKind } else {
                try arguments.method
            }
        let start = monotonicNanoseconds()
        var options = try arguments.data.options
        options.like = model?.columns
        options.usualLabel = model?.labelName
        var train = try DenseReader(team: team, options: options).read(input).dataset
        let loss = objective ?? (train.hasClassLabels ? .softmax : .squared)
        train = loss == .softmax ? try train.classified(as: model?.classNames) : try train.measured()
        var test: DenseDataset?
        var testTitle = ""
        if let testPath {
            let raw = try readTest(testPath, like: train, arguments, team)
            test = loss == .softmax ? try raw.classified(as: train.classNames) : try raw.measured()
            testTitle = baseName(raw.name)
        } else if let k = arguments.holdOut {
            let (rest, held) = try train.split(holdingOutEvery: k)
            (train, test) = (rest, held)
            testTitle = "one row in \(k)"
        }
        let names = train.classNames ?? []
        if loss == .softmax { try train.refuseOneClass() }
        let network = try MultilayerPerceptron(
            inputs: train.columnCount, hidden: layers.hidden, outputs: loss == .softmax ? names.count : 1,
            activation: layers.activation, loss: loss, l2: l2)

        let inputs = model?.standardisation ?? Standardisation(fitting: train, method: model == nil ? method : .none)
        let targets =
            if let model { model.targetStandardisation } else {
                loss == .squared ? Standardisation(fittingLabelsOf: train) : nil
            }
        func scaled(_ rows: DenseDataset) throws(InputError) -> DenseDataset {
            let rows = try inputs.applied(to: rows)
            return try targets.map { targets throws(InputError) in try targets.applied(toLabelsOf: rows) } ?? rows
        }
        train = try scaled(train)
        test = try test.map(scaled)
        return DenseTrainingData(
            train: train, test: test, network: network, inputs: inputs, targets: targets, classNames: names,
            readSeconds: Double(monotonicNanoseconds() - start) / 1e9, method: method, isTable: input.format == .csv,
            testTitle: testTitle)
    }

    private static func readTest(
        _ path: String, like train: DenseDataset, _ arguments: DenseTrainingArguments, _ team: WorkerTeam
    ) throws(InputError) -> DenseDataset {
        let input = try arguments.data.openUnchecked(path)
        guard input.format.isDense else {
            throw InputError(
                at: path, found: "sparse rows, as \(input.format.rawValue)",
                expected: "dense data, as those to learn from")
        }
        let options = try arguments.testOptions(like: train, format: input.format)
        let test = try DenseReader(team: team, options: options).read(input).dataset
        if test.labelName == nil {
            throw InputError(
                at: test.name, found: "rows without labels", expected: "--test-label to say where the labels are")
        }
        return test
    }

    /// The model with these parameters, ready to be saved.
    func model(parameters: [Float]) -> DenseModel {
        DenseModel(
            network: network, parameters: parameters, standardisation: inputs, targetStandardisation: targets,
            classNames: classNames, columns: isTable ? train.columns : nil, labelName: isTable ? train.labelName : nil,
            notes: ["data": baseName(train.name), "standardise": method.rawValue])
    }

    /// What the record says of the network and the labels.
    var networkRecord: RunRecord.Network {
        RunRecord.Network(
            inputs: network.inputs, hidden: network.hidden, outputs: network.outputs,
            activation: network.hidden.isEmpty ? nil : network.activation.rawValue, loss: network.loss.rawValue,
            parameters: network.parameterCount, standardise: method.rawValue, label: train.labelName)
    }

    /// One line on each data set and one on the model, each ended.
    func describe() -> String {
        var text = "train  \(baseName(train.name).printable): \(Quantity.grouped(train.rowCount)) rows, "
        text += "\(Quantity.grouped(train.columnCount)) columns (\(DenseDataInfo.kinds(of: train.columns)))\n"
        if let test { text += "test   \(testTitle.printable): \(Quantity.grouped(test.rowCount)) rows\n" }
        let ends = [network.inputs, network.outputs]
        let widths = (ends.prefix(1) + network.hidden + ends.suffix(1)).map { "\($0)" }.joined(separator: "-")
        let activation = network.hidden.isEmpty ? "" : "\(network.activation.rawValue), "
        text += "model  \(widths), \(activation)\(network.loss.rawValue): "
        text += "\(Quantity.grouped(network.parameterCount)) parameters; columns standardised: \(method.rawValue)\n"
        return text
    }
}

/// The file without its folders.
private func baseName(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }
