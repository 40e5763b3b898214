import Datasets
import Kernels
import Measurement
import Messaging
import Objectives
import Platform
import SwitchModel
import Testing

@testable import Training

/// asgd with its settings: several servers, pushes that nobody waits for, updates in pieces.
@Suite struct ASGDServersTests {
    private static let variants = [
        "servers=1", "servers=3", "servers=4,split=4:2:1:1", "pipelined=3", "servers=2,pipelined=2",
        "atomic=no,pieces=5",
        "servers=2,atomic=no,pieces=3,pipelined=2", "servers=9",
    ]

    private func run(
        _ settings: String, workers: Int, compute: Double = 1e-3, latency: Double = 1e-4,
        ports: PortSemantics = .occupied,
        rows: Int = 400, width: Int = 30, _ change: (inout TrainingOptions) -> Void = { _ in }
    ) throws -> TrainingResult {
        var options = TrainingOptions()
        options.algorithm = Algorithm(ASGD.self, settings: settings)
        options.stepSize = StepSize(0.05)
        options.epochs = 1
        options.order = .sequential
        options.keepsUpdateLog = true
        options.clock.computeSeconds = compute
        options.clock.kind = .virtual(
            try NetworkCost(latencySeconds: latency, secondsPerMegabyte: 10, ports: ports))
        change(&options)
        return try trainingRun(TargetProblem(rows: rows, width: width), workers: workers, options).run()
    }

    private func chunks(_ settings: String, width: Int) throws -> [ModelChunk] {
        var named = try NamedSettings(name: "asgd", settings: settings, at: "")
        return try ModelServers(&named).chunks(parameters: width)
    }

    @Test(arguments: PortSemantics.allCases) func `one server whose pushes are waited for is asgd, bit for bit`(
        ports: PortSemantics
    ) throws {
        for workers in [1, 3, 8] {
            let plain = try run("", workers: workers, ports: ports)
            for settings in ["servers=1", "servers=1,pipelined=1,atomic=yes"] {
                let other = try run(settings, workers: workers, ports: ports)
                #expect(other.parameters == plain.parameters && other.updateLog == plain.updateLog)
                #expect(other.record.seconds == plain.record.seconds)
                #expect(other.record.staleness == plain.record.staleness)
            }
        }
        // Alone a worker sees its own updates, wherever they are.
        let alone = try run("", workers: 1, ports: ports)
        for settings in ["servers=3", "servers=4,split=4:2:1:1", "atomic=no", "servers=40"] {
            let other = try run(settings, workers: 1, ports: ports)
            #expect(other.parameters == alone.parameters && other.record.staleness.all.max == 0)
        }
    }

    @Test(arguments: variants, [1, 4]) func `the model is that of the logs of all windows, update by update`(
        settings: String, workers: Int
    ) throws {
        for ports in PortSemantics.allCases {
            let problem = TargetProblem(rows: 400, width: 30)
            let result = try run(settings, workers: workers, ports: ports) {
                $0.clock.straggler = .constant(rank: 0, factor: 1.7)
            }
            let chunks = try chunks(settings, width: 30)
            let logs = chunks.indices.map { chunk in
                result.updateLog.filter { $0.chunk == chunk }.sorted { $0.writeVersion < $1.writeVersion }
            }
            #expect(logs[logs.count - 1].count == 400 && result.record.updates == 400)
            var models = chunks.map { [$0.range.map { Double(problem.start[$0]) }] }
            var samplers = try (0..<workers).map { rank in
                try RowSampler(
                    .sequential, rowCount: 400, rank: rank, workers: workers, seed: 1, batchSize: 1, name: "",
                    beginsAnywhere: false)
            }
            var rows: [[Int]] = samplers.map { sampler in
                (0..<450).map { _ in
                    sampler.advance()
                    return sampler.chosen[0]
                }
            }
            // What each gradient has read, by worker and its own count: all windows know of the same gradients, in the order of the worker.
            var reads: [[[UInt64]]] = Array(repeating: [], count: workers)
            for worker in 0..<workers {
                let own = logs.map { log in log.filter { $0.worker == worker } }
                reads[worker] = own[0].indices.map { place in own.map { $0.count > place ? $0[place].readVersion : 0 } }
            }
            var made = chunks.map { _ in [Int](repeating: 0, count: workers) }
            // In the order of time, so that what was read is there.
            let all = result.updateLog.sorted {
                ($0.writeSeconds, $0.chunk, $0.writeVersion) < ($1.writeSeconds, $1.chunk, $1.writeVersion)
            }
            for entry in all where made[entry.chunk][entry.worker] < reads[entry.worker].count {
                let chunk = chunks[entry.chunk]
                let number = made[entry.chunk][entry.worker]
                made[entry.chunk][entry.worker] += 1
                #expect(Int(entry.writeVersion) == models[entry.chunk].count - 1)
                #expect(entry.readVersion == reads[entry.worker][number][entry.chunk])
                // The gradient of a coordinate needs only that coordinate.
                let read = models[entry.chunk][Int(entry.readVersion)]
                var x = [Double](repeating: 0, count: 30)
                for i in chunk.range { x[i] = read[i - chunk.range.lowerBound] }
                let last = models[entry.chunk][models[entry.chunk].count - 1]
                models[entry.chunk].append(
                    chunk.range.map {
                        last[$0 - chunk.range.lowerBound]
                            - 0.05 * problem.gradient(of: rows[entry.worker][number], at: x, $0)
                    })
            }
            let expected = models.flatMap { $0[$0.count - 1] }
            for (found, expected) in zip(result.parameters, expected) {
                #expect(abs(Double(found) - expected) < 1e-4, "\(ports)")
            }
            samplers = []
            rows = []
        }
    }

    @Test(arguments: variants) func `evaluations move nobody, and the last of them is where the run ends`(
        settings: String
    ) throws {
        let results = try [0, 1, 20].map { evaluations in
            try run(settings, workers: 4) {
                $0.evaluationsPerEpoch = evaluations
                $0.clock.straggler = .constant(rank: 2, factor: 3)
            }
        }
        for other in results.dropFirst() {
            #expect(other.parameters == results[0].parameters)
            #expect(other.record.seconds == results[0].record.seconds)
            #expect(other.updateLog == results[0].updateLog)
        }
        // Whoever makes the last update before an evaluation stands still with it, even where it waits for nothing.
        #expect(results[2].record.points.map(\.updates) == (0...20).map { UInt64(20 * $0) })
        let last = results[0].updateLog.reduce(0) { max($0, $1.chunk) }
        #expect(results[0].updateLog.filter { $0.chunk == last }.count == 400)
    }

    @Test(arguments: variants, [2, 5]) func `a row of the matrix sums to the staleness of its worker`(
        settings: String, workers: Int
    ) throws {
        let result = try run(settings, workers: workers) {
            $0.evaluationsPerEpoch = 7
            $0.clock.straggler = .constant(rank: 1, factor: 2.3)
        }
        let staleness = result.record.staleness
        let matrix = try #require(staleness.delayedBy)
        #expect(
            staleness.delayedByCount == UInt64(result.updateLog.count)
                && staleness.all.count == UInt64(result.updateLog.count))
        for worker in 0..<workers {
            let own = result.updateLog.filter { $0.worker == worker }
            #expect(matrix[worker].reduce(0, +) == own.reduce(0) { $0 + $1.writeVersion - $1.readVersion })
            for other in 0..<workers {
                // Counted one by one.
                var count: UInt64 = 0
                for entry in own {
                    count += UInt64(
                        result.updateLog.filter {
                            $0.chunk == entry.chunk && $0.worker == other && $0.writeVersion >= entry.readVersion
                                && $0.writeVersion < entry.writeVersion
                        }.count)
                }
                #expect(matrix[worker][other] == count)
            }
            // Where the server is the bottleneck one's own push arrives before the next pull has its turn.
            if workers == 2 { #expect((matrix[worker][worker] > 0) == settings.contains("pipelined")) }
            if !settings.contains("pipelined") { #expect(matrix[worker][worker] == 0) }
        }
    }

    /// The two identities, over whole runs: of the windows' own counts and of times that the clock has measured.
    @Test(arguments: variants, [1, 2, 5]) func `gradients under way are what staleness and time say`(
        settings: String, workers: Int
    ) throws {
        for ports in PortSemantics.allCases {
            let result = try run(settings, workers: workers, ports: ports) {
                $0.clock.straggler = .lognormal(sigma: 0.5, seed: 3)
            }
            let chunkCount = try chunks(settings, width: 30).count
            var sumOfSeconds = 0.0
            for chunk in 0..<chunkCount {
                let log = result.updateLog.filter { $0.chunk == chunk }.sorted { $0.writeVersion < $1.writeVersion }
                #expect(zip(log, log.dropFirst()).allSatisfy { $0.writeSeconds <= $1.writeSeconds })
                let sumOfTau = log.reduce(0) { $0 + Int($1.writeVersion - $1.readVersion) + 1 }
                // Whoever has read and not been applied before is under way, the one that is applied among them. Of what happens at one
                // time that of the lower rank comes first, and of one rank an update before its next read.
                let underWay = log.reduce(0) { sum, update in
                    let now = (update.writeSeconds, update.worker)
                    return sum
                        + log.filter { ($0.readSeconds, $0.worker) < now && ($0.writeSeconds, $0.worker) >= now }.count
                }
                #expect(sumOfTau == underWay, "\(settings), \(workers) workers, \(ports), chunk \(chunk)")
                // Little: over the whole run, T / seconds times the mean time is the integral over the run by its seconds.
                let total = log.reduce(0.0) { $0 + $1.writeSeconds - $1.readSeconds }
                sumOfSeconds += total
                let times = (log.map { ($0.readSeconds, 1) } + log.map { ($0.writeSeconds, -1) }).sorted { $0.0 < $1.0 }
                var (integral, now, count) = (0.0, 0.0, 0)
                for (time, change) in times {
                    integral += (time - now) * Double(count)
                    (now, count) = (time, count + change)
                }
                #expect(count == 0 && abs(integral - total) <= 1e-12 * total)
            }
            let mean = try #require(
                workers > 1 || settings.contains("pipelined") ? result.record.staleness.meanSecondsUnderWay : 0)
            if mean > 0 {
                let found = mean * Double(result.updateLog.count)
                #expect(abs(found - sumOfSeconds) <= 1e-9 * sumOfSeconds)
                let staleness = result.record.staleness
                #expect(
                    (try #require(staleness.concurrencyMean) * Double(staleness.all.count)).rounded()
                        == Double(result.updateLog.reduce(0) { $0 + $1.writeVersion - $1.readVersion + 1 }))
                #expect(try #require(staleness.concurrencyMax) <= 2 * workers * 3)
            }
        }
    }

    @Test(arguments: PortSemantics.allCases) func `seconds per update are those of the closed form`(
        ports: PortSemantics
    ) throws {
        for settings in ["", "servers=3", "pipelined=2", "servers=5,pipelined=4", "atomic=no"] {
            for workers in [1, 2, 6, 20] {
                let record = try run(settings, workers: workers, ports: ports).record
                let exchange = try #require(record.exchange)
                let predicted = try #require(exchange.predictedSecondsPerIteration)
                #expect(abs(predicted - exchange.secondsPerIteration) < 1e-9 * predicted, "\(settings), \(workers)")
            }
        }
    }

    @Test func `servers of unequal loads have the staleness that the switch says`() throws {
        for (workers, compute) in [(3, 1e-3), (8, 1e-3), (8, 1e-5), (16, 3e-4)] {
            let width = 800
            let result = try run(
                "servers=4,split=4:2:1:1", workers: workers, compute: compute, latency: 2e-5, rows: 800, width: width)
            let loads = ServerLoads(megabytes: [1600, 800, 400, 400].map { $0 / 1e6 })
            let cost = try NetworkCost(latencySeconds: 2e-5, secondsPerMegabyte: 10)
            let timeline = Timeline(
                running: loads.programs(workers: workers, updates: 2_000) { _, _ in compute }, cost: cost)
            let servers = try #require(result.record.staleness.perServer)
            for server in 0..<4 {
                // By time, then rank: as they happen.
                let reads = timeline.passages.filter { $0.from == workers + server }
                let pushes = timeline.passages.filter { $0.to == workers + server }.sorted {
                    ($0.end, $0.from) < ($1.end, $1.from)
                }
                var made = [Int](repeating: 0, count: workers)
                var histogram: [Int: UInt64] = [:]
                for (t, push) in pushes.enumerated() where t < servers[server].count {
                    let read = reads.filter { $0.to == push.from }[made[push.from]]
                    made[push.from] += 1
                    let seen = pushes.prefix(t).filter { ($0.end, $0.from) < (read.start, read.to) }.count
                    histogram[t - seen, default: 0] += 1
                }
                let found = Dictionary(
                    uniqueKeysWithValues: servers[server].histogram.map { (Int($0[0]), $0[1]) })
                #expect(found == histogram, "\(workers) workers, server \(server)")
                #expect(servers[server].server == server && servers[server].count >= 790)
            }
            // The largest is pulled and pushed first, and most of the others' work falls between.
            #expect(Set(servers.map(\.mean)).count > 1)
        }
    }

    @Test func `reads in pieces are torn where others push meanwhile, and atomic ones never`() throws {
        for workers in [1, 4] {
            let torn = try run("atomic=no,pieces=10", workers: workers, compute: 1e-4).record.staleness
            #expect(torn.reads ?? 0 >= (workers == 1 ? 0 : 400))
            #expect((torn.tornReads ?? 0 > 0) == (workers > 1))
            if workers > 1 { #expect(torn.readSpan!.max >= 1 && torn.readSpan!.count == torn.reads) }
        }
        let whole = try run("", workers: 4, compute: 1e-4)
        #expect(whole.record.staleness.reads == nil)
        // Pieces travel in the same messages: the same seconds, but other models.
        let pieces = try run("atomic=no,pieces=10", workers: 4, compute: 1e-4)  // The server is saturated.
        #expect(pieces.record.seconds == whole.record.seconds && pieces.parameters != whole.parameters)
        #expect(pieces.record.exchange?.messagesPerIteration == whole.record.exchange?.messagesPerIteration)
    }

    @Test(arguments: [
        "servers=two", "servers=0", "split=1:0", "servers=3,split=1:1", "pipelined=0", "atomic=maybe", "pieces=4",
        "atomic=no,pieces=1",
    ])
    func `settings that cannot be meant are refused`(settings: String) {
        #expect(throws: InputError.self) { try run(settings, workers: 2) }
    }
}
