import Testing
import Training

/// What is said of algorithms.
@Suite struct AlgorithmTableTests {
    /// Name, what it does, section of the book.
    private static let facts = [
        ("gd", "the gradient over all rows, then one step; all workers sum it", "1.1, eq. 1.2"),
        ("sgd", "one row, one step, by one worker", "1.2, eq. 1.11"),
        ("minibatch-sgd", "the mean over `--batch-size` rows, by one worker", "1.2.3"),
        ("asgd", "consistent reads, atomic updates, gradients computed outside the lock", "4.1"),
        ("hogwild", "no lock: relaxed atomic coordinates, updates may be lost", "4.1, without atomic updates"),
        ("gradient-aggregation", "gradients are summed; every worker has the model and takes the step", "2.1.2, first"),
        ("model-aggregation", "every worker takes its step, and the models are averaged", "2.1.2, second"),
        (
            "global-replica", "gradients go to servers, each with a chunk of the model, and the model comes back",
            "2.1.2, third"
        ),
        ("csgd", "compressed gradients, compressed again on the way back or at each hop", "3.1.2, eq. 3.2, 3.3"),
        ("ec-sgd", "the same, where each compression adds what the last one at its place lost", "3.3, eq. 3.8 to 3.12"),
    ]

    @Test func `the table of algorithms has all of them, as their facts say`() throws {
        #expect(Self.facts.map(\.0) == Algorithm.allCases.map(\.rawValue))
        try GeneratedTable(
            article: "Algorithms", name: "algorithms", header: ["`--algorithm`", "does", "book"],
            rows: Self.facts.map { ["`\($0.0)`", $0.1, $0.2] }
        ).check()
    }
}
