// The order of a run's updates, and the file that keeps it: all that a replay needs beside the data. Plain values and bytes; any thread.

internal import Datasets
public import Platform

/// Who computed each gradient that went into the model of a run with a server, from which rows, at which version, and its step size, in the
/// order in which they were applied. The rows of a worker's k-th minibatch follow from the seed.
///
/// The file is little-endian:
///
/// | bytes | holds |
/// | --- | --- |
/// | 16 | `relaxed order 2` and a newline |
/// | 8 | L |
/// | L | what the run was: lines `key=value`, in UTF-8 |
/// | 8 | G, gradients: updates times those that one takes |
/// | 20 G | for each: worker (4 bytes), minibatch (8), tau = t - D(t) (4), and the step size as a float32 (4) |
/// | 8 | a checksum of all bytes before it |
public struct RecordedOrder: Sendable, Equatable {
    /// One gradient, in the place in which it was applied.
    public struct Update: Sendable, Equatable, BitwiseCopyable {
        public let worker: UInt32
        /// k: rows of the worker's k-th minibatch, from 0. What was dropped, or under way at the end, is in no update.
        public let minibatch: UInt64
        /// t - D(t).
        public let tau: UInt32
        /// gamma_t, before what is known of the delay changes it.
        public let stepSize: Float
    }

    /// What the run was, by key, in the order of the file.
    public let facts: [Fact]
    public let updates: [Update]
    /// How many updates the model had at the evaluations of the run.
    public let evaluations: [UInt64]

    public struct Fact: Sendable, Equatable {
        public let key: String
        public let value: String
    }

    private static let magic = "relaxed order 2\n"
    private static let updateBytes = 20
    private static let evaluationsKey = "evaluations"
    /// Some hundred million updates: the log of as many takes ten times that.
    private static let mostBytes = 1 << 32
    /// Far above what a run can have.
    private static let mostWorkers = 1 << 24

    init(facts: [Fact], updates: [Update], evaluations: [UInt64]) {
        self.facts = facts
        self.updates = updates
        self.evaluations = evaluations
    }

    // MARK: Writing

    /// The bytes of the file.
    public var bytes: [UInt8] {
        var bytes = Array(Self.magic.utf8)
        func add(_ word: some FixedWidthInteger) {
            unsafe withUnsafeBytes(of: word.littleEndian) { unsafe bytes.append(contentsOf: $0) }
        }
        let ends = Fact(key: Self.evaluationsKey, value: evaluations.map { "\($0)" }.joined(separator: ","))
        let text = (facts + [ends]).map { "\($0.key)=\($0.value)\n" }.joined()
        add(UInt64(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
        add(UInt64(updates.count))
        bytes.reserveCapacity(bytes.count + Self.updateBytes * updates.count + 8)
        for update in updates {
            add(update.worker)
            add(update.minibatch)
            add(update.tau)
            add(update.stepSize.bitPattern)
        }
        add(Self.checksum(bytes[...]))
        return bytes
    }

    public func write(to path: String, option: String = "--record-order") throws {
        var file = try AtomicFile(replacing: path, option: option)
        try unsafe file.write(bytes.span.bytes)
        try file.commit()
    }

    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        unsafe bytes.withUnsafeBytes { unsafe Checksum.of($0) }
    }

    // MARK: Reading

    /// Reads what `write` has written, and refuses anything else: a file that was changed or cut, and updates that no run can have made.
    public init(reading path: String, option: String = "--replay") throws(InputError) {
        let expected = "a file of --record-order, as it was written"
        let place = "\(option) \(path)"
        let all = try TextLines.contents(
            of: path, expected: expected, atMost: Self.mostBytes, beginning: Array(Self.magic.utf8)
        ).bytes[...]
        func refusal(_ found: String) -> InputError { InputError(at: place, found: found, expected: expected) }
        var rest = all.dropFirst(Self.magic.utf8.count).dropLast(8)
        func word(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
        guard all.count >= Self.magic.utf8.count + 24 else { throw refusal("\(all.count) bytes") }
        guard word(all.suffix(8)) == Self.checksum(all.dropLast(8)) else {
            throw refusal("bytes that do not agree with their checksum")
        }
        func take(_ count: UInt64) throws(InputError) -> ArraySlice<UInt8> {
            guard count <= UInt64(rest.count) else { throw refusal("\(rest.count) bytes where \(count) should follow") }
            defer { rest = rest.dropFirst(Int(count)) }
            return rest.prefix(Int(count))
        }
        let length = word(try take(8))
        let lines = String(decoding: try take(length), as: UTF8.self).split(separator: "\n")
        var facts = lines.map { line in
            let halves = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            return Fact(key: halves[0], value: halves.count > 1 ? halves[1] : "")
        }
        guard let last = facts.popLast(), last.key == Self.evaluationsKey else { throw refusal("no evaluations") }
        let count = word(try take(8))
        guard UInt64(rest.count / Self.updateBytes) == count, rest.count.isMultiple(of: Self.updateBytes) else {
            throw refusal("\(rest.count) bytes for \(count) updates")
        }
        var updates: [Update] = []
        updates.reserveCapacity(Int(count))
        while !rest.isEmpty {
            func bytes(_ at: Int, _ count: Int) -> UInt64 {
                let start = rest.startIndex + at
                return word(rest[start..<start + count])
            }
            func four(_ at: Int) -> UInt32 { UInt32(truncatingIfNeeded: bytes(at, 4)) }
            updates.append(
                Update(
                    worker: four(0), minibatch: bytes(4, 8), tau: four(12), stepSize: Float(bitPattern: four(16))))
            rest = rest.dropFirst(Self.updateBytes)
        }
        // As they are written, which is in one way: no signs, zeros or commas besides.
        let words = last.value.isEmpty ? [] : last.value.split(separator: ",", omittingEmptySubsequences: false)
        let evaluations = words.compactMap { UInt64($0) }
        guard !evaluations.isEmpty, evaluations.map({ "\($0)" }).joined(separator: ",") == last.value else {
            throw refusal("evaluations \(TextLines.shown(last.value))")
        }
        self.init(facts: facts, updates: updates, evaluations: evaluations)
        if let found = inconsistency { throw refusal(found) }
    }

    /// What no run can have done; nil where there is nothing.
    private var inconsistency: String? {
        func number(_ key: String, _ range: ClosedRange<Int>) -> Int? {
            facts.first { $0.key == key }.flatMap { Int($0.value) }.flatMap { range.contains($0) ? $0 : nil }
        }
        guard let workers = number("workers", 1...Self.mostWorkers) else { return "no number of workers" }
        guard let group = number(Self.groupKey, 1...Self.mostWorkers) else { return "no number of gradients" }
        guard let underWay = number(Self.underWayKey, 1...1_024) else { return "no number under way" }
        guard updates.count.isMultiple(of: group) else { return "\(updates.count) gradients of \(group) an update" }
        // Evaluations come in order, and none after the last update.
        guard evaluations == evaluations.sorted(), evaluations.last ?? 0 <= UInt64(updates.count / group) else {
            return "evaluations that are not in the order of the updates"
        }
        var minibatches = [UInt64](repeating: 0, count: workers)
        /// By worker the versions that its last gradients have made, as many as may be under way.
        var made = [Int: [Int]]()
        for (place, update) in updates.enumerated() {
            let (worker, t) = (Int(update.worker), place / group)
            if worker >= workers { return "update \(t) by worker \(worker) of \(workers)" }
            if update.minibatch < minibatches[worker] || update.minibatch == .max {
                return "update \(t) of rows that worker \(worker) had before"
            }
            minibatches[worker] = update.minibatch + 1
            let read = t - Int(update.tau)
            var own = made[worker] ?? []
            let least = own.count == underWay ? own.removeFirst() : 0
            // Of one update all gradients are of the same version.
            if read < least || group > 1 && update.tau != 0 {
                return "update \(t) of a version that worker \(worker) cannot have read"
            }
            if !update.stepSize.isFinite { return "update \(t) of step size \(update.stepSize)" }
            own.append(group > 1 ? t : t + 1)
            made[worker] = own
        }
        return nil
    }

    static let groupKey = "gradientsPerUpdate"
    static let underWayKey = "underWay"
    /// Gradients of one update.
    var group: Int { facts.first { $0.key == Self.groupKey }.flatMap { Int($0.value) } ?? 1 }
}
