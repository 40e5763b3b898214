// `relaxed bench mailboxes`: what a message between two threads costs, over a sweep of sizes.

import ArgumentParser
import Messaging
import Platform
import Reporting

struct BenchMailboxesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mailboxes", abstract: "Times messages between two threads through each kind of mailbox.",
        discussion: """
            time is per message, or per round trip, the mean over batches; the rate counts the bytes of a message once per \
            time.
            """)

    @OptionGroup var sweep: SweepArguments

    @Option(help: .init("compact, scatter, physical-first, none, or CPUs such as 0-3,8.", valueName: "policy"))
    var placement = "physical-first"

    @Option(help: .init("Between commas: " + names(of: MailboxContest.self) + ".", valueName: "list"))
    var mailbox: String?

    @Option(parsing: .unconditional, help: .init("Slots of the ring.", valueName: "count"))
    var capacity = 1_024

    @OptionGroup var output: OutputArguments

    func run() throws {
        let sizes = try sweep.sizes(unit: 4, least: 4, largest: "1M")
        let contests = try named()
        guard (1...1 << 20).contains(capacity) else {
            throw InputError(at: "--capacity", found: "\(capacity)", expected: "1 to \(1 << 20)")
        }
        let policy = try PlacementPolicy(parsing: placement)
        try output.check()
        let largest = sizes.max() ?? 0
        try sweep.requireMemory(contests.map(\.vectors).max()! * largest, at: largest)
        let topology = try Topology.ofThisMachine()
        let placement = try Placement(policy, workers: 2, on: topology)
        for notice in placement.notices { output.note(notice) }

        let team = try WorkerTeam(placement: placement)
        var rows: [MailboxRow] = []
        let running = output.showsTables ? RunningOutput() : nil
        var table = RunningTable(MailboxRow.columns(contests))
        running?.show(table.header)
        for contest in contests {
            for bytes in contest == .oneSlotRoundTrip ? [8] : sizes {
                let row = try measure(contest, bytes: bytes, team: team)
                rows.append(row)
                running?.show(table.line(row.cells))
            }
        }
        running?.show(table.rest)
        if let json = output.json {
            let record = MailboxesRecord(placement: placement, capacity: capacity, rows: rows)
            try JSONOutput.write(HeadedRecord(environment: RunEnvironment(seed: nil), body: record), to: json)
        }
        running?.end()
        if rows.contains(where: { ($0.wrong ?? 0) > 0 }) { throw ExitCode(1) }
    }

    private func named() throws(InputError) -> [MailboxContest] {
        guard let mailbox else { return MailboxContest.allCases }
        var found: [MailboxContest] = []
        for name in mailbox.split(separator: ",", omittingEmptySubsequences: false) {
            let contest: MailboxContest = try choice(named: String(name), at: "--mailbox")
            if found.contains(contest) {
                throw InputError(at: "--mailbox", found: "\(name) twice", expected: "each mailbox once")
            }
            found.append(contest)
        }
        return found
    }

    private func measure(_ contest: MailboxContest, bytes: Int, team: WorkerTeam) throws -> MailboxRow {
        let isRoundTrip = contest == .ringRoundTrip || contest == .oneSlotRoundTrip
        let count = min(isRoundTrip ? 3_000 : 50_000, max(4, (64 << 20) / bytes))
        // A ring of large slots holds no more than 64 MiB.
        let capacity = min(capacity, max(1, (64 << 20) / bytes))
        var seconds: [Double] = []
        var wrong = 0
        for batch in 0..<sweep.w + (sweep.n ?? 20) {
            let (time, bad) =
                contest == .communicator
                ? try communicate(bytes: bytes, count: count, team: team)
                : try exchange(contest.traffic(bytes: bytes, count: count, capacity: capacity), team: team)
            wrong += bad
            if batch >= sweep.w { seconds.append(time / Double(count)) }
        }
        return MailboxRow(
            mailbox: contest, bytes: bytes, messages: count, seconds: Samples(seconds),
            wrong: sweep.c == 1 ? wrong : nil, copyBytesPerSecond: try copyRate(bytes: bytes, team: team))
    }

    private func exchange(_ traffic: MailboxTraffic, team: WorkerTeam) throws -> (seconds: Double, wrong: Int) {
        nonisolated(unsafe) let traffic = traffic
        let wrong = Locked(0)
        let failure = Locked<(any Error)?>(nil)
        let seconds = team.run { rank in
            do {
                if rank == 0 {
                    try unsafe traffic.send()
                } else {
                    let bad = try unsafe traffic.receive()
                    wrong.withLock { $0 = bad }
                }
            } catch {
                failure.withLock { $0 = error }
            }
        }
        if let failure = failure.withLock({ $0 }) { throw failure }
        return (seconds, wrong.withLock { $0 })
    }

    private func communicate(bytes: Int, count: Int, team: WorkerTeam) throws -> (seconds: Double, wrong: Int) {
        let fabric = try Fabric(count: 2, placement: team.placement)
        let results = try fabric.run(on: team) { communicator -> (seconds: Double, wrong: Int) in
            var wrong = 0
            let buffer = try PageBuffer<Int32>(count: bytes / 4)
            try communicator.barrier()
            let start = communicator.now
            for i in 0..<Int32(count) {
                if communicator.rank == 0 {
                    try unsafe communicator.send(byteCount: bytes, to: 1) { slot in
                        unsafe slot.assumingMemoryBound(to: Int32.self).update(repeating: i)
                    }
                } else {
                    try unsafe communicator.receive(byteCount: bytes, from: 0) { message in
                        unsafe UnsafeMutableRawPointer(buffer.pointer).copyMemory(
                            from: message.baseAddress!, byteCount: bytes)
                    }
                    if unsafe buffer.pointer[0] != i || buffer.pointer[bytes / 4 - 1] != i { wrong += 1 }
                }
            }
            try communicator.barrier()
            return (communicator.now - start, wrong)
        }
        return (results.map(\.seconds).max()!, results.map(\.wrong).reduce(0, +))
    }

    /// What one thread copies per second: the limit of a mailbox that is written and read once.
    private func copyRate(bytes: Int, team: WorkerTeam) throws -> Double {
        let source = try PageBuffer<UInt8>(count: bytes, hugePages: true)
        let target = try PageBuffer<UInt8>(count: bytes, hugePages: true)
        let repeats = min(10_000, max(2, (16 << 20) / bytes))
        let rates = (0..<5).map { _ in
            let seconds = team.run { rank in
                if rank > 0 { return }
                for i in 0..<repeats {
                    unsafe source.pointer[i % bytes] = UInt8(truncatingIfNeeded: i)
                    unsafe UnsafeMutableRawPointer(target.pointer).copyMemory(from: source.pointer, byteCount: bytes)
                }
            }
            return Double(repeats * bytes) / seconds
        }
        return rates.max()!
    }
}

/// One line of the table.
struct MailboxRow: Encodable {
    let mailbox: MailboxContest
    let bytes: Int
    /// Per batch.
    let messages: Int
    /// Per message or round trip.
    let seconds: Samples
    let wrong: Int?
    let copyBytesPerSecond: Double
    let messagesPerSecond: Double
    let bytesPerSecond: Double

    init(
        mailbox: MailboxContest, bytes: Int, messages: Int, seconds: Samples, wrong: Int?, copyBytesPerSecond: Double
    ) {
        self.mailbox = mailbox
        self.bytes = bytes
        self.messages = messages
        self.seconds = seconds
        self.wrong = wrong
        self.copyBytesPerSecond = copyBytesPerSecond
        messagesPerSecond = 1 / seconds.meanSeconds
        bytesPerSecond = Double(bytes) / seconds.meanSeconds
    }

    static func columns(_ contests: [MailboxContest]) -> [TextTable.Column] {
        [
            .text("mailbox", width: contests.map(\.rawValue.count).max() ?? 0), .number("size", unit: "B"),
            .number("count", width: 6), .number("time", unit: "us"), .number("messages/s"),
            .number("rate", unit: "GB/s"), .number("#wrong"), .number("min", width: 7), .number("p50", width: 7),
            .number("p99", width: 7), .number("memcpy", unit: "GB/s"),
        ]
    }

    var cells: [String] {
        let times = [seconds.meanSeconds, seconds.minimumSeconds, seconds.p50Seconds, seconds.p99Seconds]
            .map(Samples.microseconds)
        return [
            mailbox.rawValue, "\(bytes)", "\(messages)", times[0], Quantity.count(messagesPerSecond),
            Quantity.number(bytesPerSecond / 1e9, digits: 3), wrong.map { "\($0)" } ?? "-", times[1], times[2],
            times[3],
            Quantity.number(copyBytesPerSecond / 1e9, digits: 3),
        ]
    }
}

/// The JSON beside the head that all records have.
struct MailboxesRecord: Encodable {
    let placement: Placement
    let capacity: Int
    let rows: [MailboxRow]
}
