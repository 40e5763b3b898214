// What `relaxed bench collectives` says: a row per algorithm and size, in the table and in the JSON alike.

import Collectives
import Platform
import Reporting
import SwitchModel

/// One line of the table.
struct CollectiveRow: Encodable {
    let algorithm: AllReduceAlgorithm
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
    /// Model clocks: what the switch model says, and the measured median divided by it.
    let predictedSeconds: Double?
    let p50OverPredicted: Double?
    /// Wall clock: how late the emulator was, the worst wait of the median iteration and of all.
    let lateP50Seconds: Double?
    let lateMaximumSeconds: Double?

    init(
        algorithm: AllReduceAlgorithm, workers: Int, bytes: Int, outcome: CollectiveSweep.Outcome, predicted: Double?
    ) {
        self.algorithm = algorithm
        self.workers = workers
        self.bytes = bytes
        count = bytes / 4
        iterations = outcome.seconds.count
        let seconds = Samples(outcome.seconds)
        self.seconds = seconds
        algorithmBytesPerSecond = Double(bytes) / seconds.meanSeconds
        busBytesPerSecond = algorithmBytesPerSecond * 2 * Double(workers - 1) / Double(workers)
        wrong = outcome.wrong
        copyBytesPerSecond = outcome.copyBytesPerSecond
        predictedSeconds = predicted
        p50OverPredicted = predicted.map { seconds.p50Seconds / $0 }
        let late = outcome.lateSeconds
        lateP50Seconds = late.isEmpty ? nil : Samples(late).p50Seconds
        lateMaximumSeconds = late.max()
    }

    /// Whether the emulated time is off by more than 3 percent in the median.
    var isLate: Bool { lateP50Seconds != nil && (p50OverPredicted ?? 1) > 1.03 }

    static func table(isModel: Bool) -> TextTable {
        TextTable(
            [
                .text("algorithm"), .number("size", unit: "B"), .number("count"), .number("time", unit: "us"),
                .number("algbw", unit: "GB/s"), .number("busbw", unit: "GB/s"), .number("#wrong"),
                .number("min"), .number("p50"), .number("p99"),
            ]
                + (isModel
                    ? [.number("predicted", unit: "us"), .number("p50/predicted"), .number("late", unit: "us")]
                    : [.number("memcpy", unit: "GB/s")]))
    }

    var cells: [String] {
        func rate(_ bytesPerSecond: Double?) -> String {
            bytesPerSecond.map { Quantity.number($0 / 1e9, digits: 3) } ?? "-"
        }
        let times = [seconds.minimumSeconds, seconds.p50Seconds, seconds.p99Seconds].map(Samples.microseconds)
        return [
            algorithm.rawValue, "\(bytes)", "\(count)", Samples.microseconds(seconds.meanSeconds),
            rate(algorithmBytesPerSecond), rate(busBytesPerSecond), wrong.map { "\($0)" } ?? "-",
        ] + times
            + (predictedSeconds.map {
                [
                    Samples.microseconds($0), Quantity.fixed(p50OverPredicted ?? .nan, decimals: 4),
                    lateP50Seconds.map(Samples.microseconds) ?? "-",
                ]
            } ?? [rate(copyBytesPerSecond)])
    }
}

/// Latency and transfer time that explain one algorithm's sweep.
struct CollectiveFit: Encodable {
    let algorithm: AllReduceAlgorithm
    let fit: NetworkFit

    /// Nil where the sweep does not tell the two apart. `direct` counts as one message of the vector's size.
    init?(of rows: [CollectiveRow], _ algorithm: AllReduceAlgorithm, workers: Int, ports: PortSemantics) {
        let samples = rows.compactMap { row in
            let megabytes = Double(row.bytes) / 1e6
            let seconds = row.seconds.p50Seconds
            guard let pattern = algorithm.pattern else {
                return NetworkFit.Sample(seconds: seconds, latencies: 1, megabytes: megabytes)
            }
            return NetworkFit.Sample(
                seconds: seconds, pattern: pattern, workers: workers, megabytes: megabytes, ports: ports)
        }
        guard let fit = NetworkFit(samples) else { return nil }
        self.algorithm = algorithm
        self.fit = fit
    }

    var line: String {
        let latency = Quantity.seconds(fit.latencySeconds)
        let transfer = Quantity.seconds(fit.secondsPerMegabyte)
        return "fit of \(algorithm.rawValue): t_latency \(latency), t_transfer \(transfer) per MB, "
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

    struct Cost: Encodable {
        let latencySeconds: Double
        let secondsPerMegabyte: Double
        let ports: PortSemantics
    }

    init(
        clock: String, workers: Int, placement: Placement, rows: [CollectiveRow], pingPongSeconds: Double?,
        fits: [CollectiveFit]?, cost: NetworkCost?
    ) {
        self.clock = clock
        self.workers = workers
        self.placement = placement
        self.rows = rows
        self.pingPongSeconds = pingPongSeconds
        self.fits = fits
        self.cost = cost.map {
            Cost(latencySeconds: $0.latencySeconds, secondsPerMegabyte: $0.secondsPerMegabyte, ports: $0.ports)
        }
    }
}
