// Options that take one of several names. Pure; the thread that reads the arguments.

import Platform

/// The case of that name; throws the names that there are, with `kind` before them, and the nearest one.
func choice<Kind: CaseIterable & RawRepresentable<String>>(
    _: Kind.Type = Kind.self, named text: String, at option: String, of kind: String = ""
) throws(InputError) -> Kind {
    if let found = Kind(rawValue: text) { return found }
    throw InputError(at: option, unknown: text, expected: Kind.allCases.map(\.rawValue), as: kind)
}

/// `a, b or c`: the names of all cases, or of those that a condition holds for.
func names<Kind: CaseIterable & RawRepresentable<String>>(
    of _: Kind.Type, where isMeant: (Kind) -> Bool = { _ in true }
)
    -> String
{
    let names = Kind.allCases.filter(isMeant).map(\.rawValue)
    return names.count < 2
        ? names.joined() : names.dropLast().joined(separator: ", ") + " or " + names[names.count - 1]
}
