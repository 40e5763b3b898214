// How long computations were, rank by rank, as a file has it. Plain values; any thread.

public import Platform

/// Recorded seconds of each computation of each rank, which begin again where they end.
///
/// As text: a line `rank,seconds`, then one line for each computation, those of a rank in their order; ranks may alternate as they like.
public struct ComputeTrace: Sendable, Equatable {
    /// The file.
    public let name: String
    /// By rank, at least one for each; finite, at least 0.
    private let seconds: [[Double]]

    private static let head = "rank,seconds"
    /// Beyond it sums of times are none.
    private static let longestSeconds = 1e9

    /// Reads a file for `ranks` ranks, of which only the first `computing` do anything in this run; by default all of them.
    ///
    /// Throws where a line is not a rank below `ranks` and seconds from 0 to 10^9, or a rank that computes has no line.
    public init(reading path: String, ranks: Int, computing: Int? = nil) throws(InputError) {
        let text = try TextLines(
            reading: path, expected: "a trace of computations: a line \(Self.head), then such lines")
        try self.init(text, ranks: ranks, computing: computing)
    }

    /// The same of lines in memory.
    public init(_ text: TextLines, ranks: Int, computing: Int? = nil) throws(InputError) {
        name = text.name
        func refusal(_ line: Int, _ found: some StringProtocol, _ expected: String) -> InputError {
            InputError(at: text.place(line), found: TextLines.shown(found), expected: expected)
        }
        guard text.lines.first.map({ $0 == Self.head }) ?? false else {
            throw refusal(0, text.lines.first ?? "", "the line \(Self.head)")
        }
        var seconds = [[Double]](repeating: [], count: ranks)
        for (line, words) in text.lines.enumerated().dropFirst() {
            let fields = words.split(separator: ",", omittingEmptySubsequences: false)
            guard fields.count == 2 else { throw refusal(line, words, "a rank and seconds, such as 0,0.0015") }
            guard let rank = Int(fields[0]), (0..<ranks).contains(rank) else {
                throw refusal(line, fields[0], "a rank from 0 to \(ranks - 1), as there are workers")
            }
            guard let time = Double(fields[1]), (0...Self.longestSeconds).contains(time) else {
                throw refusal(line, fields[1], "seconds, 0 to 1e9")
            }
            seconds[rank].append(time)
        }
        let least = computing ?? ranks
        if let rank = seconds.prefix(least).firstIndex(where: \.isEmpty) {
            throw InputError(
                at: name, found: "no computation of rank \(rank)", expected: "at least one of each of \(least) workers")
        }
        self.seconds = Array(seconds.prefix(least))
    }

    /// How many computations of each of so many ranks a file has room for: those that come first in a run are enough for a trace.
    public static func mostPerRank(of ranks: Int) -> Int { TextLines.maximumBytes / longestLine / max(1, ranks) }

    /// Bytes: a rank of nine digits, a number of 24 and three signs.
    private static let longestLine = 36

    /// What a file says in which each rank's computations take `seconds`, by rank.
    public static func text(of seconds: [[Double]]) -> String {
        var text = head + "\n"
        for (rank, times) in seconds.enumerated() {
            for time in times { text += "\(rank),\(time)\n" }
        }
        return text
    }

    /// Of computation `step` of `rank`, both from 0; of a rank beyond the workers 1.
    func seconds(rank: Int, step: UInt64) -> Double {
        guard seconds.indices.contains(rank) else { return 1 }
        return seconds[rank][Int(step % UInt64(seconds[rank].count))]
    }

    /// The mean of the rank with the largest one.
    var largestMeanSeconds: Double {
        seconds.map { $0.reduce(0, +) / Double($0.count) }.max() ?? 0
    }
}
