import Datasets
import Foundation
import Platform
import Testing

/// One odd field does not turn a column of numbers into one of categories without a word.
@Suite struct OddFieldTests {
    let scratch = try! Scratch()

    /// 40 rows of two numbers, with `field` in the second column of line 22.
    private func table(_ field: String, separator: String = ",") -> String {
        "a\(separator)b\n" + (0..<40).map { "\($0)\(separator)\($0 == 20 ? field : "\($0).5")\n" }.joined()
    }

    private func fault(_ text: String, _ configure: (inout DenseReader.Options) -> Void = { _ in }) throws
        -> InputError?
    {
        let path = try scratch.file("data.csv", text)
        let errors = [(1, 256 << 10), (3, 9)].map { workers, chunkBytes in
            #expect(throws: InputError.self) { try dense(path, workers: workers, chunkBytes: chunkBytes, configure) }
        }
        #expect(errors[0] == errors[1])
        return errors[0]
    }

    @Test(arguments: ["inf", "-inf", "-nan", "None", "#N/A", "-", "\\N", "n.a.", "1.2.3", "12%"])
    func `an odd field is refused with its line, and read as missing where it is named`(field: String) throws {
        let error = try fault(table(field))
        #expect(error?.place == scratch.path + "/data.csv:22")
        #expect(error?.found.hasSuffix("in column \"b\", of whose 40 fields 39 are numbers") == true)
        #expect(error?.expected.contains("--missing") == true)
        // As the label, too.
        #expect(try fault(table(field)) { $0.label = "b" }?.place == scratch.path + "/data.csv:22")
        let path = try scratch.file("data.csv", table(field))
        let data = try dense(path, chunkBytes: 50) { $0.missing = ["other", field] }
        #expect(data.columnCount == 2 && data.values(ofRow: 20)[1].isNaN && data.values(ofRow: 21)[1] == 21.5)
        let named = try dense(path) { $0.categories = ["b"] }
        #expect(named.columnCount == 41 && named.categoryCounts.map(\.count) == [40])
    }

    @Test(arguments: [1, 2, 40]) func `numbers that are not finite are no categories`(every: Int) throws {
        let words = ["inf", "-Infinity", "+inf", "-nan"]
        let rows = (0..<40).map { $0 % every == 0 ? "1,\(words[$0 / every % 4])\n" : "1,\($0)\n" }
        let error = try fault("a,b\n" + rows.joined())
        #expect(error?.place == scratch.path + "/data.csv:2" && error?.found.hasPrefix("\"inf\"") == true)
    }

    @Test func `texts in another encoding are refused, since they would become one`() throws {
        let rows = [UInt8]("1,caf".utf8)
        let latin: [UInt8] = rows + [0xE9, 10] + rows + [0xE8, 10]
        let heading: [UInt8] = [0xE9] + Array(",b\n1,2\n".utf8)
        for (text, line) in [(Array("a,b\n".utf8) + latin, 2), (heading, 1)] {
            let path = try scratch.file("data.csv", text)
            let error = #expect(throws: InputError.self) { try dense(path) }
            #expect(error?.place == "\(path):\(line)" && error?.expected == "text in UTF-8")
        }
        let zero = try scratch.file("data.csv", "a,b\nx\0,1\n")
        #expect(throws: InputError.self) { try dense(zero) }
        let good = try dense(scratch.file("data.csv", "a,b\né,1\nè,2\n"))
        #expect(good.columnNames.count == 3)
    }

    @Test(arguments: [",", ";", "|"]) func `a line for spreadsheets is not taken for names`(separator: String) throws {
        let error = try fault("sep=\(separator)\r\nname\(separator)colour\r\nx\(separator)y\r\n")
        #expect(error?.place.hasSuffix("data.csv:1") == true && error?.found == "\"sep=\(separator)\"")
    }

    @Test func `lines that end with a carriage return alone are refused`() throws {
        for text in ["a,b\r1,2\r3,4\r", "1,2\r3,4\r", "a,b\n1,2\r3,4\n"] {
            #expect(try fault(text)?.found == "a carriage return without a newline")
        }
        for text in ["a,b\r\n1,2\r\n", "a,b\r\r\n1,2\r\r\n", "a,b\r\n1,2\r"] {
            #expect(try dense(scratch.file("data.csv", text)).values(ofRow: 0) == [1, 2], "\(text.debugDescription)")
        }
    }

    @Test func `what always stands for a missing value does so`() throws {
        for field in ["", "NA", "na", "N/A", "NaN", "null", "NULL", "?"] {
            let data = try dense(scratch.file("data.csv", table(field)))
            #expect(data.columnCount == 2 && data.values(ofRow: 20)[1].isNaN, "\(field)")
        }
    }

    @Test func `a number may stand for a missing value`() throws {
        let path = try scratch.file("data.csv", "a,b\n1,-999\n-999.0,2\n3,-99\n")
        let data = try dense(path) { $0.missing = ["-999"] }
        #expect(data.columnStatistics().map(\.missing) == [1, 1] && data.values(ofRow: 2) == [3, -99])
        let error = #expect(throws: InputError.self) {
            try dense(path) {
                $0.missing = ["-999"]
                $0.label = "b"
            }
        }
        #expect(error?.found == "a row without a label" && error?.place == path + ":2")
    }

    @Test func `decimal commas are refused, and read where they are announced`() throws {
        let semicolons = "a;b\n" + (0..<30).map { "\($0),5;\($0)\n" }.joined()
        let quotes = "a,b\n" + (0..<30).map { "\"\($0),5\",\($0)\n" }.joined()
        let noHeader = (0..<30).map { "\($0),5;\($0)\n" }.joined()
        for (text, firstRow, firstLine) in [(semicolons, 0, 2), (quotes, 0, 2), (noHeader, 0, 1)] {
            let error = try fault(text)
            #expect(error?.place == scratch.path + "/data.csv:\(firstLine)")
            #expect(error?.expected.contains("--decimal ,") == true, "\(error?.expected ?? "")")
            let data = try dense(scratch.file("data.csv", text), workers: 2, chunkBytes: 20) {
                $0.hasDecimalComma = true
            }
            #expect(data.rowCount == 30 && data.columnCount == 2)
            #expect(data.values(ofRow: firstRow) == [Double(firstRow) + 0.5, Double(firstRow)])
            #expect(data.columnStatistics()[0].maximum == 29.5)
        }
        let long = try dense(scratch.file("data.csv", "a;b\n1234567890,25;-0,000001e3\n")) { $0.hasDecimalComma = true }
        #expect(long.values(ofRow: 0) == [1_234_567_890.25, -0.001])
        // Points are then no part of a number.
        let points = try fault("a;b\n" + (0..<30).map { "\($0).5;1\n" }.joined()) { $0.hasDecimalComma = true }
        #expect(points?.expected.contains("--decimal . ") == true)
    }

    @Test func `a column of texts with some numbers stays one of categories`() throws {
        let text = "a,b\n" + (0..<40).map { "\($0),\(["x", "y", "1", "2"][$0 % 4])\n" }.joined()
        #expect(try dense(scratch.file("data.csv", text)).categoryCounts.map(\.count) == [4])
    }

    @Test func `a header of years says how it is taken for names`() throws {
        let text = "2019,2020,label\n1,2,0\n3,4,1\n5,6,0\n7,8,1\n"
        let named = try fault(text) { $0.label = "label" }
        #expect(named?.place == "--label" && named?.expected.contains("--header yes") == true)
        let unnamed = try fault(text)
        #expect(unnamed?.place.hasSuffix("data.csv:1") == true && unnamed?.expected.contains("--header yes") == true)
        let data = try dense(scratch.file("data.csv", text)) {
            $0.label = "label"
            $0.header = .present
        }
        #expect(data.columnNames == ["2019", "2020"] && data.allLabels == [0, 1, 0, 1])
    }
}
