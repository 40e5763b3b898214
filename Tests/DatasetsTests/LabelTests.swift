import Datasets
import Foundation
import Platform
import Testing

/// Labels are names: those that differ in the file stay apart, in every format.
@Suite struct LabelTests {
    let scratch = try! Scratch()

    private func littleEndian(_ words: [UInt64], _ bytes: Int = 8) -> [UInt8] {
        words.flatMap { word in (0..<bytes).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64($0))) } }
    }

    private func names(_ summary: LabelSummary?) -> [String] {
        guard case .distinct(let counts) = summary else { return [] }
        return counts.map { "\($0.label.text) \($0.rows)" }
    }

    static let pairs = [
        ["16777216", "16777217"], ["-16777217", "16777216"], ["9007199254740992", "9007199254740993"],
        ["-9223372036854775808", "-9223372036854775807"], ["9223372036854775806", "9223372036854775807"],
        ["18446744073709551614", "18446744073709551615"], ["0.1", "0.10000000149011612"],
    ]

    @Test(arguments: [
        "9007199254740993.0", "9.007199254740993e15", "+90071992547409930.00e-1", "0.9007199254740993E+16",
    ])
    func `whole numbers are told apart however they are written`(odd: String) throws {
        let expected = ["9007199254740992 1", "9007199254740993 2"]
        let names = [odd, "9007199254740992", "9007199254740993"]
        let sparse = try reader().read(scratch.file("sparse", names.map { "\($0) 1:1\n" }.joined())).dataset
        #expect(self.names(sparse.labelSummary()) == expected)
        let table = try dense(scratch.file("data.csv", "y,x\n" + names.map { "\($0),1\n" }.joined())) { $0.label = "y" }
        #expect(self.names(table.labelSummary()) == expected)
        #expect(Label(parsing: odd) == Label(9_007_199_254_740_993))
        for other in ["1e30", "1.2345678901e25", "9007199254740993.5"] {
            #expect(Label(parsing: other) == Label(Double(other)!), "\(other)")
        }
    }

    @Test(arguments: pairs) func `labels of text that differ are different classes`(names: [String]) throws {
        let expected = ["\(names[0]) 2", "\(names[1]) 1"]
        let text = "\(names[1]) 1:1\n\(names[0]) 2:1\n\(names[0])\n"
        let path = try scratch.file("sparse", text)
        let sparse = try reader().read(path).dataset
        #expect(self.names(sparse.labelSummary()) == expected)
        #expect(sparse.exactLabel(ofRow: 0) == Label(parsing: names[1]))
        let binary = try sparse.binary(positive: PositiveRule(parsing: names[1]))
        #expect((0..<3).map { binary.label(ofRow: $0) } == [1, -1, -1])
        let model = try sparse.binary(
            positive: .model(positive: Label(parsing: names[0])!, negative: Label(parsing: names[1])!))
        #expect((0..<3).map { model.label(ofRow: $0) } == [-1, 1, 1])

        let table = try dense(scratch.file("data.csv", "y,x\n\(names[1]),1\n\(names[0]),2\n\(names[0]),3\n")) {
            $0.label = "y"
        }
        #expect(self.names(table.labelSummary()) == expected)
        let classified = try table.classified()
        #expect(classified.classNames == names && classified.allLabels == [1, 0, 0])
        let (train, test) = try table.split(holdingOutEvery: 3)
        #expect(train.exactLabel(ofRow: 0).text == names[1] && test.exactLabel(ofRow: 0).text == names[0])
    }

    @Test func `labels of NumPy's integers that differ are different classes`() throws {
        for (type, words, expected) in [
            ("<i4", [16_777_217, 16_777_216], ["16777216", "16777217"]),
            ("<u4", [4_294_967_295, 4_294_967_294], ["4294967294", "4294967295"]),
            (
                "<i8", [UInt64(bitPattern: -9_007_199_254_740_992), UInt64(bitPattern: -9_007_199_254_740_993)],
                ["-9007199254740993", "-9007199254740992"]
            ),
            ("<u8", [UInt64.max, UInt64.max - 1], ["18446744073709551614", "18446744073709551615"]),
        ] as [(String, [UInt64], [String])] {
            let size = type.hasSuffix("4") ? 4 : 8
            let rows = try scratch.file("rows.npy", npy("|u1", "(2, 1)", [1, 2]))
            let labels = npy(type, "(2,)", littleEndian(words, size))
            let labelPath = try scratch.file("labels.npy", labels)
            let data = try dense(rows) { $0.label = labelPath }
            #expect(try data.classified().classNames == expected && data.classified().allLabels == [1, 0], "\(type)")
            let archive = zip([("x.npy", npy("|u1", "(2, 1)", [1, 2])), ("y.npy", labels)])
            #expect(try dense(scratch.file("data.npz", archive)).classified().classNames == expected, "\(type)")
        }
    }

    @Test func `labels of IDX's integers that differ are different classes`() throws {
        let rows = try scratch.file("rows", idx(8, [2, 1], [1, 2]))
        let labels = try scratch.file("labels", idx(0x0C, [2], bigEndian(16_777_217, 4) + bigEndian(16_777_216, 4)))
        #expect(try dense(rows) { $0.label = labels }.classified().classNames == ["16777216", "16777217"])
    }

    @Test func `a label of a narrow float is that of its shortest decimal`() throws {
        let rows = try scratch.file("rows.npy", npy("|u1", "(1, 1)", [1]))
        let labels = try scratch.file(
            "labels.npy", npy("<f4", "(1,)", littleEndian([UInt64(Float(0.1).bitPattern)], 4)))
        #expect(try dense(rows) { $0.label = labels }.labelSummary() == .distinct([.init(label: 0.1, rows: 1)]))
    }

    @Test func `a cache keeps labels apart, and is made anew from an older version`() throws {
        for text in ["16777217 1:1\n16777216\n", "9007199254740993 1:1\n9007199254740992\n0.1\n", "1 1:1\n-1\n"] {
            let path = try scratch.file("data", text)
            let team = try WorkerTeam(placement: .unpinned(workers: 2))
            let file = DatasetFile(path, cache: .besideSource)
            let read = try file.load(team: team)
            let cached = try file.load(team: team)
            #expect(!read.isFromCache && cached.isFromCache)
            #expect(cached.dataset.labelSummary() == read.dataset.labelSummary())
            #expect(cached.dataset.byteCount == read.dataset.byteCount)
            let header = try Data(contentsOf: URL(fileURLWithPath: path + ".csr")).prefix(16)
            #expect(header[8] > 2)
        }
    }

    @Test func `whole numbers of more than 64 bits are refused as labels`() throws {
        let digits = String(repeating: "9", count: 30)
        let sparse = try scratch.file("sparse", "1 1:1\n\(digits) 1:1\n")
        let error = #expect(throws: InputError.self) { try reader().read(sparse) }
        #expect(error?.place == sparse + ":2" && error?.expected.contains("64 bits") == true)
        let table = try scratch.file("data.csv", "y,x\n1,1\n\(digits),2\n")
        #expect(throws: InputError.self) { try dense(table) { $0.label = "y" } }
        #expect(Label(parsing: digits) == nil && Label(parsing: "1e30")?.text == "1e+30")
    }

    @Test func `targets are numbers, as exact as in the file`() throws {
        let rows = (0..<1_200).map { "\(1_700_000_000 + $0),\($0)" }.joined(separator: "\n")
        let data = try dense(scratch.file("data.csv", "y,x\n" + rows + "\n")) { $0.label = "y" }
        #expect(
            data.labelSummary() == .real(minimum: 1_700_000_000, maximum: 1_700_001_199, mean: 1_700_000_599.5))
        let scaled = try Standardisation(fittingLabelsOf: data).applied(toLabelsOf: data)
        let deviation = (Double(1_200 * 1_200 - 1) / 12).squareRoot()
        #expect(abs(Double(scaled.label(ofRow: 0)) + 599.5 / deviation) < 1e-6)
        #expect(abs(Double(scaled.label(ofRow: 1) - scaled.label(ofRow: 0)) - 1 / deviation) < 1e-6)
    }
}
