// A timeline's messages as JSON, written in pieces: runs of millions of messages must not become one text in memory.

internal import Platform
public import SwitchModel

extension Timeline {
    /// Writes one object to `path`: the keys of `head`, then `events`, an object per message in the order in which they
    /// start: `from`, `to`, `megabytes`, and in seconds `at`, `start`, `end`; `-` is standard output.
    ///
    /// `head` must encode as an object with at least one key. Throws as `JSONOutput.write` does.
    public func writeJSON(head: some Encodable, to path: String, option: String = "--json") throws {
        let opening = try JSONOutput.text(of: head)
        guard let brace = opening.lastIndex(of: "}") else { preconditionFailure("no object: \(opening)") }
        var file = try AtomicFile(replacing: path, option: option)
        var text = opening[..<brace].trimmingSuffix { $0.isWhitespace } + ",\n  \"events\" : ["
        for (index, passage) in passages.enumerated() {
            text += index == 0 ? "\n    {\"from\": " : ",\n    {\"from\": "
            text += String(passage.from)
            text += ", \"to\": "
            text += String(passage.to)
            for (name, value) in [
                ("megabytes", passage.megabytes), ("at", passage.at), ("start", passage.start), ("end", passage.end),
            ] {
                text += ", \""
                text += name
                text += "\": "
                text += JSONOutput.number(value)
            }
            text += "}"
            if text.utf8.count > 1 << 18 {
                try file.write(text)
                text = ""
            }
        }
        try file.write(text + (passages.isEmpty ? "]\n}\n" : "\n  ]\n}\n"))
        try file.commit()
    }
}

extension JSONOutput {
    /// The shortest text that reads back as `value`, a finite number; whole numbers without a point.
    static func number(_ value: Double) -> String {
        if let whole = Int(exactly: value), abs(value) < 1e15 { return String(whole) }
        return value.description
    }
}

extension Substring {
    fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> String {
        var text = self
        while let last = text.last, predicate(last) { text.removeLast() }
        return String(text)
    }
}
