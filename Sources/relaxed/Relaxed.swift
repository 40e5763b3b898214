// The command: a folder per verb, and the options that verbs share in Options. What goes wrong becomes one line on standard error and an exit code here.

import ArgumentParser
import Glibc
import Objectives
import Platform
import Reporting

@main struct Relaxed: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relaxed", abstract: "What happens when distributed SGD stops waiting.",
        version: RunEnvironment.version,
        subcommands: [
            TrainCommand.self, PredictCommand.self, StalenessCommand.self, MachineCommand.self, DataCommand.self,
            SimulateCommand.self, TopologyCommand.self, BenchCommand.self,
        ])

    /// Exit codes: 0 done, 1 the run failed, 2 unusable arguments or input; a verb throws `ExitCode` for any other.
    static func main() {
        // A file over the limit of its size is then an error of the write, with a line and an exit code.
        signal(SIGXFSZ, SIG_IGN)
        // Its threads would take time from what is measured. Who needs products is told what is wrong with it.
        try? MatrixProducts.prepare()
        do {
            try ProcessorCheck.run()
        } catch {
            end(error, code: 2)
        }
        var command: any ParsableCommand
        do {
            try checkVerb(CommandLine.arguments.dropFirst())
            command = try parseAsRoot()
        } catch {
            end(error, code: 2)
        }
        do {
            try command.run()
        } catch {
            end(error, code: error is InputError || error is ValidationError ? 2 : 1)
        }
        // What was printed may still fail to be written.
        if !StandardOutput.isWritten() {
            say("error: standard output could not be written")
            exit(withError: ExitCode(1))
        }
    }

    /// Throws where a word that should be a verb, or one of those below a verb, is none.
    static func checkVerb(_ arguments: some Sequence<String>) throws(InputError) {
        var verbs = configuration.subcommands.map { $0.configuration }
        var path = ["relaxed"]
        for word in arguments {
            // `relaxed help VERB` comes with ArgumentParser.
            if verbs.isEmpty || word.hasPrefix("-") || path.count == 1 && word == "help" { return }
            guard let verb = verbs.first(where: { $0.commandName == word }) else {
                throw InputError(
                    at: path.joined(separator: " "), unknown: word, expected: verbs.compactMap(\.commandName),
                    as: "a verb: ")
            }
            verbs = verb.subcommands.map { $0.configuration }
            path.append(word)
        }
    }

    /// Prints a line, which may hold what files say, on standard error, where it stays out of tables and JSON.
    static func say(_ line: String) {
        // Nothing is left to say where standard error is closed.
        try? AtomicFile.write(line.printable + "\n", to: "/dev/stderr")
    }

    private static func end(_ error: any Error, code: Int32) -> Never {
        if let own = error as? ExitCode { exit(withError: own) }
        // Help and version are thrown, too.
        if exitCode(for: error) == .success { exit(withError: error) }
        say("error: " + message(for: error).split(whereSeparator: \.isNewline).joined(separator: " "))
        exit(withError: ExitCode(code))
    }
}
