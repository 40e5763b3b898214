import Datasets
import Foundation
import Platform
import Testing

@Suite struct DenseDatasetTests {
    private func column(_ values: [Float], kind: DenseColumn.Kind = .numeric) throws -> DenseDataset {
        try DenseDataset(columns: [DenseColumn(name: "c", kind: kind)], rows: values.map { (0, [$0]) })
    }

    @Test func `statistics leave missing values out`() throws {
        let data = try DenseDataset(
            columns: ["a", "b", "c"].map { DenseColumn(name: $0) },
            rows: [(0, [1, .nan, 0.1]), (0, [5, .nan, 0.1]), (0, [.nan, .nan, 0.1])])
        let statistics = data.columnStatistics()
        #expect(statistics.map(\.missing) == [1, 3, 0] && statistics.map(\.deviation) == [2, 0, 0])
        #expect(statistics[0].mean == 3 && statistics[0].minimum == 1 && statistics[0].maximum == 5)
        #expect(statistics[1].mean == 0 && statistics[1].minimum == 0 && statistics[1].maximum == 0)
    }

    @Test func `each kind of column is scaled in its way, by what the training rows are like`() throws {
        let columns = [
            DenseColumn(name: "n"), DenseColumn(name: "constant"), DenseColumn(column: "t", category: "x"),
            DenseColumn(name: "p", kind: .pixel), DenseColumn(name: "q", kind: .pixel),
        ]
        let train = try DenseDataset(
            columns: columns, rows: [(0, [1, 7, 0, 16, 0]), (1, [5, 7, 1, 8, 4]), (0, [.nan, 7, .nan, 0, 2])])
        let test = try DenseDataset(columns: columns, rows: [(1, [9, 8, 1, 32, .nan])])
        let fitted = Standardisation(fitting: train)
        #expect(try fitted.applied(to: train).allValues[0] == [-1, 0, 0, 1, 0])
        #expect(try fitted.applied(to: train).allValues[2] == [0, 0, 0.5, 0, 0.125])
        #expect(try fitted.applied(to: test).allValues == [[3, 1, 1, 2, 0.125]])
        #expect(try Standardisation(fitting: train, method: .none).applied(to: test).allValues == [[9, 8, 1, 32, 2]])
        let all = try Standardisation(fitting: train, method: .all).applied(to: train)
        #expect(all.columnStatistics().allSatisfy { abs($0.mean) < 1e-6 })
        #expect(all.columnStatistics().map(\.deviation).dropFirst(2).allSatisfy { abs($0 - 1) < 0.3 })
        let error = #expect(throws: InputError.self) { try fitted.applied(to: column([1])) }
        #expect(error?.found == "1 columns" && error?.expected.hasPrefix("5,") == true)
        #expect(try JSONDecoder().decode([DenseColumn].self, from: JSONEncoder().encode(columns)) == columns)
    }

    @Test func `labels are scaled as those that were learned from`() throws {
        func labelled(_ labels: [Float]) throws -> DenseDataset {
            try DenseDataset(columns: [DenseColumn(name: "c")], rows: labels.map { ($0, [$0]) })
        }
        let fitted = Standardisation(fittingLabelsOf: try labelled([100, 300, 100, 300]))
        #expect(fitted == Standardisation(offsets: [200], scales: [100]))
        let scaled = try fitted.applied(toLabelsOf: labelled([100, 450]))
        #expect(scaled.allLabels == [-1, 2.5] && scaled.allValues == [[100], [450]])
        #expect(Standardisation(fittingLabelsOf: try labelled([7, 7])).scales == [1])
    }

    @Test(
        arguments: [
            ([1, 2, 1, 2], true), ([1, 2, 1, 2.5], false), ([1, 2, 3], false), ([-1, 1], false), ([0, 0], true),
        ] as [([Float], Bool)])
    func `whole numbers that come twice look like classes`(labels: [Float], isSo: Bool) throws {
        let columns = [DenseColumn(name: "c")]
        #expect(try DenseDataset(columns: columns, rows: labels.map { ($0, [0]) }).hasClassLabels == isSo)
        let named = try DenseDataset(columns: columns, classNames: ["a", "b"], rows: [(0, [0]), (1, [0])])
        #expect(named.hasClassLabels)
        let error = #expect(throws: InputError.self) { try named.measured() }
        #expect(error?.found == "labels that are texts, such as \"a\"")
    }

    @Test func `every k-th row is held out`() throws {
        let (train, test) = try column((1...11).map(Float.init)).split(holdingOutEvery: 4)
        #expect(train.allValues.map { $0[0] } == [1, 2, 3, 5, 6, 7, 9, 10, 11])
        #expect(test.allValues.map { $0[0] } == [4, 8])
        #expect(throws: InputError.self) { try column([1, 2]).split(holdingOutEvery: 3) }
    }

    @Test func `labels become classes, the same for the rows to be judged`() throws {
        func labelled(_ labels: [Float], names: [String]? = nil) throws -> DenseDataset {
            try DenseDataset(
                columns: [DenseColumn(name: "c")], classNames: names, rows: labels.map { ($0, [0]) })
        }
        let train = try labelled([7, 3, 7, -1]).classified()
        #expect(train.allLabels == [2, 1, 2, 0] && train.classNames == ["-1", "3", "7"])
        #expect(try labelled([3, 7]).classified(as: train.classNames).allLabels == [1, 2])
        #expect(try labelled([1, 0], names: ["a", "b"]).classified(as: ["b", "c", "a"]).allLabels == [0, 2])
        let error = #expect(throws: InputError.self) { try labelled([4]).classified(as: train.classNames) }
        #expect(error?.found == "label \"4\"" && error?.expected == "one of the model's 3 classes -1, 3, 7")
        #expect(throws: InputError.self) { try labelled((0...1_000).map(Float.init)).classified() }
    }

    @Test(
        arguments: [
            ("a", "a,b\n1,2\n", .csv), ("a", "1 1:2 3:4\n", .libsvm), ("a", "-1\t2:1\n", .libsvm),
            ("a", "1\t2\n", .csv),
            ("a", "-1\n", .libsvm), ("a.csv", "1\n2\n", .csv), ("a", "# x, y\n1 1:2\n", .libsvm), ("a", "", .libsvm),
            ("a", "time,x\n12:30,1\n", .csv), ("a", "x;y\n1;2\n", .csv), ("a", "1 1:2 # a, b\n", .libsvm),
        ] as [(String, String, DataFormat)])
    func `text is recognised by its first line or its name`(name: String, text: String, format: DataFormat) throws {
        let scratch = try Scratch()
        #expect(try DataInput(scratch.file(name, text)).format == format)
    }
}
