// Keys that a JSON text has twice: decoders take one of the two without a word. Any thread.

internal import Foundation

enum JSONKeys {
    /// The first key that an object of `text`, which is known to be JSON, has twice; nil where there is none.
    static func duplicate(in text: some Collection<UInt8>) -> String? {
        let bytes = Array(text)
        // The keys of each object that is open; nil for an array.
        var open: [Set<String>?] = []
        var position = 0
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "{"): open.append([])
            case UInt8(ascii: "["): open.append(nil)
            case UInt8(ascii: "}"), UInt8(ascii: "]"): _ = open.popLast()
            case UInt8(ascii: "\""):
                let start = position
                position += 1
                while position < bytes.count && bytes[position] != UInt8(ascii: "\"") {
                    position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
                }
                let isKey = bytes[min(position + 1, bytes.count)...].first { !isBlank($0) } == UInt8(ascii: ":")
                guard isKey, position < bytes.count, open.last.flatMap({ $0 }) != nil else { break }
                // Escapes may write the same key in another way.
                let literal = Data(bytes[start...position])
                let key =
                    (try? JSONDecoder().decode(String.self, from: literal)) ?? String(decoding: literal, as: UTF8.self)
                if open[open.count - 1]?.insert(key).inserted == false { return key }
            default: break
            }
            position += 1
        }
        return nil
    }

    private static func isBlank(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }
}
