// Algorithms by name: the list of those that come with the library, and how one is chosen. Plain values; any thread.

public import Platform

/// What every algorithm is: facts, and refusals of what it cannot do. See `SharedAlgorithm` and `MessageAlgorithm` for how it works.
public protocol TrainingAlgorithm: Sendable {
    static var facts: AlgorithmFacts { get }

    /// The algorithm with its settings, for one run.
    ///
    /// Throws what it cannot take: a setting, an option, a codec, or rows of a kind that it has no use for.
    init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError)
}

/// What an algorithm may know of the run that it is made for.
public struct RunPlan: Sendable {
    public let problem: any MinibatchProblem
    /// N.
    public let workers: Int
    public let options: TrainingOptions

    public init(problem: any MinibatchProblem, workers: Int, options: TrainingOptions) {
        self.problem = problem
        self.workers = workers
        self.options = options
    }

    /// x_0: what the run's options say, or else the problem.
    func startParameters() throws(InputError) -> [Float] {
        guard let start = options.startParameters else { return problem.initialParameters(seed: options.seed) }
        guard start.count == problem.parameterCount else {
            throw InputError(
                at: "--model-in", found: "\(start.count) parameters",
                expected: "\(problem.parameterCount), as the data have")
        }
        return start
    }
}

/// An algorithm and its settings, as `local-sgd:period=10` names them.
public struct Algorithm: Sendable, CustomStringConvertible {
    let type: any TrainingAlgorithm.Type
    private let settings: String

    /// Those that come with the library, in the order of the book.
    public static let builtIn: [any TrainingAlgorithm.Type] = [
        GradientDescent.self,
        StochasticGradientDescent.self,
        MinibatchSGD.self,
        SerialReference.self,
        GradientAggregation.self,
        ModelAggregation.self,
        GlobalReplica.self,
        BackupWorkers.self,
        GradientCoding.self,
        CSGD.self,
        ECSGD.self,
        ASGD.self,
        SSP.self,
        RingmasterASGD.self,
        RennalaSGD.self,
        DelayCompensatedASGD.self,
        DelayedSGD.self,
        Hogwild.self,
        DSGD.self,
        PushSum.self,
        RelaySum.self,
        D2.self,
        GradientTracking.self,
        ExactDiffusion.self,
        QuasiGlobalMomentum.self,
        LocalSGD.self,
    ]

    /// An algorithm of the library or of one's own; `settings` such as `period=10`.
    public init(_ type: any TrainingAlgorithm.Type, settings: String = "") {
        self.type = type
        self.settings = settings
    }

    /// Reads `NAME` or `NAME:key=value,key=value`; `place` is where it stands.
    ///
    /// Throws where no algorithm of `known` has the name.
    public init(
        parsing text: some StringProtocol, at place: String = "--algorithm",
        among known: [any TrainingAlgorithm.Type] = builtIn
    ) throws(InputError) {
        let halves = String(text).split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let type = known.first(where: { $0.facts.name == halves[0] }) else {
            throw InputError(at: place, unknown: halves[0], expected: known.map { $0.facts.name })
        }
        self.init(type, settings: halves.count > 1 ? halves[1] : "")
    }

    /// Reads a list between commas. A setting that follows a comma, `a:k=1,j=2,b`, belongs to the algorithm before it.
    public static func list(
        parsing text: String, at place: String = "--algorithm", among known: [any TrainingAlgorithm.Type] = builtIn
    ) throws(InputError) -> [Algorithm] {
        var names: [String] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let isSetting = part.contains("=") && !part.prefix { $0 != "=" }.contains(":")
            if isSetting, let last = names.indices.last, names[last].contains(":") {
                names[last] += "," + part
            } else {
                names.append(String(part))
            }
        }
        return try names.map { name throws(InputError) in try Algorithm(parsing: name, at: place, among: known) }
    }

    public var facts: AlgorithmFacts { type.facts }
    public var name: String { facts.name }
    /// As it is written.
    public var description: String { settings.isEmpty ? name : "\(name):\(settings)" }

    /// The algorithm for one run; throws what it cannot do.
    func make(for plan: RunPlan) throws(InputError) -> any TrainingAlgorithm {
        var settings = try NamedSettings(name: name, settings: settings, at: "--algorithm")
        let made = try type.init(&settings, for: plan)
        try settings.finish()
        return made
    }
}

extension Algorithm: Equatable {
    public static func == (a: Algorithm, b: Algorithm) -> Bool { a.type == b.type && a.settings == b.settings }
}
