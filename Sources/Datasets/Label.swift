// What a row is called in a file. Any thread; a value type.

/// A label as the file has it: whole numbers that need up to 64 bits are told apart, as names must be.
public struct Label: Hashable, Sendable {
    /// The nearest Double.
    public let value: Double
    /// What a whole number beyond 2^53 is above `value`; 0 for any other.
    let remainder: Int16

    init(_ value: Double, remainder: Int16) {
        self.value = value
        self.remainder = remainder
    }

    public init(_ value: Double) { self.init(value, remainder: 0) }

    public init(_ whole: some FixedWidthInteger) {
        let value = Double(whole)
        self.init(value, remainder: Int16(Int128(whole) - Int128(value)))
    }

    /// Reads a finite number; nil for any other text, and for digits that are more than 64 bits.
    public init?(parsing text: some StringProtocol) {
        guard let value = Double(text), value.isFinite else { return nil }
        var digits = Array(text.utf8)
        guard
            let remainder = unsafe digits.withUnsafeMutableBufferPointer({ digits in
                unsafe Decimal.remainder(of: UnsafeBufferPointer(digits), from: value)
            })
        else { return nil }
        self.init(value, remainder: remainder)
    }

    /// For messages, where digits are too many.
    static let expected = "a whole number of at most 64 bits as a label"

    public var isWhole: Bool { value == value.rounded() }

    /// The number as people write it: `3`, not `3.0`.
    public var text: String {
        isWhole && value.magnitude <= 0x1p64 ? "\(Int128(value) + Int128(remainder))" : "\(value)"
    }
}

extension Label: Comparable {
    public static func < (a: Label, b: Label) -> Bool { (a.value, a.remainder) < (b.value, b.remainder) }
}

extension Label: ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral {
    public init(integerLiteral whole: Int) { self.init(whole) }
    public init(floatLiteral value: Double) { self.init(value) }
}

extension Label: Encodable {
    /// A number, with all its digits.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let whole = Int64(text) {
            try container.encode(whole)
        } else if let whole = UInt64(text) {
            try container.encode(whole)
        } else {
            try container.encode(value)
        }
    }
}
