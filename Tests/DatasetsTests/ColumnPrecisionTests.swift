import Datasets
import Foundation
import Platform
import Testing

/// Columns far from 0 are centred before they are narrowed.
@Suite struct ColumnPrecisionTests {
    let scratch = try! Scratch()

    /// 1,700,000,000 + 7 k for k below 100, mean 1,700,000,346.5.
    private let seconds = (0..<100).map { 1_700_000_000 + 7 * Double($0) }

    private func check(_ data: DenseDataset, _ what: String) throws {
        let deviation = 7 * (Double(100 * 100 - 1) / 12).squareRoot()
        let statistics = data.columnStatistics()[0]
        #expect(statistics.minimum == seconds[0] && statistics.maximum == seconds[99], "\(what)")
        #expect(statistics.mean == 1_700_000_346.5 && abs(statistics.deviation - deviation) < 1e-9, "\(what)")
        let fitted = Standardisation(fitting: data)
        let scaled = try fitted.applied(to: data)
        let error = (0..<100).map { abs(scaled.values(ofRow: $0)[0] - (Double($0) - 49.5) * 7 / deviation) }.max()!
        #expect(error < 1e-6, "\(what)")
        // Whoever wants the values themselves gets the nearest floats.
        let plain = try Standardisation(fitting: data, method: .none).applied(to: data)
        #expect(plain.values(ofRow: 99) == [Double(Float(seconds[99]))] && plain.isNarrow, "\(what)")
        #expect(try data.narrowed().values(ofRow: 99) == [Double(Float(seconds[99]))], "\(what)")
        let (train, test) = try data.split(holdingOutEvery: 10)
        #expect(train.values(ofRow: 0)[0] == seconds[0] && test.values(ofRow: 0)[0] == seconds[9], "\(what)")
    }

    @Test func `Unix seconds keep their differences in CSV`() throws {
        try check(dense(scratch.file("data.csv", "t\n" + seconds.map { "\(Int($0))\n" }.joined())), "whole")
        try check(dense(scratch.file("data.csv", "t\n" + seconds.map { "\($0)\n" }.joined())), "with a point")
        try check(dense(scratch.file("data.csv", "t\n" + seconds.map { "\"\($0)\"\n" }.joined())), "in quotes")
        try check(
            dense(scratch.file("data.csv", "t\n" + seconds.map { "\($0 / 1e9)e9\n" }.joined())), "with an exponent")
    }

    @Test func `Unix seconds keep their differences in arrays of every type that holds them`() throws {
        func bytes<Word: FixedWidthInteger>(_ words: [Word]) -> [UInt8] {
            words.flatMap { word in
                (0..<Word.bitWidth / 8).map { UInt8(truncatingIfNeeded: word >> (8 * Word($0))) }
            }
        }
        let arrays: [(String, [UInt8])] = [
            ("<f8", bytes(seconds.map(\.bitPattern))), ("<i8", bytes(seconds.map { Int64($0) })),
            ("<u8", bytes(seconds.map { UInt64($0) })), ("<i4", bytes(seconds.map { Int32($0) })),
            ("<u4", bytes(seconds.map { UInt32($0) })), (">f8", bytes(seconds.map(\.bitPattern.byteSwapped))),
        ]
        for (type, numbers) in arrays {
            try check(dense(scratch.file("data.npy", npy(type, "(100, 1)", numbers))), type)
        }
        let doubled = bytes(seconds.map(\.bitPattern)) + bytes(seconds.map(\.bitPattern))
        let columns = try dense(scratch.file("data.npy", npy("<f8", "(100, 2)", doubled, order: "True")))
        #expect(columns.values(ofRow: 99) == [seconds[99], seconds[99]])
        let idxBytes = seconds.flatMap { bigEndian(Int($0), 4) }
        try check(dense(scratch.file("data", idx(0x0C, [100, 1], idxBytes))), "idx")
    }

    @Test func `numbers of CSV are the nearest doubles`() throws {
        var texts = [
            "0.1", "-122.23", "1234567.1234567", "0.12345678901234567", "-3.3333333333333335e-05", "9007199254740993",
            "123456789012345678", "0.30000000000000004", "1.7976931348623157e30", "5e-27", "179769313486231570",
            "1700000000.123456", "0.000000000000000000000000012345678901234567", "1234567890123456789012345",
            "2.2250738585072014e-30", "8.988465674311580e+10", "100000000000000000000000000000000000001",
        ]
        var state: UInt64 = 1
        for _ in 0..<2_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let exponent = Int(state >> 58) - 32
            texts.append("\(Double(Int64(bitPattern: state)) * pow(10, Double(exponent - 19)))")
        }
        let data = try dense(scratch.file("data.csv", texts.map { $0 + ",0\n" }.joined()))
        for (row, text) in texts.enumerated() { #expect(data.values(ofRow: row)[0] == Double(text)!, "\(text)") }
    }

    @Test func `a column that differs by its rounding alone is not blown up`() throws {
        let data = try dense(scratch.file("data.csv", "x,y\n0.3,1\n0.30000000000000004,2\n0.3,3\n"))
        let scaled = try Standardisation(fitting: data).applied(to: data)
        #expect((0..<3).allSatisfy { abs(scaled.values(ofRow: $0)[0]) < 1e-12 })
    }
}
