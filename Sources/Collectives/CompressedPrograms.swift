// Compressed averages as programs for the switch model, operation by operation what the ranks of `CompressedAverage` do. Plain values;
// any thread.

internal import Compression
public import SwitchModel

/// What all ranks of a compressed average do, as far as the switch is concerned: the messages of a pattern, as long as the codec makes them,
/// and coding between them.
public struct CompressedPrograms: RankPrograms {
    enum Scheme {
        /// With messages of so many bytes in place of chunks.
        case multiServer(messageBytes: [Int])
        case ring(messageBytes: [Int])
        case parameterServer(messageBytes: Int)
        case gathered(messageBytes: Int)
        /// Coding, then a ring of so many floats, and so on, and coding at the end.
        case sums(floats: [Int])
    }

    private let scheme: Scheme
    /// The messages; of sums those of the first ring, and then of the others.
    private let messages: PatternPrograms
    private let otherRings: [PatternPrograms]
    private let workers: Int
    private let elements: Int
    private let isPush: Bool
    private let codecTime: CodecTime
    private let factors: [Double]

    /// - Parameters:
    ///   - isPush: whether the way in alone is meant (`reduceToServers`).
    ///   - codecSecondsPerMegabyte: of coding a megabyte of floats once.
    ///   - factors: how much longer each rank takes to code; the ranks beyond them take no longer.
    init(
        _ scheme: Scheme, workers: Int, elements: Int, isPush: Bool, codecSecondsPerMegabyte: Double, factors: [Double]
    ) {
        func pattern(_ pattern: Pattern, _ bytes: [Int]) -> PatternPrograms {
            PatternPrograms(pattern, workers: workers, partition: VectorPartition(byteCounts: bytes))
        }
        let patterns =
            switch scheme {
            case .multiServer(let bytes): [pattern(.multiServer, bytes)]
            case .ring(let bytes): [pattern(.ringAllReduce, bytes)]
            case .parameterServer(let bytes): [pattern(.parameterServer, [bytes])]
            case .gathered(let bytes): [pattern(.allGather, Array(repeating: bytes, count: workers))]
            case .sums(let counts):
                counts.map {
                    PatternPrograms(
                        .ringAllReduce, workers: workers, partition: VectorPartition(elements: $0, count: workers))
                }
            }
        messages = patterns[0]
        otherRings = Array(patterns.dropFirst())
        self.scheme = scheme
        self.workers = workers
        self.elements = elements
        self.isPush = isPush
        self.factors = factors
        codecTime = .perMegabyte(seconds: codecSecondsPerMegabyte)
    }

    public var rankCount: Int { messages.rankCount }

    public func operation(of rank: Int, at step: Int) -> RankOperation? {
        var steps = Steps(left: step)
        return switch scheme {
        case .multiServer: sendToServers(rank, &steps) ?? (isPush ? nil : receiveFromServers(rank, &steps))
        case .parameterServer: throughServer(rank, &steps)
        case .ring: ring(rank, &steps)
        case .gathered: gathered(rank, &steps)
        case .sums: sums(rank, &steps)
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

    /// An operation of the pattern.
    private func message(_ rank: Int, _ index: Int) -> RankOperation? { messages.operation(of: rank, at: index) }

    private func sendToServers(_ rank: Int, _ steps: inout Steps) -> RankOperation? {
        let rounds = workers - 1
        if steps.isAmong(3 * rounds) {
            let index = 2 * (steps.left / 3)
            guard steps.left.isMultiple(of: 3) else { return message(rank, index + steps.left % 3 - 1) }
            guard case .send(let server, _) = message(rank, index + 1) else { return nil }
            return code(chunk: server, rank)
        }
        if steps.isAmong(2) { return code(chunk: rank, rank) }
        guard steps.isAmong(2 * rounds) else { return nil }
        if !steps.left.isMultiple(of: 2) { return code(chunk: rank, rank) }
        return message(rank, 2 * rounds + steps.left / 2)
    }

    private func receiveFromServers(_ rank: Int, _ steps: inout Steps) -> RankOperation? {
        let rounds = workers - 1
        if steps.isAmong(1) { return code(chunk: rank, rank) }
        if steps.isAmong(2 * rounds) { return message(rank, 3 * rounds + steps.left) }
        if steps.isAmong(1) { return code(chunk: rank, rank) }
        guard steps.isAmong(2 * rounds) else { return nil }
        let receive = message(rank, 5 * rounds + steps.left / 2)
        guard case .receive(let server) = receive, !steps.left.isMultiple(of: 2) else { return receive }
        return code(chunk: server, rank)
    }

    private func throughServer(_ rank: Int, _ steps: inout Steps) -> RankOperation? {
        guard rank == workers else {
            if steps.isAmong(1) { return code(elements, rank) }
            if steps.isAmong(1) { return message(rank, 0) }
            if isPush { return nil }
            if steps.isAmong(1) { return message(rank, 1) }
            return steps.isAmong(1) ? code(elements, rank) : nil
        }
        if steps.isAmong(2 * workers) {
            return steps.left.isMultiple(of: 2) ? message(rank, steps.left / 2) : code(elements, rank)
        }
        if isPush { return nil }
        if steps.isAmong(1) { return code(elements, rank) }
        if steps.isAmong(workers) { return message(rank, workers + steps.left) }
        return steps.isAmong(1) ? code(elements, rank) : nil
    }

    private func ring(_ rank: Int, _ steps: inout Steps) -> RankOperation? {
        let rounds = workers - 1
        func left(by distance: Int) -> Int { (rank + workers - distance) % workers }
        if steps.isAmong(4 * rounds) {
            let round = steps.left / 4
            return switch steps.left % 4 {
            case 0: code(chunk: left(by: round), rank)
            case 1: message(rank, 2 * round)
            case 2: message(rank, 2 * round + 1)
            default: code(chunk: left(by: round + 1), rank)
            }
        }
        // The chunk that goes round: encoded, sent, and decoded here, too.
        if steps.isAmong(1) { return code(chunk: left(by: rounds), rank) }
        if workers > 1 && steps.isAmong(1) { return message(rank, 2 * rounds) }
        if steps.isAmong(1) { return code(chunk: left(by: rounds), rank) }
        // Without the first message: receive, decode, send.
        guard steps.isAmong(3 * rounds - 1) else { return nil }
        let index = 2 * rounds + 2 * (steps.left / 3)
        return switch steps.left % 3 {
        case 0: message(rank, index + 1)
        case 1: code(chunk: left(by: steps.left / 3), rank)
        default: message(rank, index + 2)
        }
    }

    private func gathered(_ rank: Int, _ steps: inout Steps) -> RankOperation? {
        if steps.isAmong(1) { return code(elements, rank) }
        if steps.isAmong(2 * (workers - 1)) { return message(rank, steps.left) }
        return steps.isAmong(1) ? code(workers * elements, rank) : nil
    }

    private func sums(_ rank: Int, _ steps: inout Steps) -> RankOperation? {
        if steps.isAmong(1) { return code(elements, rank) }
        if steps.isAmong(4 * (workers - 1)) { return message(rank, steps.left) }
        for ring in otherRings {
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
}
