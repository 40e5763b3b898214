// An array from a file in the order of its rows. The reading thread.

internal import Platform

/// An array of at least one dimension; the first counts its rows.
struct NumberArray {
    /// For messages: the file, or the array in it.
    let name: String
    let shape: [Int]
    let type: NumberType
    /// Row-major; NaN where the file has it.
    let values: DenseValues
    /// What Doubles do not hold of labels.
    let remainders: [LabelRemainder]

    var rowCount: Int { shape[0] }
    var columnCount: Int { shape.dropFirst().reduce(1, *) }

    /// Reads what follows the header; labels, which are names as well as numbers, as exactly as can be.
    ///
    /// Throws where the file is shorter than that or has more, or where a number is infinite as a 32-bit float.
    static func read(
        _ name: String, shape: [Int], type: NumberType, isColumnMajor: Bool = false, asLabels: Bool = false,
        from bytes: ByteReader
    ) throws(InputError) -> NumberArray {
        var count = 1
        for extent in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: extent)
            count = overflow || product > Int.max / 8 ? -1 : product
            if count <= 0 { break }
        }
        if shape.isEmpty || count <= 0 || shape[0] > Int(UInt32.max) {
            let found = shape.isEmpty ? "a single number" : "an array of \(text(shape))"
            throw InputError(at: name, found: found, expected: "an array of one row or more that memory can hold")
        }
        bytes.keepsRemainders = asLabels
        let content = Content(name: name, shape: shape, type: type, count: count, isColumnMajor: isColumnMajor)
        let values: DenseValues =
            asLabels || type.needsDouble
            ? .doubles(ValuePages(try content.values(bytes))) : .floats(ValuePages(try content.values(bytes)))
        return NumberArray(name: name, shape: shape, type: type, values: values, remainders: bytes.remainders)
    }

    /// The numbers as labels.
    func labels() throws(InputError) -> LabelPages {
        let labels = try PageBuffer<Double>(count: values.count)
        for k in 0..<values.count {
            let value = values[k]
            // Of a narrower float the shortest decimal is meant: 0.1 is a label of another file, too.
            let isShort = type.kind == .real && type.byteCount < 8 && value != value.rounded() && !value.isNaN
            unsafe labels.pointer[k] = isShort ? Double("\(Float(value))")! : value
        }
        return try LabelPages(labels, remainders: remainders)
    }

    static func text(_ shape: [Int]) -> String { shape.map(String.init).joined(separator: " x ") }
}

/// What follows a header.
private struct Content {
    let name: String
    let shape: [Int]
    let type: NumberType
    let count: Int
    let isColumnMajor: Bool

    private var rows: Int { shape[0] }
    private var columns: Int { count / shape[0] }

    func values<Value: BinaryFloatingPoint & BitwiseCopyable>(
        _ bytes: ByteReader
    ) throws(InputError) -> PageBuffer<Value> {
        let values = try PageBuffer<Value>(count: count, hugePages: true)
        let isTransposed = isColumnMajor && columns > 1 && rows > 1
        let read =
            isTransposed
            ? unsafe try readColumns(bytes, into: values.pointer)
            : unsafe try bytes.numbers(count, type, into: values.pointer)
        let excess = read < count ? 0 : try bytes.skipRest()
        if read < count || excess > 0 {
            throw InputError(
                at: name, found: "\(bytes.count - bytes.headerBytes) bytes of numbers",
                expected: "\(count * type.byteCount), for \(NumberArray.text(shape)) numbers of "
                    + (type.byteCount == 1 ? "1 byte" : "\(type.byteCount) bytes"))
        }
        if type.kind == .real, let k = unsafe firstInfinite(values.pointer) {
            throw InputError(
                at: name, found: "an infinite number in row \(k / columns + 1), column \(k % columns + 1)",
                expected: "finite 32-bit floats")
        }
        return values
    }

    /// Reads column by column, a few at a time, so that each row takes whole cache lines; returns how many numbers came.
    private func readColumns<Value: BinaryFloatingPoint & BitwiseCopyable>(
        _ bytes: ByteReader, into values: UnsafeMutablePointer<Value>
    ) throws(InputError) -> Int {
        let (rows, columns) = (rows, columns)
        let width = 16
        let panel = try PageBuffer<Value>(count: rows * min(width, columns))
        var read = 0
        for first in stride(from: 0, to: columns, by: width) {
            let taken = min(width, columns - first)
            read += unsafe try bytes.numbers(rows * taken, type, into: panel.pointer)
            let places = (first..<first + taken).map(place)
            for row in 0..<rows {
                let target = unsafe values + row * columns
                for k in 0..<taken { unsafe target[places[k]] = panel.pointer[k * rows + row] }
            }
        }
        return read
    }

    /// Where column k of a column-major array of several dimensions stands in the row-major one.
    private func place(_ k: Int) -> Int {
        var (rest, place, step) = (k, 0, columns)
        for extent in shape.dropFirst() {
            step /= extent
            place += rest % extent * step
            rest /= extent
        }
        return place
    }

    private func firstInfinite<Value: BinaryFloatingPoint>(_ values: UnsafePointer<Value>) -> Int? {
        for start in stride(from: 0, to: count, by: 4096) {
            let block = start..<min(count, start + 4096)
            var isInfinite = false
            for k in block { unsafe isInfinite = isInfinite || Float(values[k]).magnitude == .infinity }
            if isInfinite { return block.first { unsafe Float(values[$0]).isInfinite } }
        }
        return nil
    }
}

/// The bytes of a file, counted.
@safe final class ByteReader {
    /// Bytes so far, and those of them before the numbers.
    private(set) var count = 0
    private(set) var headerBytes = 0
    /// Whether the numbers are labels, of which what Doubles do not hold is kept.
    var keepsRemainders = false
    private(set) var remainders: [LabelRemainder] = []
    private let decoder: any Decoder
    private let buffer: PageBuffer<UInt8>

    init(_ decoder: any Decoder) throws(InputError) {
        self.decoder = decoder
        // Divisible by the size of every number.
        buffer = try PageBuffer(count: 256 << 10)
    }

    /// The next bytes of the header, fewer than asked for at the end of the file.
    func header(_ wanted: Int) throws(InputError) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < wanted {
            let got = try fill(min(buffer.count, wanted - bytes.count))
            unsafe bytes.append(contentsOf: UnsafeBufferPointer(start: buffer.pointer, count: got))
            if got == 0 { break }
        }
        headerBytes += bytes.count
        return bytes
    }

    /// Converts the next numbers; returns how many there were.
    func numbers<Value: BinaryFloatingPoint>(
        _ wanted: Int, _ type: NumberType, into target: UnsafeMutablePointer<Value>
    ) throws(InputError) -> Int {
        var done = 0
        while done < wanted {
            let bytes = min(buffer.count, (wanted - done) * type.byteCount)
            let got = try fill(bytes)
            unsafe type.convert(got / type.byteCount, at: buffer.pointer, into: target + done)
            if keepsRemainders {
                unsafe remainders += type.remainders(got / type.byteCount, at: buffer.pointer, firstRow: done)
            }
            done += got / type.byteCount
            if got < bytes { break }
        }
        return done
    }

    /// Reads to the end and says how many bytes that were.
    func skipRest() throws(InputError) -> Int {
        let before = count
        while try fill(buffer.count) > 0 {}
        return count - before
    }

    /// Fewer than wanted at the end of the file only.
    private func fill(_ wanted: Int) throws(InputError) -> Int {
        var filled = 0
        while filled < wanted {
            let got = unsafe try decoder.read(into: buffer.pointer + filled, capacity: wanted - filled)
            if got == 0 { break }
            filled += got
        }
        count += filled
        return filled
    }
}
