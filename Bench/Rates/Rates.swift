// `swift run -c release bench-rates`: runs on quadratics whose noise is known.

import ArgumentParser

@main struct Rates: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-rates", abstract: "Rates of convergence on quadratics whose noise is known.",
        subcommands: [Theorems.self, Uneven.self], defaultSubcommand: Theorems.self)
}
