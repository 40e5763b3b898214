// `relaxed data`: looks at data sets.

import ArgumentParser
import Datasets
import Platform
import Reporting

struct DataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Looks at data sets.", subcommands: [DataInfoCommand.self])
}

struct DataInfoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info",
        abstract: "Shows rows, features and labels of a data set of any format.",
        discussion: """
            Reads LIBSVM text, CSV, IDX, NPY and NPZ, plain or compressed by gzip, bzip2, xz or zstd. Of sparse rows it \
            also lists the features that most updates fall on, which is what makes Hogwild's workers collide; of dense \
            ones the mean and spread of each column.
            """)

    @Argument(
        help: .init(
            "A file, or - for standard input; by default the training rows of the bundled flights-late.",
            valueName: "data"))
    var data: String?

    @Option(
        parsing: .unconditional,
        help: .init(
            "These labels against the rest, such as 2,3,4; tells how many rows each side has.", valueName: "labels"))
    var positive: String?

    @Option(
        parsing: .unconditional,
        help: .init("How many workers read; by default one per usable core.", valueName: "count"))
    var workers: Int?

    @Option(
        parsing: .unconditional,
        help: .init("How many of the most frequent features, or of the first columns, to list.", valueName: "count"))
    var top = 10

    @Flag(help: "Keep the rows in FILE.csr, and take them from there while FILE has not changed.")
    var cache = false

    @Option(help: .init("The same, with the rows kept in this file.", valueName: "file"))
    var cacheFile: String?

    @OptionGroup var dense: DenseArguments
    @OptionGroup var output: OutputArguments

    func run() throws {
        try output.check()
        guard top >= 0 else { throw InputError(at: "--top", found: "\(top)", expected: "a count of at least 0") }
        let rule = try positive.map { text throws(InputError) in try PositiveRule(parsing: text) }
        let options = try dense.options
        let topology = try Topology.ofThisMachine()
        let placement = try Placement(.physicalFirst, workers: workers, on: topology)
        for notice in topology.notices + placement.notices { output.note(notice) }

        let cache = cacheFile.map(DatasetFile.Cache.at) ?? (cache ? .besideSource : .none)
        let input = try dense.open(data ?? BundledData.flightsLateTrain())
        let team = try WorkerTeam(placement: placement)
        if input.format.isDense { return try showDense(input, options, rule: rule, team: team) }
        let loaded = try DatasetFile(input.path, cache: cache).load(team: team, from: input)
        output.note(ofCache: loaded)
        let profile = try DatasetProfile(loaded.dataset)
        let classes = try rule.map { try DataInfo.Classes(loaded.dataset.binary(positive: $0)) }
        let info = DataInfo(
            name: data ?? "flights-late (training rows)", loaded: loaded, profile: profile, classes: classes,
            workers: placement.workers.count, top: top)
        if output.showsTables { print(info.text(), terminator: "") }
        if let json = output.json {
            try JSONOutput.write(HeadedRecord(environment: RunEnvironment(seed: nil), body: info), to: json)
        }
    }

    private func showDense(_ input: DataInput, _ options: DenseReader.Options, rule: PositiveRule?, team: WorkerTeam)
        throws
    {
        let unused = [("--positive", rule != nil), ("--cache", cache), ("--cache-file", cacheFile != nil)]
        if let (option, _) = unused.first(where: \.1) {
            throw InputError(
                at: option, found: "data in the format \(input.format.rawValue)", expected: "sparse rows, as libsvm")
        }
        let loaded = try DenseReader(team: team, options: options).read(input)
        output.note(ofCategories: loaded.dataset)
        let info = DenseDataInfo(name: input.path, format: input.format, loaded: loaded, workers: team.count)
        if output.showsTables { print(info.text(top: top), terminator: "") }
        if let json = output.json {
            try JSONOutput.write(HeadedRecord(environment: RunEnvironment(seed: nil), body: info), to: json)
        }
    }
}
