import ArgumentParser
import Datasets
import Foundation
import Measurement
import Objectives
import Platform
import Testing

@testable import relaxed

/// What `train` makes of dense files before it trains.
struct DenseTrainingDataTests {
    private struct Arguments: ParsableArguments {
        @OptionGroup var dense: DenseTrainingArguments
        @OptionGroup var settings: RunArguments
    }

    private let workspace = try! Workspace()

    /// Reads `data` of the workspace, in which options name files by `@`.
    private func read(
        _ data: String, _ options: String = "", test: String? = nil, objective: OutputLoss? = nil
    ) throws -> DenseTrainingData {
        func path(_ name: String) -> String { workspace.folder.appendingPathComponent(name).path }
        let words = options.split(separator: " ").map { $0.hasPrefix("@") ? path(String($0.dropFirst())) : String($0) }
        let arguments = try Arguments.parse(words)
        let input = try arguments.dense.open(path(data))
        if !input.format.isDense { try arguments.settings.checkSparse(input.format) }
        return try DenseTrainingData.read(
            input, test: test.map(path), arguments: arguments.dense, objective: objective,
            layers: arguments.settings.layers(), l2: 0, team: WorkerTeam(placement: .unpinned(workers: 2)))
    }

    private func refusal(
        _ data: String, _ options: String = "", test: String? = nil, objective: OutputLoss? = nil
    ) -> String {
        do {
            _ = try read(data, options, test: test, objective: objective)
            return ""
        } catch {
            return "\(error)".replacing(workspace.folder.path + "/", with: "")
        }
    }

    private func values(_ data: DenseDataset?) -> [[Double]] {
        (0..<(data?.rowCount ?? 0)).map { data!.values(ofRow: $0) }
    }

    private func labels(_ data: DenseDataset?) -> [Float] {
        (0..<(data?.rowCount ?? 0)).map { data!.label(ofRow: $0) }
    }

    @Test func `a table becomes standardised rows and targets, the held-out rows alike`() throws {
        try workspace.write("data.csv", "x,y,kind\n1,100,a\n3,300,b\n,900,a\n1,100,b\n3,300,a\n,500,b\n")
        let data = try read("data.csv", "--label y --hold-out 3 --hidden 5,4 --activation tanh")
        #expect(
            values(data.train) == [[-1, 1, 0], [1, 0, 1], [-1, 0, 1], [1, 1, 0]]
                && labels(data.train) == [-1, 1, -1, 1])
        #expect(values(data.test) == [[0, 1, 0], [0, 0, 1]] && labels(data.test) == [7, 3])
        #expect(data.targets == Standardisation(offsets: [200], scales: [100]) && data.classNames == [])
        #expect(
            data.network
                == (try MultilayerPerceptron(
                    inputs: 3, hidden: [5, 4], outputs: 1, activation: .tanh, loss: .squared)))
        #expect(
            data.networkRecord
                == RunRecord.Network(
                    inputs: 3, hidden: [5, 4], outputs: 1, activation: "tanh", loss: "squared", parameters: 49,
                    standardise: "by-kind", label: "y"))
        #expect(
            data.describe() == """
                train  data.csv: 4 rows, 3 columns (2 indicator, 1 numeric)
                test   one row in 3: 2 rows
                model  3-5-4-1, tanh, squared: 49 parameters; columns standardised: by-kind

                """)
        let model = data.model(parameters: data.network.initialParameters(seed: 1))
        #expect(model.columns?.map(\.name) == ["x", "kind=a", "kind=b"] && model.labelName == "y")
        #expect(model.standardisation == data.inputs && model.targetStandardisation == data.targets)
    }

    @Test func `a table to test on may have its columns in another order, and the classes of the training rows`() throws
    {
        try workspace.write("data.csv", "x,kind,class\n1,a,no\n3,b,yes\n5,a,maybe\n")
        try workspace.write("test.csv", "answer,kind,extra,x\nyes,new,1,3\nno,a,2,5\n")
        let options = "--label class --test-label answer --standardise none"
        let data = try read("data.csv", options, test: "test.csv")
        #expect(
            data.classNames == ["maybe", "no", "yes"] && labels(data.train) == [1, 2, 0] && labels(data.test) == [2, 1])
        #expect(values(data.test) == [[3, 0, 0], [5, 1, 0]] && data.network.outputs == 3)
        #expect(data.describe().contains("test   test.csv: 2 rows\nmodel  3-3, softmax: 12 parameters"))
        try workspace.write("test.csv", "class,kind,x\nperhaps,a,1\n")
        #expect(
            refusal("data.csv", "--label class", test: "test.csv")
                == "test.csv: found label \"perhaps\", expected one of the model's 3 classes maybe, no, yes")
        try workspace.write("test.csv", "class,kind\nno,a\n")
        #expect(refusal("data.csv", "--label class", test: "test.csv").contains("expected a column \"x\", as in"))
        try workspace.write("test.csv", "x,kind\n1,a\n")
        #expect(
            refusal("data.csv", "--label class", test: "test.csv").hasPrefix("--label: found \"class\", expected one"))
    }

    @Test func `whole numbers that repeat are classes unless a squared loss is asked for`() throws {
        try workspace.write("data.csv", "1,0\n2,1\n4,0\n5,1\n")
        #expect(try read("data.csv", "--label 2").network.loss == .softmax)
        let squared = try read("data.csv", "--label 2", objective: .squared)
        #expect(
            squared.network.loss == .squared && squared.network.outputs == 1 && labels(squared.train) == [-1, 1, -1, 1])
        #expect(try read("data.csv", "--label 1").network.loss == .squared)
        #expect(try read("data.csv", "--label 1", objective: .softmax).classNames == ["1", "2", "4", "5"])
    }

    /// An IDX file of bytes.
    private func idx(_ shape: [Int], _ bytes: [UInt8]) -> [UInt8] {
        [0, 0, 8, UInt8(shape.count)] + shape.flatMap { [0, 0, 0, UInt8($0)] } + bytes
    }

    @Test func `pictures have their labels beside them or in a file that is named`() throws {
        try workspace.write("train-images-idx3-ubyte", idx([4, 1, 2], [0, 200, 50, 100, 0, 0, 100, 100]))
        try workspace.write("train-labels-idx1-ubyte", idx([4], [3, 7, 7, 3]))
        try workspace.write("pictures", idx([1, 1, 2], [100, 0]))
        try workspace.write("test-labels", idx([1], [7]))
        let data = try read("train-images-idx3-ubyte", "--test-label @test-labels", test: "pictures")
        #expect(data.classNames == ["3", "7"] && labels(data.train) == [0, 1, 1, 0] && labels(data.test) == [1])
        #expect(values(data.train)[0] == [0, 1] && values(data.test) == [[0.5, 0]])
        #expect(data.model(parameters: .init(repeating: 0, count: 6)).columns == nil)

        #expect(
            refusal("train-images-idx3-ubyte", test: "pictures")
                == "pictures: found rows without labels, expected --test-label to say where the labels are")
        #expect(
            refusal("pictures")
                == "pictures: found rows without labels, expected --label to say where the labels are")
        #expect(
            refusal("train-images-idx3-ubyte", "--label @test-labels").hasPrefix(
                "test-labels: found 1 labels, expected 4"))
        try workspace.write("wide", idx([1, 1, 3], [1, 2, 3]))
        #expect(
            refusal("train-images-idx3-ubyte", "--test-label @test-labels", test: "wide")
                == "wide: found 3 columns, expected 2, as in the rows that were learned from")
        try workspace.write("short", idx([4, 1, 2], [1, 2, 3]))
        #expect(refusal("short", "--label @train-labels-idx1-ubyte").hasPrefix("short: found"))
    }

    @Test func `what cannot be learned from is refused in one line`() throws {
        try workspace.write("data.csv", "x,kind,y\n1,a,2.5\n2,b,3.5\n4,a,1\n")
        try workspace.write("ragged.csv", "x,y\n1,2\n3\n")
        try workspace.write("sparse", "1 1:1\n-1 2:1\n")
        try workspace.write("one.csv", "x,y\n1,a\n2,a\n")
        let header = "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }"
        try workspace.write(
            "objects.npy", [0x93] + "NUMPY".utf8 + [1, 0, UInt8(header.utf8.count), 0] + header.utf8 + [0, 0])
        for (data, options, expected) in [
            ("data.csv", "--label z", "--label: found \"z\", expected one of the 3 columns of data.csv: x, kind, y"),
            ("data.csv", "", "data.csv: found rows without labels, expected --label"),
            ("ragged.csv", "--label y", "ragged.csv:3: found 1 field, expected 2"),
            ("objects.npy", "--label @one.csv", "objects.npy: found"),
            ("one.csv", "--label y", "one.csv: found rows of one class, \"a\", expected rows of at least two classes"),
            ("data.csv", "--label y --hold-out 1", "--hold-out: found 1, expected at least 2"),
            ("data.csv", "--label y --hold-out 4", "data.csv: found 3 rows, expected at least 4"),
            ("data.csv", "--label y --hidden 3,,2", "--hidden: found \"3,,2\", expected widths"),
            ("data.csv", "--label y --hidden 0", "--hidden: found \"0\""),
            ("data.csv", "--label y --hidden 9999999999", "the model: found a layer of width"),
            ("data.csv", "--label y --hidden 2 --activation elu", "--activation: found \"elu\""),
            ("data.csv", "--label y --activation relu", "--activation: found no hidden layers"),
            ("data.csv", "--label y --standardise some", "--standardise: found \"some\""),
            ("data.csv", "--label y --test-label y", "--test-label: found no held-out rows"),
            ("sparse", "--hidden 3", "--hidden: found data in the format libsvm, expected csv"),
            ("sparse", "--hold-out 5", "--hold-out: found data in the format libsvm"),
        ] {
            let line = refusal(data, options)
            #expect(line.hasPrefix(expected) && !line.contains("\n"), "\(line)")
        }
        #expect(
            refusal("data.csv", "--label kind", objective: .squared).hasPrefix("data.csv: found labels that are texts"))
        #expect(refusal("data.csv", "--label y --hold-out 2", test: "data.csv").hasPrefix("--hold-out: found --test"))
        #expect(refusal("data.csv", "--label y", test: "sparse").hasPrefix("sparse: found sparse rows, as libsvm"))
    }
}
