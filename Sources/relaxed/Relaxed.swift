// The command: one file per verb.

import ArgumentParser

@main struct Relaxed: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relaxed", abstract: "What happens when distributed SGD stops waiting.")
}
