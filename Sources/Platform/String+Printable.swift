// Text of files on a terminal: what would move the cursor, change colours or turn the order of letters is shown, not done. Any
// thread.

extension String {
    /// The text with every control character, line break and mark of writing direction as `\x1b` or `\u{202e}`, so that it is
    /// one line and no more than text, whatever file it comes from.
    public var printable: String {
        if unicodeScalars.allSatisfy(\.isPrintable) { return self }
        var text = ""
        for scalar in unicodeScalars {
            if scalar.isPrintable {
                text.unicodeScalars.append(scalar)
            } else {
                let digits = String(scalar.value, radix: 16)
                text += scalar.value < 0x100 ? "\\x\(digits.count < 2 ? "0" : "")\(digits)" : "\\u{\(digits)}"
            }
        }
        return text
    }
}

extension Unicode.Scalar {
    fileprivate var isPrintable: Bool {
        switch value {
        // C0, DEL and C1.
        case 0..<0x20, 0x7F..<0xA0: false
        // The Arabic letter mark, the other marks of direction, line and paragraph separators, embeddings, overrides, isolates.
        case 0x61C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: false
        // What shows as nothing, so that two names look alike.
        case 0xAD, 0x200B, 0x2060, 0xFEFF: false
        default: true
        }
    }
}
