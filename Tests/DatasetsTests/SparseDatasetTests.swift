import Datasets
import Platform
import Testing

@Suite struct SparseDatasetTests {
    private func labelled(_ labels: [Float]) throws -> SparseDataset {
        try SparseDataset(name: "toy", rows: labels.map { (label: $0, features: [(0, 1)]) })
    }

    private func mapped(_ labels: [Float], _ rule: PositiveRule = .conventional) throws -> [Float] {
        let binary = try labelled(labels).binary(positive: rule)
        return labels.indices.map { binary.label(ofRow: $0) }
    }

    @Test func `rows written in code come back, over more features where asked for`() throws {
        let data = try SparseDataset(rows: [(1, [(0, 0.5), (4, -2)]), (-1, []), (3.5, [(2, 1)])])
        #expect(data.rowCount == 3 && data.featureCount == 5 && data.nonzeroCount == 3)
        #expect(data.features(ofRow: 0).map(\.index) == [0, 4] && data.features(ofRow: 0).map(\.value) == [0.5, -2])
        #expect(data.features(ofRow: 1).isEmpty && data.label(ofRow: 2) == 3.5)
        #expect(try SparseDataset(featureCount: 9, rows: [(1, [(0, 0.5)])]).featureCount == 9)
    }

    @Test func `labels -1 and +1, 0 and 1, or one class alone become -1 and +1`() throws {
        #expect(try mapped([-1, 1, 1]) == [-1, 1, 1])
        #expect(try mapped([0, 1, 0]) == [-1, 1, -1])
        #expect(try mapped([1, 1]) == [1, 1])
        #expect(try mapped([0]) == [-1])
        #expect(try mapped([0, 1], .model(positive: 1, negative: -1)) == [-1, 1])
        #expect(try mapped([9, 9], .model(positive: 4, negative: 9)) == [-1, -1])
        let zeroOne = try labelled([0, 1]).binary()
        #expect(zeroOne.classes?.modelLabels.positive == 1 && zeroOne.classes?.modelLabels.negative == 0)
    }

    @Test func `named labels stand against the rest and share the nonzeros`() throws {
        let data = try labelled([1, 2, 3, 2.5, 2])
        let binary = try data.binary(positive: PositiveRule(parsing: "2,2.5,7"))
        #expect((0..<5).map { binary.label(ofRow: $0) } == [-1, 1, -1, 1, 1])
        #expect(binary.classes?.positive == [2, 2.5] && binary.classes?.negative == [1, 3])
        let shared = unsafe binary.rows.values == data.rows.values
        #expect(shared)
        #expect(data.label(ofRow: 2) == 3)
    }

    @Test func `labels that are not two classes are refused by name`() {
        let twoWays = "-1/+1 or 0/1; --positive names classes, --objective squared fits real values"
        #expect(throws: InputError(at: "toy", found: "labels 1, 2, 3", expected: twoWays)) {
            try mapped([3, 1, 2])
        }
        #expect(throws: InputError.self) { try mapped([-1, 0, 1]) }
        #expect(throws: InputError(at: "toy", found: "labels 1, 2", expected: "at least one row of --positive 7")) {
            try mapped([1, 2], .labels([7]))
        }
        #expect(throws: InputError(at: "toy", found: "labels 0, 9", expected: "the model's labels 4 and 9")) {
            try mapped([9, 0], .model(positive: 4, negative: 9))
        }
        #expect(throws: InputError.self) { try PositiveRule(parsing: "2,,3") }
        #expect(throws: InputError.self) { try PositiveRule(parsing: "nan") }
    }

    @Test func `labels are counted while they can be classes and summed up beyond a thousand`() throws {
        #expect(
            try labelled([2, 1, 2]).labelSummary()
                == .distinct([LabelSummary.Count(label: 1, rows: 1), LabelSummary.Count(label: 2, rows: 2)]))
        let real = try labelled((0...1_000).map { Float($0) })
        #expect(real.labelSummary() == .real(minimum: 0, maximum: 1_000, mean: 500))
        #expect(throws: InputError.self) { try real.binary() }
    }
}
