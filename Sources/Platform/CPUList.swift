// The kernel's two ways to write a set of CPUs or memory nodes: lists ("0-3,8") and masks ("00000000,0000010f").

/// Lists of CPU or memory node numbers as text.
public enum CPUList {
    /// The largest number taken, and of how many at most: the kernel's own limit is 8191 CPUs.
    static let largest = 65_535

    /// The numbers of a list such as `0-3,8`, in the order written, repetitions kept; `place` names the text in the error.
    public static func parse(_ text: String, at place: String) throws(InputError) -> [Int] {
        func refuse() -> InputError {
            let shown = text.utf8.count <= 200 ? text : text.prefix(100) + "…"
            return InputError(at: place, found: "\"\(shown)\"", expected: "CPU numbers and ranges such as 0-3,8")
        }
        var numbers: [Int] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { number($0) }
            switch (ends.count, ends.first ?? nil, ends.last ?? nil) {
            case (1, let first?, _): numbers.append(first)
            case (2, let first?, let last?) where first <= last: numbers.append(contentsOf: first...last)
            default: throw refuse()
            }
            // Ranges that repeat could otherwise ask for more than memory holds.
            if numbers.count > largest + 1 { throw refuse() }
        }
        return numbers
    }

    /// The list for some numbers, consecutive ones as ranges, in the order given: [0, 1, 2, 3, 8] is `0-3,8`.
    public static func format(_ numbers: some Collection<Int>) -> String {
        var ranges: [ClosedRange<Int>] = []
        for number in numbers {
            if let last = ranges.last, last.upperBound + 1 == number {
                ranges[ranges.count - 1] = last.lowerBound...number
            } else {
                ranges.append(number...number)
            }
        }
        return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            .joined(separator: ",")
    }

    /// The numbers of a mask, 32-bit hexadecimal words of which the last holds 0 to 31, or nil where it is none.
    static func parseMask(_ text: String) -> Set<Int>? {
        var numbers: Set<Int> = []
        for (index, part) in text.split(separator: ",", omittingEmptySubsequences: false).reversed().enumerated() {
            guard let word = UInt32(part, radix: 16), 32 * index <= largest || word == 0 else { return nil }
            for bit in 0..<32 where word & (1 << bit) != 0 { numbers.insert(32 * index + bit) }
        }
        return numbers
    }

    /// One number, digits alone, or nil where it is none or beyond `largest`.
    static func number(_ text: Substring) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let value = Int(text), value <= largest
        else { return nil }
        return value
    }
}
