// The element types of IDX and NPY arrays, and their conversion. The reading thread.

/// A type of number in a file.
struct NumberType: Equatable {
    enum Kind {
        case signed, unsigned, real, truth
    }

    let kind: Kind
    /// 1, 2, 4 or 8; 2, 4 or 8 for `real`; 1 for `truth`.
    let byteCount: Int
    var isBigEndian = false

    /// What a column of such numbers is: bytes are pixels.
    var columnKind: DenseColumn.Kind { kind == .unsigned && byteCount == 1 ? .pixel : .numeric }

    /// Whether Float does not hold every such number.
    var needsDouble: Bool { byteCount == 8 || byteCount == 4 && kind != .real }

    /// Converts `count` numbers at any address to Float or Double; reals beyond its range become infinite.
    func convert<Value: BinaryFloatingPoint>(
        _ count: Int, at raw: UnsafeRawPointer, into target: UnsafeMutablePointer<Value>
    ) {
        switch (kind, byteCount) {
        case (.unsigned, 1): unsafe integers(UInt8.self, count, raw, target)
        case (.unsigned, 2): unsafe integers(UInt16.self, count, raw, target)
        case (.unsigned, 4): unsafe integers(UInt32.self, count, raw, target)
        case (.unsigned, 8): unsafe integers(UInt64.self, count, raw, target)
        case (.signed, 1): unsafe integers(Int8.self, count, raw, target)
        case (.signed, 2): unsafe integers(Int16.self, count, raw, target)
        case (.signed, 4): unsafe integers(Int32.self, count, raw, target)
        case (.signed, 8): unsafe integers(Int64.self, count, raw, target)
        case (.real, 2):
            for k in 0..<count { unsafe target[k] = Value(Float16(bitPattern: word(UInt16.self, k, raw))) }
        case (.real, 4):
            for k in 0..<count { unsafe target[k] = Value(Float(bitPattern: word(UInt32.self, k, raw))) }
        case (.real, 8):
            for k in 0..<count { unsafe target[k] = Value(Double(bitPattern: word(UInt64.self, k, raw))) }
        case (.truth, 1):
            for k in 0..<count { unsafe target[k] = word(UInt8.self, k, raw) == 0 ? 0 : 1 }
        default: preconditionFailure("numbers of \(byteCount) bytes")
        }
    }

    /// What Doubles do not hold of `count` integers at any address, the first of which is the label of row `first`.
    func remainders(_ count: Int, at raw: UnsafeRawPointer, firstRow first: Int) -> [LabelRemainder] {
        if byteCount < 8 || kind == .real { return [] }
        return (0..<count).compactMap { k in
            let label =
                unsafe kind == .signed ? Label(word(Int64.self, k, raw)) : Label(word(UInt64.self, k, raw))
            return label.remainder == 0 ? nil : LabelRemainder(row: first + k, remainder: label.remainder)
        }
    }

    @inline(__always)
    private func word<Word: FixedWidthInteger & BitwiseCopyable>(_: Word.Type, _ k: Int, _ raw: UnsafeRawPointer)
        -> Word
    {
        let word = unsafe raw.loadUnaligned(fromByteOffset: k &* MemoryLayout<Word>.size, as: Word.self)
        return isBigEndian ? Word(bigEndian: word) : Word(littleEndian: word)
    }

    @inline(__always)
    private func integers<Word: FixedWidthInteger & BitwiseCopyable, Value: BinaryFloatingPoint>(
        _: Word.Type, _ count: Int, _ raw: UnsafeRawPointer, _ target: UnsafeMutablePointer<Value>
    ) {
        for k in 0..<count { unsafe target[k] = Value(word(Word.self, k, raw)) }
    }
}
