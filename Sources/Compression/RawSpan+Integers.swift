// Reading what a message holds. Any thread.

extension RawSpan {
    /// The little-endian integer at byte `offset`, aligned or not; a place that is not all within the bytes traps.
    @inlinable public func littleEndian<Integer: FixedWidthInteger & BitwiseCopyable>(
        at offset: Int, as _: Integer.Type
    ) -> Integer {
        // Checks its bounds; any bits are an integer.
        unsafe Integer(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: Integer.self))
    }
}
