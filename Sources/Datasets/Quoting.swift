// How text from a file is shown in messages. Any thread.

/// In quotes, at most about 40 characters, with what does not print as `\x00`.
func quoted(_ token: [UInt8]) -> String {
    var text = ""
    for (k, byte) in token.enumerated() {
        if text.utf8.count >= 40 && k < token.count {
            text += "…"
            break
        }
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += "\\" + String(UnicodeScalar(byte))
        case 0x20..<0x7F: text += String(UnicodeScalar(byte))
        default: text += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
    }
    return "\"\(text)\""
}
