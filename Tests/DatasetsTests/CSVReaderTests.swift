import Datasets
import Foundation
import Platform
import Testing

@Suite struct CSVReaderTests {
    let scratch = try! Scratch()

    private func fault(_ text: String, _ configure: (inout DenseReader.Options) -> Void = { _ in }) throws
        -> InputError?
    {
        let path = try scratch.file("data.csv", text)
        let error = #expect(throws: InputError.self) { try dense(path, configure) }
        #expect(try error == errorOfSmallChunks(path, configure))
        return error
    }

    /// The earliest fault is the same whatever the chunks.
    private func errorOfSmallChunks(
        _ path: String, _ configure: (inout DenseReader.Options) -> Void
    ) throws -> InputError? {
        do {
            _ = try dense(path, workers: 3, chunkBytes: 7, configure)
            return nil
        } catch {
            return error as? InputError
        }
    }

    @Test func `names, a label by name, quotes and a missing value`() throws {
        let text = "\u{FEFF}a,\"b \"\"x\"\"\",label\r\n1,-2.5,7\r\n\r\n \"3\" ,NA,8\r\n0.1,4e2,9"
        let data = try dense(scratch.file("data.csv", text)) { $0.label = "label" }
        #expect(data.columnNames == ["a", "b \"x\""] && data.labelName == "label" && data.classNames == nil)
        #expect(data.rowCount == 3 && data.allLabels == [7, 8, 9])
        #expect(data.values(ofRow: 0) == [1, -2.5] && data.values(ofRow: 2) == [0.1, 400])
        #expect(data.values(ofRow: 1)[0] == 3 && data.values(ofRow: 1)[1].isNaN)
    }

    @Test(arguments: [",", ";", "\t"]) func `rows without names, a label by number`(separator: String) throws {
        let text = ["1,2,3", "4,5,6", ""].joined(separator: "\n").split(separator: ",").joined(separator: separator)
        let path = try scratch.file("data.csv", text)
        let data = try dense(path) { $0.label = "2" }
        #expect(data.columnNames == ["1", "3"] && data.allValues == [[1, 3], [4, 6]] && data.allLabels == [2, 5])
        #expect(try dense(path) { $0.ignored = ["1"] }.allValues == [[2, 3], [5, 6]])
        #expect(try dense(path).labelSummary() == nil)
        #expect(try dense(path) { $0.header = .present }.columnNames == ["1", "2", "3"])
    }

    @Test func `numbers are the nearest doubles, whatever their form`() throws {
        let texts = [
            "-122.23", "0.1", "16777217", "123456.789", "1234567.1234567", "12345678.5", "-0", "1e-45", "3.4028235e38",
            "0.000000123", "5.", ".5", "+7", "0.30000001192092896",
        ]
        let data = try dense(scratch.file("data.csv", texts.map { $0 + ",0\n" }.joined()))
        #expect(data.allValues.map { $0[0] } == texts.map { Double($0 == "5." ? "5" : $0)! })
    }

    @Test func `a text column becomes indicators in the order of its bytes, whatever the chunks`() throws {
        var text = "n,colour,class\n"
        for k in 0..<60 {
            text += "\(k),\(["red", "Blue", "\"a,\nb\"", "", "4"][k % 5]),\(k % 3 == 0 ? "yes" : "no")\n"
        }
        let path = try scratch.file("data.csv", text)
        let whole = try dense(path) { $0.label = "class" }
        #expect(whole.columnNames == ["n", "colour=4", "colour=Blue", "colour=a,\nb", "colour=red"])
        #expect(whole.columns[2].kind == .indicator(column: "colour", category: "Blue"))
        #expect(whole.values(ofRow: 0) == [0, 0, 0, 0, 1] && whole.values(ofRow: 57) == [57, 0, 0, 1, 0])
        #expect(whole.values(ofRow: 59) == [59, 1, 0, 0, 0])
        #expect(whole.values(ofRow: 58)[0] == 58 && whole.values(ofRow: 58).dropFirst().allSatisfy { $0.isNaN })
        #expect(whole.classNames == ["no", "yes"] && whole.allLabels.prefix(4) == [1, 0, 0, 1])
        for (workers, chunkBytes) in [(1, 1), (2, 10), (3, 64)] {
            let cut = try dense(path, workers: workers, chunkBytes: chunkBytes) { $0.label = "class" }
            #expect(cut.columns == whole.columns && cut.allLabels == whole.allLabels)
            #expect("\(cut.allValues)" == "\(whole.allValues)")
        }
    }

    @Test func `held-out rows get the columns of the rows that were learned from`() throws {
        let train = try dense(scratch.file("train.csv", "c,x,y\na,1,0\nb,2,1\n")) { $0.label = "y" }
        let test = try dense(scratch.file("test.csv", "extra,y,x,c\nq,1,5,b\nq,0,6,new\nq,1,7,\n")) {
            $0.label = "y"
            $0.like = train.columns
        }
        #expect(test.columns == train.columns && test.allLabels == [1, 0, 1])
        #expect(test.values(ofRow: 0) == [0, 1, 5] && test.values(ofRow: 1) == [0, 0, 6])
        #expect(test.values(ofRow: 2).prefix(2).allSatisfy { $0.isNaN })
        let numbers = try dense(scratch.file("numbers.csv", "x,c\n1,7\n")) { $0.like = train.columns }
        #expect(numbers.allValues == [[0, 0, 1]])
        #expect(try fault("c,x\na,z\n") { $0.like = train.columns }?.found == "\"z\"")
        #expect(
            try fault("c,z\na,1\n") { $0.like = train.columns }
                == InputError(
                    at: scratch.path + "/data.csv", found: "the columns c, z",
                    expected: "a column \"x\", as in the rows that were learned from"))
        #expect(
            try fault("c,x\na,1\n") {
                $0.like = train.columns
                $0.label = "x"
            }?.found == "\"x\", which was learned from")
        // Columns of a model may come from anywhere.
        let (c, x) = (DenseColumn(column: "c", category: "a"), DenseColumn(name: "x"))
        for columns in [
            [c, x, DenseColumn(column: "c", category: "b")], [x, x], [x, DenseColumn(name: "2")], [c, c],
        ] {
            #expect(try fault("c,x\na,1\n") { $0.like = columns }?.expected == "columns that differ")
        }
        #expect(try fault("c,x\na,1\n") { $0.like = [DenseColumn(name: "+3")] }?.found == "the columns c, x")
        #expect(
            try dense(scratch.file("data.csv", "c,x\na,1\n")) { $0.like = [DenseColumn(name: "+2")] }.allValues == [[1]]
        )
    }

    @Test func `a usual label is taken where there is such a column`() throws {
        func label(_ text: String, _ label: String? = nil) throws -> String? {
            try dense(scratch.file("data.csv", text)) {
                $0.label = label
                $0.usualLabel = "y"
            }.labelName
        }
        #expect(try label("x,y\n1,2\n") == "y" && label("x,z\n1,2\n") == nil && label("x,y\n1,2\n", "x") == "x")
    }

    @Test func `what cannot be used is named with its line`() throws {
        #expect(
            try fault("a,b\n1,2\n3\n4,5\n")
                == InputError(at: scratch.path + "/data.csv:3", found: "1 field", expected: "2, as in the first line"))
        #expect(try fault("a,b\n1,2\n\n\"x\ny\",2,\n")?.place.hasSuffix("data.csv:4") == true)
        #expect(try fault("a,b\n1,2,\n")?.found == "3 fields")
        #expect(try fault("1,1e39\n")?.found == "\"1e39\"")
        #expect(try fault("a,b\n1,\"2\n3,4\n")?.found == "a quoted field that does not end")
        #expect(try fault("a,b\n1,\"2\"3\n")?.found == "text behind the quotes of a field")
        #expect(try fault("a,b\n1,2\n1,5\" pipe\n3,4\n")?.place.hasSuffix(":3") == true)
        #expect(try fault("a,b\n1,2\n3,\n") { $0.label = "b" }?.place.hasSuffix(":3") == true)
        #expect(try fault("a,a\n1,2\n")?.found == "two columns \"a\"")
        #expect(try fault("a,b\n")?.found == "no rows" && fault("\n\n")?.found == "no rows")
        #expect(try fault("")?.found == "an empty file")
        #expect(try fault("a\n1\n") { $0.label = "a" }?.found == "no column beside the label")
        let path = scratch.path + "/data.csv"
        #expect(
            try fault("a,b\n1,2\n") { $0.label = "c" }
                == InputError(at: "--label", found: "\"c\"", expected: "one of the 2 columns of \(path): a, b"))
        #expect(try fault("a,b\n1,2\n") { $0.ignored = ["3"] }?.place == "--ignore")
        let names = "a,b\n" + (0...1_000).map { "t\($0),1\n" }.joined()
        #expect(
            try fault(names)?.place == path && fault(names)?.found == "more than 1000 different texts in column \"a\"")
        #expect(try dense(scratch.file("data.csv", names)) { $0.ignored = ["a"] }.columnCount == 1)
    }

    @Test(
        .enabled(if: Scratch.hasCompressors, "gzip, bzip2, xz and zstd are not all installed"),
        arguments: Scratch.compressors)
    func `compressed text gives the same rows`(tool: String) throws {
        let text = (0..<500).map { "\($0),\($0 % 7).5,t\($0 % 3)\n" }.joined()
        let path = try scratch.file("data.csv", text)
        let bytes = try scratch.output(of: tool, "-c", path)
        let compressed = try dense(scratch.file("compressed", bytes), chunkBytes: 100)
        let plain = try dense(path)
        #expect(compressed.columns == plain.columns && compressed.allValues == plain.allValues)
        #expect(plain.rowCount == 500 && plain.columnCount == 5)
        let cut = try scratch.file("cut", bytes.prefix(bytes.count / 2))
        #expect(throws: InputError.self) { try dense(cut, format: .csv) }
    }

    private static let housing = "../shared/data/california-housing.csv.gz"

    @Test(.enabled(if: FileManager.default.fileExists(atPath: housing), "no data beside the checkout"))
    func `California housing has 207 missing values and one category`() throws {
        let data = try dense(Self.housing) { $0.label = "median_house_value" }
        #expect(data.rowCount == 20_640 && data.columnCount == 13)
        let missing = data.columnStatistics().map(\.missing)
        #expect(missing.reduce(0, +) == 207 && missing[4] == 207 && data.columnNames[4] == "total_bedrooms")
        #expect(data.columns[8] == DenseColumn(column: "ocean_proximity", category: "<1H OCEAN"))
        let (train, test) = try data.split(holdingOutEvery: 5)
        #expect(train.rowCount == 16_512 && test.rowCount == 4_128)
        let scaled = try Standardisation(fitting: train).applied(to: train).columnStatistics()
        #expect(scaled.prefix(8).allSatisfy { abs($0.mean) < 1e-4 && abs($0.deviation - 1) < 0.01 })
        #expect(scaled.allSatisfy { $0.missing == 0 })
    }
}
