// What an algorithm is whose workers meet through messages. The thread of each rank runs its loop.

public import Messaging
public import Platform
public import SwitchModel

/// A program that every rank runs over a communicator: one file each, its facts and its loop as the book writes it.
///
/// The algorithm owns the loop, and `RankWorker.nextStep` says when it ends.
public protocol MessageAlgorithm: TrainingAlgorithm {
    /// How many ranks N workers and their servers are; N where it says nothing else. Where they are fewer than the workers, each does the
    /// work of several.
    func ranks(workers: Int) -> Int

    /// Whose rows rank `rank` of `ranks` takes minibatches of, each of the N workers having a partition: its gradient is the sum of theirs.
    ///
    /// Where it says nothing else that is the rank's own, and where ranks are fewer than the workers every `ranks`-th from it. A rank
    /// beyond the workers has none: it serves.
    func partitions(rank: Int, of ranks: Int, workers: Int) -> [Int]

    /// How many steps it takes, at the most, until all ranks know what one knew at the top of its loop, at least 1. Nil where ranks do not
    /// wait for each other at all, and each ends as soon as it hears of it.
    ///
    /// A rank that has a reason to end (a signal, a limit of seconds, a gradient that is not finite) lets the others know by what it
    /// sends in any case, and all end before the same step: that which the first of them was to begin, plus `lead`. It is 1, the default, where all
    /// meet in every step, H where all meet at the end of every H-th, and N/2 where each hears from its two neighbours on a ring in every
    /// step. Too small a lead ends some ranks while others still wait for them; one that is too large ends the run later than need be.
    var lead: UInt64? { get }

    /// Who sends what in a step: what memory and time are predicted from, and what tables and records call it.
    var exchange: ExchangeShape { get }

    /// How the model is cut where it is in windows; one chunk on server 0, where it says nothing else.
    ///
    /// Chunks are consecutive and may be empty. Workers visit them in this order, and an update counts once it is in the last. Server k is rank N + k where the algorithm has more ranks than workers; else rank 0 has all.
    func chunks(parameters: Int) -> [ModelChunk]

    /// Bytes of what rank `rank` keeps beside x and the gradient: see `Vector.byteCount`.
    func memoryBytes(rank: Int) -> Int

    /// Floats that the owner of the window of the parameters keeps beside them: see `Window.aside`. 0 where it says nothing else.
    var floatsAside: Int { get }

    /// Gradients, of B rows each, that go into an update of the window of the parameters; 1 where it says nothing else.
    var gradientsPerUpdate: Int { get }

    /// Lays out what a rank keeps, before the run; the coordinator calls it for each rank.
    func prepare(_ worker: RankWorker) throws(InputError)

    /// The program of one rank. Those beyond the workers run it, too, but where the parameters are a window: then they are passive.
    func run(_ worker: RankWorker, over communicator: Communicator) throws
}

extension MessageAlgorithm {
    public func ranks(workers: Int) -> Int { workers }
    public func partitions(rank: Int, of ranks: Int, workers: Int) -> [Int] {
        rank < workers ? Array(stride(from: rank, to: workers, by: min(ranks, workers))) : []
    }
    public var lead: UInt64? { 1 }
    public var exchange: ExchangeShape { ExchangeShape() }
    public func chunks(parameters: Int) -> [ModelChunk] { [ModelChunk(server: 0, range: 0..<parameters)] }
    public func memoryBytes(rank: Int) -> Int { 0 }
    public var floatsAside: Int { 0 }
    public var gradientsPerUpdate: Int { 1 }
    public func prepare(_ worker: RankWorker) throws(InputError) {}
}

/// A chunk of the model, which has a window of its own.
public struct ModelChunk: Sendable, Equatable {
    public let server: Int
    /// Of the parameters.
    public let range: Range<Int>

    public init(server: Int, range: Range<Int>) {
        self.server = server
        self.range = range
    }
}

/// Who sends what in one step of an algorithm.
public struct ExchangeShape: Sendable {
    /// How it is called in records; nil where nothing travels.
    public var name: String?
    /// What compresses it; nil for plain floats.
    public var codec: String?
    /// Steps from one exchange to the next, at least 1: the last of each so many ends with what is described here, the others are computation
    /// alone.
    public var period = 1
    /// Who sends to whom; nil where the model has no pattern for it.
    public var pattern: Pattern?
    /// Ordered pairs of ranks between which there are messages, where it is no pattern that says so.
    public var pairs: Int?
    /// Bytes of one worker's vector on its way.
    public var bytes = 0
    /// Whether messages may be shorter.
    public var varies = false
    /// Whether workers go on each in its own time, so that a step is one worker's.
    public var isAsynchronous = false
    /// Where such workers pull and push without waiting for each other: what, for the model to price.
    public var servers: ServerLoads?
    /// Whether gradients may go into no step, as `RankWorker.recordDropped` counts them.
    public var mayDrop = false
    /// What all ranks do in a step once their gradients are there, for the model to price; nil where it does not follow from a pattern.
    public var programs: (@Sendable (_ worker: RankWorker, _ coding: CodingPrice) -> [any RankPrograms])?

    public init(name: String? = nil, pattern: Pattern? = nil, bytes: Int = 0) {
        self.name = name
        self.pattern = pattern
        self.bytes = bytes
    }

    /// What coding takes on the model's clock.
    public struct CodingPrice: Sendable {
        /// For each megabyte of floats that is coded once.
        public let secondsPerMegabyte: Double
        /// How much longer each worker takes.
        public let factors: [Double]
    }

    /// Vectors of `elements` floats by a pattern alone.
    public static func plain(
        _ name: String, _ pattern: Pattern?, elements: Int, workers: Int
    ) -> ExchangeShape {
        var shape = ExchangeShape(name: name, pattern: pattern, bytes: 4 * elements)
        if let pattern {
            let partition = VectorPartition(elements: elements, count: pattern.partitions(workers: workers))
            shape.programs = { _, _ in [PatternPrograms(pattern, workers: workers, partition: partition)] }
        }
        return shape
    }
}
