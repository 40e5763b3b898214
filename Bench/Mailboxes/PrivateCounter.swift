// A number of one thread beside what threads share. The owner's thread uses it.

/// A number that one thread reads and writes, alone on its 128 bytes.
@safe @usableFromInline struct PrivateCounter: ~Copyable, @unchecked Sendable {
    // Sendable: one thread touches it; which one is the mailbox's affair.
    @usableFromInline let storage: UnsafeMutablePointer<UInt64>

    @usableFromInline init() {
        unsafe storage = UnsafeMutableRawPointer.allocate(byteCount: 128, alignment: 128)
            .bindMemory(to: UInt64.self, capacity: 1)
        unsafe storage.initialize(to: 0)
    }

    deinit { unsafe UnsafeMutableRawPointer(storage).deallocate() }

    @inlinable var value: UInt64 {
        get { unsafe storage.pointee }
        nonmutating set { unsafe storage.pointee = newValue }
    }
}
