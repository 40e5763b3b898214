// What one message costs on the logical switch (section 1.3.1). Plain values; any thread.

public import Platform

/// How long a message keeps the send port of its sender and the receive port of its receiver.
public enum PortSemantics: String, Sendable, CaseIterable, Encodable {
    /// Both ports are busy from the message's start until start + t_latency + t_transfer: the totals of the book.
    case occupied
    /// A port is busy only while bits move through it: the send port from start to start + t_transfer, the receive port
    /// t_latency later.
    case pipelined
}

/// The two constants of the switch model, and what its ports do meanwhile (section 1.3.1; ERRATA, switch semantics).
public struct NetworkCost: Sendable, Hashable {
    /// t_latency: seconds between the first bit sent and the first bit received.
    public let latencySeconds: Double
    /// t_transfer1MB: seconds in which a port moves one megabyte of 10^6 bytes.
    public let secondsPerMegabyte: Double
    public let ports: PortSemantics

    /// Throws `InputError` unless both constants are finite and not negative; it names the options of the command.
    public init(
        latencySeconds: Double, secondsPerMegabyte: Double, ports: PortSemantics = .occupied
    ) throws(InputError) {
        for (option, value) in [("--latency", latencySeconds), ("--transfer-per-mb", secondsPerMegabyte)] {
            guard value >= 0, value.isFinite else {
                throw InputError(at: option, found: "\(value)", expected: "seconds, finite and not negative")
            }
        }
        self.latencySeconds = latencySeconds
        self.secondsPerMegabyte = secondsPerMegabyte
        self.ports = ports
    }

    /// Seconds in which `megabytes` (of 10^6 bytes) move through one port.
    public func transferSeconds(megabytes: Double) -> Double { megabytes * secondsPerMegabyte }

    /// Seconds from the start of a message of `megabytes` until it has fully arrived.
    public func messageSeconds(megabytes: Double) -> Double { latencySeconds + transferSeconds(megabytes: megabytes) }

    /// Seconds from the start of a message until the next one may start at either of its ports.
    ///
    /// Under `.pipelined` the receive port is busy t_latency later than the send port, and so is that of the next message:
    /// counted in starts, both ports are held for the transfer alone.
    public func holdSeconds(megabytes: Double) -> Double {
        switch ports {
        case .occupied: messageSeconds(megabytes: megabytes)
        case .pipelined: transferSeconds(megabytes: megabytes)
        }
    }
}
