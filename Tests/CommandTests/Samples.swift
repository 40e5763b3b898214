import Foundation

/// Rows with 5 of 20 features each, drawn from a fixed seed, whose label follows from a linear score in nine cases of ten.
func sampleRows(_ count: Int, seed: UInt64 = 7, negative: String = "-1") -> String {
    var state = seed
    func draw(_ bound: UInt64) -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (state >> 33) % bound
    }
    var text = ""
    for _ in 0..<count {
        var score = 0
        var row = ""
        for group in 0..<5 {
            let feature = group * 4 + Int(draw(4))
            let value = 1 + Int(draw(4))
            score += (feature % 3 - 1) * value
            row += " \(feature + 1):0.\(value)"
        }
        let isPositive = (score > 0) != (draw(10) == 0)
        text += (isPositive ? "+1" : negative) + row + "\n"
    }
    return text
}

/// Rows with real targets, 2 x1 - x2 + 1.
func regressionRows(_ count: Int) -> String {
    var text = ""
    for i in 0..<count {
        let (a, b) = (Double(i % 7) / 7, Double(i % 5) / 5)
        text += "\(2 * a - b + 1) 1:\(a) 2:\(b)\n"
    }
    return text
}

/// A table of `count` rows with two columns of numbers, one of categories, a real target and a class that both follow from them.
func tableRows(_ count: Int) -> String {
    var text = "width,height,kind,price,class\n"
    for i in 0..<count {
        let (width, height, kind) = (Double(i * 37 % 101) / 10, Double(i * 53 % 97) / 20, ["a", "b", "c"][i * 7 % 3])
        let price = 100 + 20 * width - 30 * height + (kind == "b" ? 25 : 0)
        text += "\(width),\(height),\(kind),\(price),\(price > 130 ? "dear" : "cheap")\n"
    }
    return text
}

/// The text as a gzip file, in stored blocks.
func gzip(_ text: String) -> [UInt8] {
    func littleEndian(_ value: Int, _ bytes: Int) -> [UInt8] { (0..<bytes).map { UInt8(value >> (8 * $0) & 255) } }
    let bytes = Array(text.utf8)
    var file: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]
    for start in stride(from: 0, to: bytes.count, by: 65_535) {
        let block = bytes[start..<min(bytes.count, start + 65_535)]
        file.append(block.endIndex == bytes.count ? 1 : 0)
        file += littleEndian(block.count, 2) + littleEndian(~block.count & 65_535, 2) + block
    }
    var remainder: UInt32 = ~0
    for byte in bytes {
        remainder ^= UInt32(byte)
        for _ in 0..<8 { remainder = remainder >> 1 ^ (remainder & 1 == 1 ? 0xEDB8_8320 : 0) }
    }
    return file + littleEndian(Int(~remainder), 4) + littleEndian(bytes.count, 4)
}
