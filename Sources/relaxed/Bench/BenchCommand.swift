// `relaxed bench`: what parts of the project cost on this machine, one verb per part.

import ArgumentParser

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures parts of the project over a sweep of sizes.",
        subcommands: [BenchCodecsCommand.self, BenchCollectivesCommand.self, BenchMailboxesCommand.self])
}
