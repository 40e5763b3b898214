// The collectives of compressed averages by name. Plain values; any thread.

public import SwitchModel

/// How compressed vectors are averaged.
public enum CompressedCollective: String, CaseIterable, Sendable, Encodable {
    /// Q(1/N sum of Q(v_n)), each worker serving one chunk (eq. 3.2).
    case multiServer = "multi-server"
    /// Q(1/N sum of Q(v_n)) through one dedicated server, rank N (section 3.3).
    case parameterServer = "parameter-server"
    /// Q(... Q(Q(v_1) + v_2) ... + v_N) / N, chunk by chunk round a ring (eq. 3.3; the mean, as ERRATA says).
    case ring = "ring-allreduce"
    /// What suits the codec: sums of what is linear in the vectors (`low-rank`, `count-sketch`, `random-k`), or each worker's
    /// sparse message to all.
    case natural

    /// What the switch model prices; nil for `natural`, where it depends on the codec.
    public var pattern: Pattern? { Pattern(rawValue: rawValue) }

    /// How many ranks N workers need: one more where there is a dedicated server.
    public func ranks(workers: Int) -> Int { pattern?.ranks(workers: workers) ?? workers }

    /// Whether some rank ends the way in with a mean, whole or of one chunk, that nobody has compressed again.
    public var hasServers: Bool { self == .multiServer || self == .parameterServer }
}
