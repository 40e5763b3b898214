import Datasets
import Objectives
import Platform
import Testing
import Training

/// What is said of algorithms: the table in the article is their facts, and their facts are what they take.
@Suite struct AlgorithmTableTests {
    @Test func `the table of algorithms has all of them, as their facts say`() throws {
        try GeneratedTable(
            article: "Algorithms", name: "algorithms", header: ["`--algorithm`", "does", "settings", "book"],
            rows: Algorithm.builtIn.map { type in
                let facts = type.facts
                let settings = facts.settings.map { setting in
                    "`\(setting.key)\(setting.standard.map { "=\($0)" } ?? "")`: \(setting.summary)"
                }
                return ["`\(facts.name)`", facts.summary, settings.joined(separator: "; "), facts.section]
            }
        ).check()
    }

    @Test func `every algorithm takes the defaults of its facts and no other setting, and names are unlike`() throws {
        let rows = try SparseDataset(featureCount: 3, rows: (0..<64).map { (1, [(UInt32($0 % 3), Float(1))]) })
        let problem = LinearProblem(objective: LinearObjective(), train: rows)
        func check(_ type: any TrainingAlgorithm.Type, _ settings: String) throws {
            try TrainingRun.check(
                problem: problem, workers: 4, evaluators: 1,
                options: TrainingOptions(Algorithm(type, settings: settings)))
        }
        for type in Algorithm.builtIn {
            for setting in type.facts.settings {
                if let standard = setting.standard { try check(type, "\(setting.key)=\(standard)") }
            }
            #expect(throws: InputError.self, "\(type.facts.name)") { try check(type, "no-such-setting=1") }
        }
        #expect(Set(Algorithm.builtIn.map { $0.facts.name }).count == Algorithm.builtIn.count)
    }
}
