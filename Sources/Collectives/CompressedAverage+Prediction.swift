// What a compressed average takes on the switch. The rank's thread.

internal import Compression
public import SwitchModel

extension CompressedAverage {
    /// Seconds that one average takes: the closed form where all messages are equally long, else the simulated pattern, both exact.
    ///
    /// With a codec whose messages vary in length it takes them to be of the mean length of all that this rank has sent and received so
    /// far, or before the first average of the largest, and is an estimate.
    public func predictedSeconds(over cost: NetworkCost) -> Double {
        ExchangeStages(stages, workers: workers).seconds(over: cost)
    }

    /// Seconds that `reduceToServers` takes, likewise.
    public func predictedPushSeconds(over cost: NetworkCost) -> Double {
        precondition(layout.hasServers, "\(layout.rawValue) has no servers")
        guard layout == .multiServer else { return predictedSeconds(over: cost) / 2 }
        return ExchangeStages(stages, workers: workers, operations: 0..<2 * (workers - 1)).seconds(over: cost)
    }

    /// What ranks send for one average, where that is one pattern; nil for `natural` codecs that make it of two.
    public var pattern: PatternPrograms? {
        guard stages.count == 1 else { return nil }
        return PatternPrograms(
            stages[0].pattern, workers: workers, partition: VectorPartition(byteCounts: stages[0].bytes))
    }

    /// The patterns of an average with the bytes of each partition, one after the other.
    private var stages: [(pattern: Pattern, bytes: [Int])] {
        func ring(_ floats: Int) -> (Pattern, [Int]) {
            (.ringAllReduce, (0..<workers).map { 4 * (floats * ($0 + 1) / workers - floats * $0 / workers) })
        }
        switch scheme {
        case .multiServer: return [(.multiServer, sites[..<workers].map(messageBytes))]
        case .ring: return [(.ringAllReduce, sites.map(messageBytes))]
        case .parameterServer: return [(.parameterServer, sites.map(messageBytes))]
        case .gathered: return [(.allGather, Array(repeating: messageBytes(sites[0]), count: workers))]
        case .lowRank(let aggregate): return unsafe [ring(aggregate.p.count), ring(aggregate.q.count)]
        case .countSketch(let aggregate): return [ring(aggregate.codec.tableCount)]
        case .randomK(let codec): return [ring(codec.kept)]
        }
    }

    private func messageBytes(_ site: CompressionSite) -> Int {
        guard !site.codec.hasFixedSize, exchangedMessages > 0 else { return site.codec.maximumEncodedBytes }
        return (exchangedBytes + exchangedMessages / 2) / exchangedMessages
    }
}

/// Patterns that all ranks run one after the other.
private struct ExchangeStages: RankPrograms {
    private let programs: [PatternPrograms]
    private let sizes: [[Int]]
    /// What is run of each pattern of several stages, or of a part: there all ranks have equally many operations.
    private let operations: Range<Int>?

    init(_ stages: [(pattern: Pattern, bytes: [Int])], workers: Int, operations: Range<Int>? = nil) {
        sizes = stages.map(\.bytes)
        programs = stages.map {
            PatternPrograms($0.pattern, workers: workers, partition: VectorPartition(byteCounts: $0.bytes))
        }
        self.operations = operations ?? (stages.count > 1 ? 0..<4 * (workers - 1) : nil)
    }

    var rankCount: Int { programs[0].rankCount }

    func operation(of rank: Int, at step: Int) -> RankOperation? {
        guard let operations else { return programs[0].operation(of: rank, at: step) }
        if operations.isEmpty || step >= operations.count * programs.count { return nil }
        return programs[step / operations.count].operation(
            of: rank, at: operations.lowerBound + step % operations.count)
    }

    func seconds(over cost: NetworkCost) -> Double {
        guard sizes.allSatisfy({ bytes in bytes.allSatisfy { $0 == bytes[0] } }) else {
            return Timeline(running: self, cost: cost, keepingPassages: false).makespan
        }
        let whole = zip(programs, sizes).reduce(0.0) { sum, stage in
            let megabytes = Double(stage.1.reduce(0, +)) / 1e6
            return sum
                + stage.0.pattern.closedForm(workers: stage.0.workers, megabytes: megabytes, over: cost).seconds
        }
        // The two halves of a pattern move equally much.
        guard let operations, programs.count == 1 else { return whole }
        return operations.isEmpty ? 0 : whole / 2
    }
}
