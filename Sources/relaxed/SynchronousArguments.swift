// The options of data-parallel SGD: what travels, how it is applied, and what time means.

import ArgumentParser
import Collectives
import Compression
import Messaging
import Platform
import SwitchModel
import Training

/// How synchronous algorithms communicate, step and are timed.
struct SynchronousArguments: ParsableArguments {
    @Option(
        help: .init(
            """
            How vectors are exchanged: \(names(of: AllReduceAlgorithm.self)) for gradient-aggregation and model-aggregation, \
            multi-server or parameter-server for global-replica, \(names(of: CompressedCollective.self)) for csgd and all but the \
            ring for ec-sgd. Default: multi-server; for the first two direct, or on a model clock ring-allreduce.
            """, valueName: "name"))
    var collective: String?

    @Option(
        help: .init(
            "Compression of csgd (default quantize:bits=4) and ec-sgd (default sign), as `bench codecs` names it.",
            valueName: "codec"))
    var codec: String?

    @Flag(help: "csgd: every compression adds what its last one lost, as ec-sgd's do.")
    var errorFeedback = false

    @Flag(help: "csgd: take a codec that is biased.")
    var allowBias = false

    @Flag(help: "Send sparse gradients of gradient-aggregation and global-replica with all their zeros.")
    var denseMessages = false

    @Option(parsing: .unconditional, help: .init("Momentum mu of the heavy ball, below 1.", valueName: "mu"))
    var momentum: Double?

    @Flag(help: "Nesterov's momentum in place of the heavy ball.")
    var nesterov = false

    @Option(
        parsing: .unconditional,
        help: .init("Add so much of every parameter to the gradient, biases included.", valueName: "weight"))
    var weightDecay: Double?

    @Option(
        parsing: .unconditional,
        help: .init("Shorten the gradient of a worker's minibatch to this norm where it is longer.", valueName: "norm"))
    var clipGradient: Double?

    @Option(
        parsing: .unconditional,
        help: .init("Let the step size grow from 0 to its schedule during so many epochs.", valueName: "epochs"))
    var warmUp: Double?

    @Option(
        help: .init(
            """
            native (no model), wall (the switch model injects delays) or virtual (the switch model alone makes time).
            """, valueName: "clock"))
    var clock = "native"

    @OptionGroup var network: NetworkArguments

    @Option(
        parsing: .unconditional,
        help: .init(
            "What a worker takes for a minibatch on a model clock; by default it is measured before the run.",
            valueName: "seconds"))
    var compute: Double?

    @Option(
        parsing: .unconditional,
        help: .init(
            """
            What coding takes on a model clock: none (default; what the book assumes), measured, or seconds per megabyte \
            (10^6 bytes) of floats that is encoded or decoded.
            """, valueName: "time"))
    var codecTime: String?

    @Option(help: .init("Who computes longer on a model clock: " + Straggler.forms + ".", valueName: "model"))
    var straggler: String?

    /// Whether something is asked for that only data-parallel SGD does.
    var isGiven: Bool {
        clock != "native" || !settings.isEmpty || !network.given.isEmpty || collective != nil || codec != nil
    }

    /// Options that concern every synchronous algorithm.
    private var settings: [String] {
        [
            ("--momentum", momentum != nil), ("--nesterov", nesterov), ("--weight-decay", weightDecay != nil),
            ("--clip-gradient", clipGradient != nil), ("--warm-up", warmUp != nil), ("--compute", compute != nil),
            ("--straggler", straggler != nil), ("--codec-time", codecTime != nil),
        ].filter(\.1).map(\.0)
    }

    /// Throws where an option is given that none of the algorithms has a use for, or that one of them cannot follow.
    func check(for algorithms: [Algorithm]) throws(InputError) {
        let clockOption = clock == "native" ? [] : ["--clock"]
        if let other = algorithms.first(where: { !$0.isSynchronous }),
            let option = (settings + network.given + clockOption).first
        {
            throw InputError(
                at: option, found: "--algorithm \(other.rawValue)",
                expected: names(of: Algorithm.self, where: \.isSynchronous))
        }
        func require(_ option: String, _ isGiven: Bool, _ applies: (Algorithm) -> Bool) throws(InputError) {
            if isGiven, !algorithms.contains(where: applies) {
                throw InputError(
                    at: option, found: "--algorithm \(algorithms.map(\.rawValue).joined(separator: ","))",
                    expected: names(of: Algorithm.self, where: applies))
            }
        }
        try require("--collective", collective != nil) { $0.isSynchronous && $0 != .minibatchSGD }
        try require("--codec", codec != nil, \.compresses)
        try require("--error-feedback", errorFeedback) { $0 == .csgd }
        try require("--allow-bias", allowBias) { $0 == .csgd }
        try require("--dense-messages", denseMessages) { [.gradientAggregation, .globalReplica].contains($0) }
        let onModelClock =
            network.given
            + [("--compute", compute != nil), ("--straggler", straggler != nil), ("--codec-time", codecTime != nil)]
            .filter(\.1).map(\.0)
        if clock == "native", let option = onModelClock.first {
            throw InputError(at: option, found: "--clock native", expected: "--clock virtual or wall")
        }
        if nesterov && (momentum ?? 0) == 0 {
            let found = momentum == nil ? "no --momentum" : "--momentum 0"
            throw InputError(at: "--nesterov", found: found, expected: "--momentum above 0")
        }
    }

    /// What a run of `algorithm` by `workers` workers is asked to do.
    func options(for algorithm: Algorithm, workers: Int, seed: UInt64) throws(InputError) -> SynchronousOptions {
        var options = SynchronousOptions()
        options.momentum = momentum ?? 0
        options.isNesterov = nesterov
        options.weightDecay = weightDecay ?? 0
        options.clipNorm = clipGradient
        options.warmUpEpochs = warmUp ?? 0
        options.computeSeconds = compute
        options.straggler = try Straggler(parsing: straggler ?? "none", ranks: workers, seed: seed)
        options.codecTime = try parsedCodecTime()
        options.hasErrorFeedback = errorFeedback
        options.allowsBias = allowBias
        options.sendsZeros = denseMessages
        switch clock {
        case "native": break
        case "wall": options.clock = .wall(try network.cost())
        case "virtual": options.clock = .virtual(try network.cost())
        default: throw InputError(at: "--clock", found: "\"\(clock)\"", expected: "native, wall or virtual")
        }
        options.codec = try CodecConfiguration(parsing: codec ?? (algorithm == .ecSGD ? "sign" : "quantize:bits=4"))
        try choose(algorithm, &options)
        return options
    }

    private func parsedCodecTime() throws(InputError) -> CodecTime {
        switch codecTime {
        case nil, "none": return .none
        case "measured": return .measured
        case let text?:
            guard let seconds = Double(text), seconds >= 0, seconds.isFinite else {
                throw InputError(
                    at: "--codec-time", found: "\"\(text)\"",
                    expected: "none, measured, or seconds per megabyte, finite and not negative")
            }
            return .perMegabyte(seconds: seconds)
        }
    }

    /// The collective, by name or by what suits the algorithm.
    private func choose(_ algorithm: Algorithm, _ options: inout SynchronousOptions) throws(InputError) {
        func chosen<Choice: RawRepresentable<String> & CaseIterable>(_ standard: Choice) throws(InputError) -> Choice {
            guard let collective else { return standard }
            guard let choice = Choice(rawValue: collective) else {
                throw InputError(
                    at: "--collective", found: "\"\(collective)\" for \(algorithm.rawValue)",
                    expected: names(of: Choice.self))
            }
            return choice
        }
        switch algorithm {
        case .gradientAggregation, .modelAggregation:
            options.collective = try chosen(options.clock.isModel ? .ring : .direct)
        case .globalReplica: options.collective = try chosen(.multiServer)
        case .csgd, .ecSGD: options.layout = try chosen(.multiServer)
        case .minibatchSGD, .gd, .sgd, .asgd, .hogwild: break
        }
    }
}
