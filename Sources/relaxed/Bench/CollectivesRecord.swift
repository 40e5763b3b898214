// What `relaxed bench collectives` says: a row per algorithm and size, in the table and in the JSON alike.

import Platform
import Reporting
import SwitchModel

/// One line of the table.
struct CollectiveRow: Encodable {
    let algorithm: SweptCollective
    let workers: Int
    let bytes: Int
    /// Elements of the vector.
    let count: Int
    let iterations: Int
    let seconds: Samples
    let algorithmBytesPerSecond: Double
    let busBytesPerSecond: Double
    let wrong: Int?
    /// Native clock: what each worker copies meanwhile.
    let copyBytesPerSecond: Double?
    /// Model clocks: what the switch model says, the median over the iterations, and the measured median divided by it.
    let predictedSeconds: Double?
    let p50OverPredicted: Double?
    /// Wall clock: how late the emulator was, the worst wait of the median iteration and of all.
    let lateP50Seconds: Double?
    let lateMaximumSeconds: Double?

    init(
        algorithm: SweptCollective, workers: Int, bytes: Int, outcome: CollectiveSweep.Outcome, predicted: Double?
    ) {
        self.algorithm = algorithm
        self.workers = workers
        self.bytes = bytes
        count = bytes / 4
        iterations = outcome.seconds.count
        let seconds = Samples(outcome.seconds)
        self.seconds = seconds
        algorithmBytesPerSecond = Double(bytes) / seconds.meanSeconds
        busBytesPerSecond = algorithmBytesPerSecond * algorithm.busFactor(workers: workers)
        wrong = outcome.wrong
        copyBytesPerSecond = outcome.copyBytesPerSecond
        predictedSeconds = predicted
        p50OverPredicted = predictedSeconds.flatMap { $0 > 0 ? seconds.p50Seconds / $0 : nil }
        let late = outcome.lateSeconds
        lateP50Seconds = late.isEmpty ? nil : Samples(late).p50Seconds
        lateMaximumSeconds = late.max()
    }

    /// Whether the emulated time is off by more than 3 percent in the median, and late waits are a good part of that.
    var isLate: Bool {
        guard let lateP50Seconds, let predictedSeconds, let p50OverPredicted, p50OverPredicted > 1.03 else {
            return false
        }
        return lateP50Seconds > 0.25 * (seconds.p50Seconds - predictedSeconds)
    }

    static func columns(_ algorithms: [SweptCollective], isModel: Bool) -> [TextTable.Column] {
        [
            .text("algorithm", width: algorithms.map(\.name.count).max() ?? 0), .number("size", unit: "B"),
            .number("count", width: 8), .number("time", unit: "us"), .number("algbw", unit: "GB/s"),
            .number("busbw", unit: "GB/s"), .number("#wrong"), .number("min", width: 7), .number("p50", width: 7),
            .number("p99", width: 7),
        ]
            + (isModel
                ? [.number("predicted", unit: "us"), .number("p50/predicted"), .number("late", unit: "us")]
                : [.number("memcpy", unit: "GB/s")])
    }

    var cells: [String] {
        func rate(_ bytesPerSecond: Double?) -> String {
            bytesPerSecond.flatMap { $0.isFinite ? Quantity.number($0 / 1e9, digits: 3) : nil } ?? "-"
        }
        let times = [seconds.minimumSeconds, seconds.p50Seconds, seconds.p99Seconds].map(Samples.microseconds)
        return [
            algorithm.name, "\(bytes)", "\(count)", Samples.microseconds(seconds.meanSeconds),
            rate(algorithmBytesPerSecond), rate(busBytesPerSecond), wrong.map { "\($0)" } ?? "-",
        ] + times
            + (predictedSeconds.map {
                [
                    Samples.microseconds($0), p50OverPredicted.map { Quantity.fixed($0, decimals: 4) } ?? "-",
                    lateP50Seconds.map(Samples.microseconds) ?? "-",
                ]
            } ?? [rate(copyBytesPerSecond)])
    }
}

/// Latency and transfer time that explain one algorithm's sweep, or why there are none.
struct CollectiveFit: Encodable {
    let algorithm: SweptCollective
    let fit: NetworkFit?
    let reason: String?

    /// `direct` counts as one message of the vector's size.
    init(of rows: [CollectiveRow], _ algorithm: SweptCollective, workers: Int, ports: PortSemantics) {
        let samples = rows.compactMap { row in
            let megabytes = Double(row.bytes) / 1e6
            let seconds = row.seconds.p50Seconds
            guard let pattern = algorithm.pattern else {
                return NetworkFit.Sample(seconds: seconds, latencies: 1, megabytes: megabytes)
            }
            return NetworkFit.Sample(
                seconds: seconds, pattern: pattern, workers: workers, megabytes: megabytes, ports: ports)
        }
        self.algorithm = algorithm
        fit = NetworkFit(samples)
        reason =
            if fit != nil { nil } else if samples.count < rows.count {
                "with \(workers) workers and \(ports.rawValue) ports its closed form is not linear in the two constants"
            } else if workers == 1 { "one worker sends no messages" } else {
                "the sizes do not tell the two constants apart"
            }
    }

    var line: String {
        guard let fit else { return "no fit of \(algorithm.name): \(reason ?? "")" }
        let latency = Quantity.seconds(fit.latencySeconds)
        let transfer = Quantity.seconds(fit.secondsPerMegabyte)
        return "fit of \(algorithm.name): t_latency \(latency), t_transfer \(transfer) per MB, "
            + "residual \(Quantity.percent(fit.relativeResidual))"
    }
}

/// The JSON beside the head that all records have.
struct CollectivesRecord: Encodable {
    let clock: String
    let workers: Int
    let placement: Placement
    let rows: [CollectiveRow]
    /// A round trip of 8 bytes between two workers.
    let pingPongSeconds: Double?
    let fits: [CollectiveFit]?
    let cost: Cost?
    /// Model clocks: what each worker computes before each collective, and who takes longer.
    let computeSeconds: Double?
    let straggler: String?

    struct Cost: Encodable {
        let latencySeconds: Double
        let secondsPerMegabyte: Double
        let ports: PortSemantics
    }

    init(
        clock: String, workers: Int, placement: Placement, rows: [CollectiveRow], pingPongSeconds: Double?,
        fits: [CollectiveFit]?, cost: NetworkCost?, computeSeconds: Double?, straggler: String?
    ) {
        self.clock = clock
        self.workers = workers
        self.placement = placement
        self.rows = rows
        self.pingPongSeconds = pingPongSeconds
        self.fits = fits
        self.computeSeconds = computeSeconds
        self.straggler = straggler
        self.cost = cost.map {
            Cost(latencySeconds: $0.latencySeconds, secondsPerMegabyte: $0.secondsPerMegabyte, ports: $0.ports)
        }
    }
}
