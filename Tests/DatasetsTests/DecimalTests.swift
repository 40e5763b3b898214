import Datasets
import Kernels
import Platform
import Testing

@Suite struct DecimalTests {
    let scratch = try! Scratch()

    /// Reads each text as the value of a row of its own and expects the bits of `Float(text)`.
    private func expectNearest(_ texts: [String]) throws {
        let data = try reader().read(scratch.file("data", texts.map { "0 1:\($0)\n" }.joined())).dataset
        var wrong: [String] = []
        for (row, text) in texts.enumerated() {
            let value = data.features(ofRow: row)[0].value
            if value.bitPattern != Float(text)!.bitPattern { wrong.append("\(text) -> \(value)") }
        }
        #expect(wrong == [])
    }

    @Test func `decimals of every length and exponent become the nearest float`() throws {
        var random = RandomStream(seed: 11)
        func digits(_ count: UInt64) -> String {
            String((0..<count).map { _ in Character(UnicodeScalar(UInt8(48 + random.next(upperBound: 10)))) })
        }
        var texts: [String] = []
        for _ in 0..<4_000 {
            let integer = digits(random.next(upperBound: 4) == 0 ? random.next(upperBound: 25) : 1)
            let fraction = digits(random.next(upperBound: 22))
            let sign = ["", "-", "+"][Int(random.next(upperBound: 3))]
            var text = sign + (integer + fraction == "" ? "0" : integer) + (fraction == "" ? "" : "." + fraction)
            if random.next(upperBound: 2) == 0 { text += "e\(Int(random.next(upperBound: 90)) - 60)" }
            if Float(text)!.isFinite { texts.append(text) }
        }
        try expectNearest(texts)
    }

    @Test func `points half way between two floats, and next to them, are rounded as they should be`() throws {
        var random = RandomStream(seed: 12)
        var texts: [String] = []
        for _ in 0..<1_000 {
            let low = Float(bitPattern: UInt32(random.next(upperBound: 0x1F80_0000)) + 0x3000_0000)
            let half = (Double(low) + Double(low.nextUp)) / 2
            texts += ["\(half)", "\(half.nextUp)", "\(half.nextDown)", "\(half)".replacing("e", with: "00000001e")]
        }
        for mantissa in 1..<500 {
            texts.append("\(16_777_216 + mantissa).\(mantissa % 2 == 0 ? "5" : "4999999999999999")")
        }
        try expectNearest(texts)
    }

    @Test func `floats, also denormal and the largest, survive being written and read`() throws {
        var random = RandomStream(seed: 13)
        var texts = [
            "3.4028235e38", "1.17549435e-38", "1e-45", "0.7e-45", "1.1754943e-38", "0", "-0", "0.0e99999", "1e-99999",
        ]
        for _ in 0..<1_000 {
            let value = Float(bitPattern: UInt32(random.next(upperBound: 0x7F80_0000)))
            texts += ["\(value)", "-\(Double(value))"]
        }
        try expectNearest(texts)
    }
}
