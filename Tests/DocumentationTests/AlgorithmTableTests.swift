import Testing
import Training

/// What is said of algorithms.
@Suite struct AlgorithmTableTests {
    @Test func `the table of algorithms has all of them, as their facts say`() throws {
        try GeneratedTable(
            article: "Algorithms", name: "algorithms", header: ["`--algorithm`", "does", "book"],
            rows: Algorithm.builtIn.map { type in
                let facts = type.facts
                return ["`\(facts.name)`", facts.summary, facts.section]
            }
        ).check()
    }
}
