// The options that describe computation on a model clock, shared by the verbs that use it.

import ArgumentParser
import Messaging
import Platform
import Reporting

/// How long a step takes, and who is slower than that.
struct ComputeArguments: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: .init("Time that each worker computes before each collective (model clocks).", valueName: "time"))
    var compute: TimeArgument?

    @Option(help: .init("Who computes longer: " + Straggler.forms + ".", valueName: "model"))
    var straggler: String?

    @Option(parsing: .unconditional, help: .init("Of the stragglers' draws (default 1).", valueName: "number"))
    var seed: UInt64?

    /// Zero without the option.
    func seconds() throws(InputError) -> Double { try compute?.seconds(at: "--compute") ?? 0 }

    /// A straggler needs something to compute, and draws need a seed.
    func model(workers: Int) throws(InputError) -> Straggler {
        let model = try Straggler(parsing: straggler ?? "none", ranks: workers, seed: seed ?? 1)
        if model.isTrace {
            throw InputError(
                at: "--straggler", found: "\"\(model.text)\"", expected: "a model of factors; train takes traces")
        }
        if model != .none, try seconds() == 0 {
            throw InputError(at: "--straggler", found: "it without --compute", expected: "the time of a step")
        }
        if seed != nil, !model.isDrawn {
            throw InputError(at: "--seed", found: "it without draws", expected: "--straggler lognormal or exponential")
        }
        return model
    }

    /// What is given, as options.
    var given: [String] {
        [("--compute", compute != nil), ("--straggler", straggler != nil), ("--seed", seed != nil)]
            .filter(\.1).map(\.0)
    }
}
