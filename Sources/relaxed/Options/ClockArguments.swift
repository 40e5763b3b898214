// The options of a training run that say what its seconds are. The thread that reads the arguments.

import ArgumentParser
import Collectives
import Messaging
import Platform
import SwitchModel
import Training

/// What makes time, by the names of the command line.
enum ClockKind: String, CaseIterable {
    case native, wall, virtual
}

/// The clock, the network of the switch model, and what computing takes.
struct ClockArguments: ParsableArguments {
    @Option(
        help: .init(
            """
            native (no model), wall (the switch model injects delays) or virtual (the switch model alone makes time).
            """, valueName: "clock"))
    var clock = ClockKind.native.rawValue

    @OptionGroup var network: NetworkArguments

    @Option(
        parsing: .unconditional,
        help: .init(
            "What a worker takes for a minibatch on a model clock; by default it is measured before the run.",
            valueName: "time"))
    var compute: TimeArgument?

    @Option(
        parsing: .unconditional,
        help: .init(
            """
            What coding takes on a model clock: none (default; what the book assumes), measured, or a time per megabyte \
            (10^6 bytes) of floats that is encoded or decoded.
            """, valueName: "time"))
    var codecTime: String?

    @Option(help: .init("Who computes longer on a model clock: " + Straggler.forms + ".", valueName: "model"))
    var straggler: String?

    var kind: ClockKind { get throws(InputError) { try choice(named: clock, at: "--clock") } }

    /// The clock that the ranks' fabric is to have.
    var fabricClock: FabricClock {
        get throws(InputError) {
            switch try kind {
            case .native: .native
            case .wall: .wall(try network.cost())
            case .virtual: .virtual(try network.cost())
            }
        }
    }

    /// What time is to mean in a run of so many workers, of whom a serial algorithm has `computing` to do anything.
    func options(workers: Int, computing: Int, seed: UInt64) throws(InputError) -> ClockOptions {
        var options = ClockOptions()
        options.kind = try fabricClock
        options.computeSeconds = try compute?.seconds(at: "--compute")
        options.straggler = try Straggler(
            parsing: straggler ?? "none", ranks: workers, computing: computing, seed: seed)
        if options.straggler.isTrace && compute != nil {
            throw InputError(
                at: "--compute", found: "it beside --straggler \(options.straggler.text)",
                expected: "one of them: a trace has the seconds of each computation")
        }
        options.codecTime = try parsedCodecTime()
        return options
    }

    private func parsedCodecTime() throws(InputError) -> CodecTime {
        switch codecTime {
        case nil, "none": return .none
        case "measured": return .measured
        case let text?: return .perMegabyte(seconds: try Self.seconds(perMegabyte: text))
        }
    }

    private static func seconds(perMegabyte text: String) throws(InputError) -> Double {
        do {
            return try TimeText.seconds(parsing: text, at: "--codec-time")
        } catch {
            let nearest = ["none", "measured"].nearest(to: text).map { "; did you mean \($0)?" } ?? ""
            throw InputError(
                at: error.place, found: error.found,
                expected: "none, measured, or per megabyte \(TimeText.forms)\(nearest)")
        }
    }

    /// What is given that needs a model clock, as options.
    var givenOfModel: [String] {
        network.given
            + [("--compute", compute != nil), ("--straggler", straggler != nil), ("--codec-time", codecTime != nil)]
            .filter(\.1).map(\.0)
    }

    /// What is given, as options.
    var given: [String] { givenOfModel + (clock == ClockKind.native.rawValue ? [] : ["--clock"]) }

    /// Throws where an option is given that the clock has no use for.
    func check() throws(InputError) {
        if try kind == .native, let option = givenOfModel.first {
            throw InputError(at: option, found: "--clock native", expected: "--clock virtual or wall")
        }
    }
}
