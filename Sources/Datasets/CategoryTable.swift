// The distinct texts of a column. Every worker thread has tables of its own.

/// Numbers texts in the order in which they come.
@safe struct CategoryTable {
    /// Distinct texts beyond which a column is not one of categories.
    static let limit = 1_000

    /// The texts, which lie in the file's text.
    private var fields: [CSVField] = unsafe []
    private var hashes: [UInt64] = []
    /// The number of the text that a hash leads to, or -1; four times as many as there can be texts.
    private var buckets = [Int16](repeating: -1, count: 4096)

    var strings: [String] { unsafe fields.map { unsafe $0.string } }

    /// The number of a text, and whether it comes for the first time; beyond one more than the limit, which refuses the column, all are
    /// alike.
    mutating func number(of field: CSVField) -> (number: Int, isNew: Bool) {
        // FNV-1a, eight bits at a time.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for k in unsafe field.text.indices { unsafe hash = (hash ^ UInt64(field.text[k])) &* 0x0000_0100_0000_01B3 }
        var bucket = Int(truncatingIfNeeded: hash ^ hash &>> 32) & 4095
        while buckets[bucket] >= 0 {
            let number = Int(buckets[bucket])
            if unsafe hashes[number] == hash && fields[number].text.elementsEqual(field.text) { return (number, false) }
            bucket = (bucket + 1) & 4095
        }
        if hashes.count > Self.limit { return (Self.limit, false) }
        buckets[bucket] = Int16(hashes.count)
        hashes.append(hash)
        unsafe fields.append(field)
        return (hashes.count - 1, true)
    }

    static func tooMany(in column: String) -> String { "more than \(limit) different texts in column \"\(column)\"" }

    static let expected = "numbers, or at most \(limit) categories; --ignore leaves a column out"
}
