// What a compressed average takes on the switch. The rank's thread.

internal import Compression
public import SwitchModel

extension CompressedAverage {
    /// Seconds that one average takes, or with `isPush` `reduceToServers`, until the last rank is done: that of `programs`.
    ///
    /// Exact where all messages of a site are equally long. With a codec whose messages vary in length it takes them to be of the mean
    /// length of all that this rank has sent and received so far, or before the first average of the largest, and is an estimate.
    public func predictedSeconds(over cost: NetworkCost, isPush: Bool = false) -> Double {
        Timeline(running: programs(isPush: isPush), cost: cost, keepingPassages: false).programsEnd
    }

    /// What all ranks do for one average, or with `isPush` for `reduceToServers`.
    ///
    /// `codecSecondsPerMegabyte` are those of coding, nil for what `codecTime` says, or where that is measured what this rank's coding took;
    /// `factors` say how much longer each worker takes to code.
    public func programs(
        isPush: Bool = false, codecSecondsPerMegabyte: Double? = nil, factors: [Double] = []
    ) -> CompressedPrograms {
        precondition(!isPush || collective.hasServers, "\(collective.rawValue) has no servers")
        let seconds = codecSecondsPerMegabyte ?? codecTime.seconds(floats: 250_000) ?? measuredSecondsPerMegabyte
        return CompressedPrograms(
            described, workers: workers, elements: elements, isPush: isPush, codecSecondsPerMegabyte: seconds,
            factors: factors)
    }

    /// What coding a megabyte of floats took; 0 before the first.
    private var measuredSecondsPerMegabyte: Double {
        codedFloats > 0 ? codecSeconds / (Double(codedFloats) * 4 / 1e6) : 0
    }

    private var described: CompressedPrograms.Scheme {
        switch scheme {
        case .multiServer: .multiServer(messageBytes: (0..<workers).map(messageBytes))
        case .ring: .ring(messageBytes: (0..<workers).map(messageBytes))
        case .parameterServer: .parameterServer(messageBytes: messageBytes(of: 0))
        case .gathered: .gathered(messageBytes: messageBytes(of: 0))
        case .sums(let sums): .sums(floats: sums.rounds.map(\.count))
        }
    }

    private func messageBytes(of site: Int) -> Int {
        let codec = sites.codec(of: site)
        guard codec.fixedBytes == nil, exchangedMessages > 0 else { return codec.maximumEncodedBytes }
        return (exchangedBytes + exchangedMessages / 2) / exchangedMessages
    }
}
