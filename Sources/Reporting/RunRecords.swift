// The JSON of training runs: one record, or several in a list. Any thread; a value type.

public import Measurement

/// The records of what one command ran.
public struct RunRecords: Encodable, Sendable {
    public let runs: [RunRecord]
    /// Over the seeds, by algorithm; nil where there is one seed.
    public let summary: [RunSummary]?
    private let isList: Bool

    /// One run is its record itself, unless it `isList` all the same: a sweep that was interrupted after its first run is one.
    public init(_ runs: [RunRecord], summary: [RunSummary]? = nil, isList: Bool) {
        precondition(isList || runs.count == 1, "\(runs.count) runs that are no list")
        self.runs = runs
        self.summary = summary
        self.isList = isList
    }

    private enum CodingKeys: CodingKey { case runs, summary }

    public func encode(to encoder: any Encoder) throws {
        if !isList { return try runs[0].encode(to: encoder) }
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(runs, forKey: .runs)
        try container.encodeIfPresent(summary, forKey: .summary)
    }

    /// Writes them under their head to `path`, or to standard output for `-`; throws as `JSONOutput.write` does.
    public func write(_ environment: RunEnvironment, to path: String, option: String = "--json") throws {
        try JSONOutput.write(HeadedRecord(environment: environment, body: self), to: path, option: option)
    }
}
