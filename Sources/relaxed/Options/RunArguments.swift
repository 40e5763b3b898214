// The options of `train` that say what is run. The thread that reads the arguments.

import ArgumentParser
import Datasets
import Objectives
import Platform
import Training

/// The algorithm and its workers, the model, how it steps, and what is kept of it.
struct RunArguments: ParsableArguments {
    @Option(
        help: .init(
            """
            \(AlgorithmList.allNames), or a list of them; with settings, \(AlgorithmList.allSettings). Default: hogwild, for \
            dense rows gradient-aggregation.
            """,
            valueName: "names"))
    var algorithm: String?

    @Option(
        parsing: .unconditional,
        help: .init("N, the workers of all but sgd; by default one per usable core.", valueName: "count"))
    var workers: Int?

    @OptionGroup var training: TrainingArguments

    @Option(
        parsing: .unconditional,
        help: .init(
            """
            Repeat every run with so many seeds, from --seed on, or with the seeds of a list such as 1,2,7, and give means and \
            standard deviations.
            """, valueName: "count or list"))
    var seeds: String?

    @Option(
        help: .init(
            """
            Dense rows: widths of the hidden layers between commas, such as 256,128. Default: none, which is softmax \
            regression or linear least squares.
            """, valueName: "widths"))
    var hidden: String?

    @Option(help: .init("What follows a hidden layer: relu, tanh or gelu. Default: relu.", valueName: "function"))
    var activation: String?

    @Option(
        parsing: .unconditional,
        help: .init(
            "Momentum mu of the heavy ball, below 1.", valueName: "mu"))
    var momentum: Double?

    @Flag(help: "Nesterov's momentum in place of the heavy ball.")
    var nesterov = false

    @Option(
        parsing: .unconditional,
        help: .init(
            "Add so much of every parameter to the gradient, biases included.",
            valueName: "weight"))
    var weightDecay: Double?

    @Option(
        parsing: .unconditional,
        help: .init(
            "Shorten the gradient of a worker's minibatch to this norm where it is longer.",
            valueName: "norm"))
    var clipGradient: Double?

    @Option(
        parsing: .unconditional,
        help: .init(
            "Let the step size grow from 0 to its schedule during so many epochs.",
            valueName: "epochs"))
    var warmUp: Double?

    @Option(
        help: .init(
            """
            Start from this saved model, of dense rows scaled as it says. Options that say what is learned are then as in the             model where they are not given.
            """, valueName: "file"))
    var modelIn: String?

    @Option(
        help: .init(
            "Save the model: in LIBLINEAR's text format, or of dense rows as safetensors.", valueName: "file"))
    var modelOut: String?

    @Option(
        help: .init(
            "Write the gradient of the training objective at the model kept: float32, little-endian, one per parameter.",
            valueName: "file"))
    var gradientOut: String?

    @Option(
        help: .init(
            "Write every update of asgd as a line: worker, version read, version written.", valueName: "file"))
    var updateLog: String?

    @Option(
        help: .init(
            "Write the staleness of the run, by worker, server and time, and who delayed whom: as CSV or JSON, as the name ends.",
            valueName: "file"))
    var stalenessOut: String?

    @Option(
        help: .init(
            "Keep the order of the updates of asgd and its like, also of threads that race, for --replay.",
            valueName: "file"))
    var recordOrder: String?

    @Option(
        help: .init(
            "Repeat the run that --record-order has kept, on one thread, bit for bit; data and options as they were.",
            valueName: "file"))
    var replay: String?

    @Option(
        help: .init(
            """
            Write what each computation of each worker took under the native clock, for --straggler trace:FILE of another run.
            """, valueName: "file"))
    var computeTrace: String?

    /// The seeds of the runs, at least one.
    func allSeeds() throws(InputError) -> [UInt64] {
        guard let seeds else { return [training.firstSeed] }
        func refusal(_ found: String) -> InputError {
            InputError(at: "--seeds", found: found, expected: "1 to 10000 of them, or a list such as 1,2,7")
        }
        if !seeds.contains(",") {
            let (last, isTooLarge) = training.firstSeed.addingReportingOverflow(UInt64(seeds) ?? 0)
            guard let count = Int(seeds), (1...10_000).contains(count), !isTooLarge else {
                throw refusal("\"\(seeds)\"")
            }
            return Array(training.firstSeed..<last)
        }
        if training.seed != nil {
            throw InputError(at: "--seed", found: "it beside a list of --seeds", expected: "one of them")
        }
        var list: [UInt64] = []
        for text in seeds.split(separator: ",", omittingEmptySubsequences: false) {
            guard let seed = UInt64(text) else { throw refusal("\"\(seeds)\"") }
            if list.contains(seed) { throw refusal("\(seed) twice") }
            list.append(seed)
        }
        return list
    }

    /// The widths of the hidden layers, and what follows each; what is not given is as in `network`.
    func layers(like network: MultilayerPerceptron? = nil) throws(InputError) -> (hidden: [Int], activation: Activation)
    {
        var widths = hidden == nil ? network?.hidden ?? [] : []
        for text in hidden?.split(separator: ",", omittingEmptySubsequences: false) ?? [] {
            guard let width = Int(text), width >= 1 else {
                throw InputError(
                    at: "--hidden", found: "\"\(hidden ?? "")\"", expected: "widths between commas, such as 256,128"
                )
            }
            widths.append(width)
        }
        guard let activation else { return (widths, network?.activation ?? .relu) }
        let function: Activation = try choice(named: activation, at: "--activation")
        if widths.isEmpty {
            throw InputError(at: "--activation", found: "no hidden layers", expected: "--hidden with their widths")
        }
        return (widths, function)
    }

    /// Throws where an option is given that sparse rows have no use for.
    func checkSparse(_ format: DataFormat) throws(InputError) {
        for (option, isGiven) in [("--hidden", hidden != nil), ("--activation", activation != nil)] where isGiven {
            throw InputError(
                at: option, found: "data in the format \(format.rawValue)", expected: DataFormat.denseNames)
        }
    }

    /// What is given of the options by which algorithms step that have vectors of their own.
    var givenOfSteps: [(option: String, kind: AlgorithmOption)] {
        let options: [(isGiven: Bool, option: AlgorithmOption)] = [
            (momentum != nil, .momentum), (nesterov, .nesterov), (weightDecay != nil, .weightDecay),
            (clipGradient != nil, .clipGradient), (warmUp != nil, .warmUp), (recordOrder != nil, .recordOrder),
        ]
        return options.filter(\.isGiven).map { ("--\($0.option.rawValue)", $0.option) }
            + (replay == nil ? [] : [("--replay", .recordOrder)])
    }

    /// Which options are given that only some algorithms have a use for.
    var givenOfRows: [(isGiven: Bool, option: AlgorithmOption)] {
        [(training.batchSize != nil, .batchSize), (training.stalenessEvery != nil, .stalenessEvery)]
    }

    /// The files that are written, by option.
    var outputs: [(option: String, path: String?)] {
        [
            ("--model-out", modelOut), ("--gradient-out", gradientOut), ("--update-log", updateLog),
            ("--staleness-out", stalenessOut), ("--record-order", recordOrder),
            ("--compute-trace", computeTrace),
        ]
    }
}
