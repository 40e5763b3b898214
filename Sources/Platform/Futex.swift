// Sleeping until a word of memory changes. Any thread.

internal import CPlatformShims
internal import Glibc
public import Synchronization

/// A 32-bit atomic word alone on 128 bytes, at an address that never changes, on which threads of this process sleep.
///
/// The kernel compares the word with the value the sleeper expects before it lets it sleep, so a change made before the
/// wake is never missed.
@safe public struct Futex: ~Copyable, @unchecked Sendable {
    // Sendable: the pointer never changes and what it points at is only touched atomically.

    /// The word, valid as long as the futex lives.
    public let word: UnsafeMutablePointer<Atomic<UInt32>>

    public init(_ value: UInt32 = 0) {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 128, alignment: 128)
        unsafe word = memory.bindMemory(to: Atomic<UInt32>.self, capacity: 1)
        unsafe word.initialize(to: Atomic(value))
    }

    deinit {
        unsafe word.deinitialize(count: 1)
        unsafe UnsafeMutableRawPointer(word).deallocate()
    }

    /// Sleeps while the word holds `value`; may return early without a reason, so callers look again.
    public func wait(while value: UInt32) {
        unsafe Futex.wait(on: word, while: value)
    }

    /// Wakes all who sleep on the word.
    public func wakeAll() {
        unsafe Futex.wake(Int(Int32.max), on: word)
    }

    /// Sleeps while `word` holds `value`, at most `nanoseconds`; false when the time ran out, true for any other reason.
    @unsafe @discardableResult
    public static func wait(
        on word: UnsafeMutablePointer<Atomic<UInt32>>, while value: UInt32, nanoseconds: Int64? = nil
    ) -> Bool {
        unsafe relaxed_futex_wait(UnsafeRawPointer(word), value, nanoseconds ?? -1) != ETIMEDOUT
    }

    /// Wakes up to `count` threads that sleep on `word`.
    @unsafe
    public static func wake(_ count: Int, on word: UnsafeMutablePointer<Atomic<UInt32>>) {
        unsafe relaxed_futex_wake(UnsafeRawPointer(word), Int32(clamping: count))
    }
}
