// A value behind a lock. Any thread.

/// A value that is only reached while holding its lock.
///
/// Instead of `Synchronization.Mutex` where ThreadSanitizer is to see the lock: that one's atomics lie inside the standard
/// library, which is not instrumented.
@safe public struct Locked<Value: Sendable>: ~Copyable, @unchecked Sendable {
    // Sendable: the storage is only touched between `lock` and `unlock`.
    @usableFromInline let lock = FutexLock()
    @usableFromInline let storage: UnsafeMutablePointer<Value>

    public init(_ value: Value) {
        unsafe storage = .allocate(capacity: 1)
        unsafe storage.initialize(to: value)
    }

    deinit {
        unsafe storage.deinitialize(count: 1)
        unsafe storage.deallocate()
    }

    /// Runs `body` on the value while holding the lock.
    @inlinable
    public func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        lock.lock()
        defer { lock.unlock() }
        return try unsafe body(&storage.pointee)
    }
}
