// What a run is about to take of memory. Plain values; any thread.

/// A sum of what the owners of memory state, before any of it is laid out.
public struct MemoryEstimate: Sendable {
    /// What is still to be taken, in bytes; no more than can be counted.
    public private(set) var bytes = 0

    public init() {}

    /// Adds so many times so many bytes.
    public mutating func add(_ more: Int, times: Int = 1) {
        let (sum, overflow) = bytes.addingReportingOverflow(more.multiplied(by: times))
        bytes = overflow ? .max : sum
    }

    /// The most that the process will then have held, with what it holds already; reading the data may have taken more than that.
    public var peakBytes: Int {
        let (sum, overflow) = bytes.addingReportingOverflow(residentMemoryBytes())
        return overflow ? .max : max(sum, peakMemoryBytes())
    }

    /// Throws where less than this is free, before the kernel ends the process in the middle of the run.
    ///
    /// - Parameters:
    ///   - place: where what asks for it comes from.
    ///   - what: such as `a model of 5 parameters`.
    public func requireFit(at place: String, _ what: String) throws(InputError) {
        guard let available = availableMemoryBytes(), bytes > available else { return }
        let held = residentMemoryBytes()
        throw InputError(
            at: place, found: "\(what), which takes about \(peakBytes >> 20) MiB of memory",
            expected: "what \(available >> 20) MiB of free memory hold, beside \(held >> 20) MiB already taken")
    }
}

extension Int {
    /// The product of numbers that are not negative, or the largest number where it is beyond that.
    package func multiplied(by factor: Int) -> Int {
        let (product, overflow) = multipliedReportingOverflow(by: factor)
        return overflow ? .max : product
    }
}
