// The constants of the switch model that explain measured times best. Plain arithmetic; any thread.

/// Latency and transfer time fitted to a sweep over sizes.
public struct NetworkFit: Sendable, Equatable, Encodable {
    /// A measured time, and how often the model counts each constant in it.
    public struct Sample: Sendable {
        public let seconds: Double
        /// How many t_latency the operation takes.
        public let latencies: Double
        /// How many megabytes (of 10^6 bytes) it transfers one after the other.
        public let megabytes: Double

        public init(seconds: Double, latencies: Double, megabytes: Double) {
            self.seconds = seconds
            self.latencies = latencies
            self.megabytes = megabytes
        }

        /// A pattern's time: the closed form counts its constants. Nil where it is not linear in them, as `.pipelined` ports make
        /// some.
        public init?(seconds: Double, pattern: Pattern, workers: Int, megabytes: Double, ports: PortSemantics) {
            func count(latency: Double, transfer: Double) -> Double? {
                guard
                    let cost = try? NetworkCost(
                        latencySeconds: latency, secondsPerMegabyte: transfer, ports: ports)
                else { return nil }
                return pattern.closedForm(workers: workers, megabytes: megabytes, over: cost).seconds
            }
            guard let latencies = count(latency: 1, transfer: 0), let transfers = count(latency: 0, transfer: 1) else {
                return nil
            }
            for (latency, transfer) in [(1.0, 1.0), (1, 8), (8, 1)] {
                let sum = latency * latencies + transfer * transfers
                guard let both = count(latency: latency, transfer: transfer), abs(both - sum) <= 1e-9 * sum else {
                    return nil
                }
            }
            self.init(seconds: seconds, latencies: latencies, megabytes: transfers)
        }
    }

    public let latencySeconds: Double
    public let secondsPerMegabyte: Double
    /// Root of the mean squared relative error: 0.03 is 3 percent.
    public let relativeResidual: Double

    /// Least squares of the relative errors, so that small sizes count as much as large ones.
    ///
    /// Nil with fewer than two samples of positive time, or where they do not tell the two constants apart.
    public init?(_ samples: [Sample]) {
        let rows = samples.filter { $0.seconds > 0 }.map {
            (latency: $0.latencies / $0.seconds, transfer: $0.megabytes / $0.seconds)
        }
        guard rows.count >= 2 else { return nil }
        func sum(_ term: ((latency: Double, transfer: Double)) -> Double) -> Double { rows.reduce(0) { $0 + term($1) } }
        let aa = sum { $0.latency * $0.latency }
        let ab = sum { $0.latency * $0.transfer }
        let bb = sum { $0.transfer * $0.transfer }
        let a = sum { $0.latency }
        let b = sum { $0.transfer }
        let determinant = aa * bb - ab * ab
        guard determinant > 1e-12 * aa * bb else { return nil }
        let latency = (a * bb - b * ab) / determinant
        let transfer = (b * aa - a * ab) / determinant
        latencySeconds = latency
        secondsPerMegabyte = transfer
        let squares = sum { row in
            let error = row.latency * latency + row.transfer * transfer - 1
            return error * error
        }
        relativeResidual = (squares / Double(rows.count)).squareRoot()
    }
}
