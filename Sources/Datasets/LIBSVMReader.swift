// LIBSVM text into a data set. The reading thread drives rounds of text; in each, the workers first count and then parse.

public import Platform

/// Reads LIBSVM text, plain or compressed, from a file or standard input, with all workers of a team.
///
/// Each round of text is cut into chunks of whole lines that the workers claim: once to count rows and nonzeros, so that the
/// arrays grow to the exact size without copying, and once to parse straight into place. The result does not depend on the
/// number of workers. Beside the arrays, memory holds two rounds of text.
public struct LIBSVMReader: Sendable {
    /// Bytes of text in a round.
    public var roundBytes = 16 << 20
    /// Bytes of text in a chunk, about.
    public var chunkBytes: Int
    private let team: WorkerTeam

    public init(team: WorkerTeam) {
        self.team = team
        chunkBytes = min(64 << 10, max(16 << 10, (16 << 20) / (8 * team.count)))
    }

    /// The rows at `path`, or on standard input for `-`, with raw labels, and how many bytes of text they were.
    ///
    /// Throws where there is no such file, no row, a line that is not `LABEL INDEX:VALUE …` with ascending indices from 1 to
    /// 4294967294 and finite values, a file that changes meanwhile, or compressed data that is broken: the earliest bad line,
    /// whatever the chunks.
    public func read(_ path: String) throws(InputError) -> (dataset: SparseDataset, textBytes: Int) {
        try read(DataInput(path, format: .libsvm))
    }

    /// The rows of data that are already open; throws as `read(_:)` of a path does.
    public func read(_ input: DataInput) throws(InputError) -> (dataset: SparseDataset, textBytes: Int) {
        try input.unchanged { () throws(InputError) in
            let source = try input.source(roundBytes: roundBytes)
            var rounds = try RowRounds(name: input.name, team: team, chunkBytes: chunkBytes)
            while let text = unsafe try source.nextRound() {
                unsafe try rounds.append(text, from: source)
            }
            return try rounds.finish()
        }
    }
}
