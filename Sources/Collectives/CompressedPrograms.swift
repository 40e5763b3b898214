// Compressed averages as programs for the switch model, operation by operation what the ranks of `CompressedAverage` do. Plain values;
// any thread.

internal import Compression
public import SwitchModel

/// What all ranks of a compressed average do, as far as the switch is concerned: messages as long as the codec makes them, and coding.
public struct CompressedPrograms: RankPrograms {
    enum Scheme {
        case multiServer, parameterServer, ring, gathered
        /// Coding of so many floats, then a ring, and so on, and coding at the end.
        case sums([PatternPrograms])
    }

    private let scheme: Scheme
    private let workers: Int
    private let elements: Int
    private let isPush: Bool
    /// By chunk, or one for all.
    private let messageBytes: [Int]
    private let codecTime: CodecTime
    private let factors: [Double]

    /// - Parameters:
    ///   - isPush: whether the way in alone is meant (`reduceToServers`).
    ///   - codecSecondsPerMegabyte: of coding a megabyte of floats once.
    ///   - factors: how much longer each rank takes to code; the ranks beyond them take no longer.
    init(
        _ scheme: Scheme, workers: Int, elements: Int, messageBytes: [Int], isPush: Bool,
        codecSecondsPerMegabyte: Double, factors: [Double]
    ) {
        self.scheme = scheme
        self.workers = workers
        self.elements = elements
        self.messageBytes = messageBytes
        self.isPush = isPush
        self.factors = factors
        codecTime = .perMegabyte(seconds: codecSecondsPerMegabyte)
    }

    public var rankCount: Int { if case .parameterServer = scheme { workers + 1 } else { workers } }

    public func operation(of rank: Int, at step: Int) -> RankOperation? {
        var steps = Steps(left: step)
        return switch scheme {
        case .multiServer: push(rank, &steps) ?? (isPush ? nil : pull(rank, &steps))
        case .parameterServer: throughServer(rank, &steps)
        case .ring: ring(rank, &steps)
        case .gathered: gathered(rank, &steps)
        case .sums(let rings): sums(rings, rank, &steps)
        }
    }

    /// Counts a step down through the blocks of a program.
    private struct Steps {
        var left: Int

        /// Whether the step is among the next `count`; `left` then says which, and else goes on behind them.
        mutating func isAmong(_ count: Int) -> Bool {
            if left < count { return true }
            left -= count
            return false
        }
    }

    private func push(_ rank: Int, _ steps: inout Steps) -> RankOperation? {
        let isPaired = workers.nonzeroBitCount == 1
        if steps.isAmong(3 * (workers - 1)) {
            let k = steps.left / 3 + 1
            let server = isPaired ? rank ^ k : right(of: rank, by: k)
            return switch steps.left % 3 {
            case 0: code(chunk: server, rank)
            case 1: .awaitSendPort
            default: send(chunk: server, to: server)
            }
        }
        if steps.isAmong(2) { return code(chunk: rank, rank) }
        guard steps.isAmong(2 * (workers - 1)) else { return nil }
        let k = steps.left / 2 + 1
        if !steps.left.isMultiple(of: 2) { return code(chunk: rank, rank) }
        return .receive(from: isPaired ? rank ^ k : left(of: rank, by: k))
    }

    private func pull(_ rank: Int, _ steps: inout Steps) -> RankOperation? {
        if steps.isAmong(1) { return code(chunk: rank, rank) }
        if steps.isAmong(2 * (workers - 1)) {
            if steps.left.isMultiple(of: 2) { return .awaitSendPort }
            return send(chunk: rank, to: right(of: rank, by: steps.left / 2 + 1))
        }
        if steps.isAmong(1) { return code(chunk: rank, rank) }
        guard steps.isAmong(2 * (workers - 1)) else { return nil }
        let server = left(of: rank, by: steps.left / 2 + 1)
        return steps.left.isMultiple(of: 2) ? .receive(from: server) : code(chunk: server, rank)
    }

    private func throughServer(_ rank: Int, _ steps: inout Steps) -> RankOperation? {
        guard rank == workers else {
            if steps.isAmong(1) { return code(elements, rank) }
            if steps.isAmong(1) { return send(chunk: 0, to: workers) }
            if isPush { return nil }
            if steps.isAmong(1) { return .receive(from: workers) }
            return steps.isAmong(1) ? code(elements, rank) : nil
        }
        if steps.isAmong(2 * workers) {
            return steps.left.isMultiple(of: 2) ? .receive(from: steps.left / 2) : code(elements, rank)
        }
        if isPush { return nil }
        if steps.isAmong(1) { return code(elements, rank) }
        if steps.isAmong(workers) { return send(chunk: 0, to: steps.left) }
        return steps.isAmong(1) ? code(elements, rank) : nil
    }

    private func ring(_ rank: Int, _ steps: inout Steps) -> RankOperation? {
        let (from, to) = (left(of: rank, by: 1 % workers), right(of: rank, by: 1 % workers))
        if steps.isAmong(4 * (workers - 1)) {
            let chunk = left(of: rank, by: steps.left / 4)
            return switch steps.left % 4 {
            case 0: code(chunk: chunk, rank)
            case 1: send(chunk: chunk, to: to)
            case 2: .receive(from: from)
            default: code(chunk: left(of: rank, by: steps.left / 4 + 1), rank)
            }
        }
        if steps.isAmong(1) { return code(chunk: to, rank) }
        if workers == 1 { return steps.isAmong(1) ? code(chunk: to, rank) : nil }
        if steps.isAmong(1) { return send(chunk: to, to: to) }
        if steps.isAmong(1) { return code(chunk: to, rank) }
        // Without the first message: receive, decode, send.
        guard steps.isAmong(3 * (workers - 1) - 1) else { return nil }
        let round = steps.left / 3
        return switch steps.left % 3 {
        case 0: .receive(from: from)
        case 1: code(chunk: left(of: rank, by: round), rank)
        default: send(chunk: left(of: rank, by: round), to: to)
        }
    }

    private func gathered(_ rank: Int, _ steps: inout Steps) -> RankOperation? {
        if steps.isAmong(1) { return code(elements, rank) }
        if steps.isAmong(2 * (workers - 1)) {
            return steps.left.isMultiple(of: 2)
                ? send(chunk: 0, to: right(of: rank, by: 1)) : .receive(from: left(of: rank, by: 1))
        }
        return steps.isAmong(1) ? code(workers * elements, rank) : nil
    }

    private func sums(_ rings: [PatternPrograms], _ rank: Int, _ steps: inout Steps) -> RankOperation? {
        for ring in rings {
            if steps.isAmong(1) { return code(elements, rank) }
            if steps.isAmong(4 * (workers - 1)) { return ring.operation(of: rank, at: steps.left) }
        }
        return steps.isAmong(1) ? code(elements, rank) : nil
    }

    private func code(chunk: Int, _ rank: Int) -> RankOperation {
        code(elements * (chunk + 1) / workers - elements * chunk / workers, rank)
    }

    private func code(_ floats: Int, _ rank: Int) -> RankOperation {
        let factor = rank < factors.count ? factors[rank] : 1
        return .compute(seconds: factor * codecTime.seconds(floats: floats)!)
    }

    private func send(chunk: Int, to rank: Int) -> RankOperation {
        .send(to: rank, megabytes: Double(messageBytes[chunk]) / 1e6)
    }

    private func right(of rank: Int, by distance: Int) -> Int {
        rank + distance < workers ? rank + distance : rank + distance - workers
    }

    private func left(of rank: Int, by distance: Int) -> Int {
        rank >= distance ? rank - distance : rank - distance + workers
    }
}
