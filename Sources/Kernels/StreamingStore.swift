// When to store past the caches. Any thread.

/// Stores that bypass the caches: they spare reading the lines that they fill, and push nothing else out.
public enum StreamingStore {
    /// Floats from which a vector is written past the caches: 8 MB, more than a core's share of them, so that little of it would be found
    /// there again.
    public static let leastCount = 2 << 20
}
