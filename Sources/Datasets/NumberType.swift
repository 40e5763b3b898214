// The element types of IDX and NPY arrays, and their conversion. The reading thread.

/// A type of number in a file.
struct NumberType: Equatable {
    enum Kind {
        case signed, unsigned, real, truth
    }

    let kind: Kind
    /// 1, 2, 4 or 8; 4 or 8 for `real`; 1 for `truth`.
    let byteCount: Int
    var isBigEndian = false

    /// What a column of such numbers is: bytes are pixels.
    var columnKind: DenseColumn.Kind { kind == .unsigned && byteCount == 1 ? .pixel : .numeric }

    /// Converts `count` numbers at any address; reals beyond Float's range become infinite.
    func convert(_ count: Int, at raw: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>) {
        switch (kind, byteCount) {
        case (.unsigned, 1): unsafe integers(UInt8.self, count, raw, target)
        case (.unsigned, 2): unsafe integers(UInt16.self, count, raw, target)
        case (.unsigned, 4): unsafe integers(UInt32.self, count, raw, target)
        case (.unsigned, 8): unsafe integers(UInt64.self, count, raw, target)
        case (.signed, 1): unsafe integers(Int8.self, count, raw, target)
        case (.signed, 2): unsafe integers(Int16.self, count, raw, target)
        case (.signed, 4): unsafe integers(Int32.self, count, raw, target)
        case (.signed, 8): unsafe integers(Int64.self, count, raw, target)
        case (.real, 4):
            for k in 0..<count { unsafe target[k] = Float(bitPattern: word(UInt32.self, k, raw)) }
        case (.real, 8):
            for k in 0..<count { unsafe target[k] = Float(Double(bitPattern: word(UInt64.self, k, raw))) }
        case (.truth, 1):
            for k in 0..<count { unsafe target[k] = word(UInt8.self, k, raw) == 0 ? 0 : 1 }
        default: preconditionFailure("numbers of \(byteCount) bytes")
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
    private func integers<Word: FixedWidthInteger & BitwiseCopyable>(
        _: Word.Type, _ count: Int, _ raw: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>
    ) {
        for k in 0..<count { unsafe target[k] = Float(word(Word.self, k, raw)) }
    }
}
