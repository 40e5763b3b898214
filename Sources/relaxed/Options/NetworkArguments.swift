// The options that describe the network of the switch model, shared by the verbs that use it.

import ArgumentParser
import Platform
import SwitchModel

/// t_latency, t_transfer and what ports do.
struct NetworkArguments: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: .init("What the switch adds to each message (default 50us).", valueName: "time"))
    var latency: TimeArgument?

    @Option(
        parsing: .unconditional,
        help: .init("What a port needs for a megabyte of 10^6 bytes.", valueName: "time"))
    var transferPerMb: TimeArgument?

    @Option(
        parsing: .unconditional,
        help: .init("The same as a rate, such as 10Gbps (the default), 800Mbit/s or 1GB/s.", valueName: "rate"))
    var bandwidth: String?

    @Option(
        help: """
            occupied (the default: a message holds both ports from start to end) or pipelined (only while bits move \
            through them).
            """)
    var ports: String?

    /// What is given, as options.
    var given: [String] {
        [
            ("--latency", latency != nil), ("--transfer-per-mb", transferPerMb != nil),
            ("--bandwidth", bandwidth != nil), ("--ports", ports != nil),
        ].filter(\.1).map(\.0)
    }

    func cost() throws(InputError) -> NetworkCost {
        let semantics: PortSemantics =
            try ports.map { text throws(InputError) in
                try choice(named: text, at: "--ports")
            } ?? .occupied
        if transferPerMb != nil, bandwidth != nil {
            throw InputError(at: "--bandwidth", found: "it beside --transfer-per-mb", expected: "one of them")
        }
        let secondsPerMegabyte =
            if let transferPerMb { try transferPerMb.seconds(at: "--transfer-per-mb") } else {
                try Bandwidth(parsing: bandwidth ?? "10Gbps").secondsPerMegabyte
            }
        return try NetworkCost(
            latencySeconds: try latency?.seconds(at: "--latency") ?? 50e-6, secondsPerMegabyte: secondsPerMegabyte,
            ports: semantics)
    }
}
