// A counter that its writer shares a cache line with nobody over. Any thread.

public import Synchronization

/// One atomic counter alone on its cache-line pair (128 bytes: adjacent-line prefetch pulls lines in pairs).
public struct PaddedCounter: ~Copyable, Sendable {
    public let value = Atomic<UInt64>(0)
    private let padding = InlineArray<15, UInt64>(repeating: 0)

    public init() {}
}
