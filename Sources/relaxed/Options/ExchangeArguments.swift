// The options of a training run that say what travels between workers. The thread that reads the arguments.

import ArgumentParser
import Collectives
import Compression
import Platform
import Training

/// How vectors are exchanged, and how they are compressed.
struct ExchangeArguments: ParsableArguments {
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

    /// Which options are given.
    var given: [(isGiven: Bool, option: AlgorithmOption)] {
        [
            (collective != nil, .collective), (codec != nil, .codec), (errorFeedback, .errorFeedback),
            (allowBias, .allowBias), (denseMessages, .denseMessages),
        ]
    }

    func options() throws(InputError) -> ExchangeOptions {
        var options = ExchangeOptions()
        options.collective = collective
        if let codec { options.codec = try CodecConfiguration(parsing: codec) }
        options.hasErrorFeedback = errorFeedback
        options.allowsBias = allowBias
        options.sendsZeros = denseMessages
        return options
    }
}
