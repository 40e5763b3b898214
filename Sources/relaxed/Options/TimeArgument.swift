// A time on the command line. A plain value; the thread that reads the arguments.

import ArgumentParser
import Platform

/// What stands behind an option that is a time; read where the option's name is known.
struct TimeArgument: ExpressibleByArgument {
    private let text: String

    init(argument: String) { text = argument }

    /// Throws where `option` was given something else than a time.
    func seconds(at option: String) throws(InputError) -> Double { try TimeText.seconds(parsing: text, at: option) }
}
