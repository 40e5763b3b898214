// An array from a file as floats in the order of its rows. The reading thread.

internal import Platform

/// An array of at least one dimension; the first counts its rows.
struct NumberArray: ~Copyable {
    /// For messages: the file, or the array in it.
    let name: String
    let shape: [Int]
    let type: NumberType
    /// Row-major; NaN where the file has it.
    var values: PageBuffer<Float>

    var rowCount: Int { shape[0] }
    var columnCount: Int { shape.dropFirst().reduce(1, *) }

    /// Reads what follows the header.
    ///
    /// Throws where the file is shorter than that or has more, or where a number is infinite as a 32-bit float.
    static func read(
        _ name: String, shape: [Int], type: NumberType, isColumnMajor: Bool = false, from bytes: ByteReader
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
        var array = NumberArray(
            name: name, shape: shape, type: type, values: try PageBuffer(count: count, hugePages: true))
        let columns = count / shape[0]
        let isTransposed = isColumnMajor && columns > 1 && shape[0] > 1
        let read =
            isTransposed
            ? try array.readColumns(bytes) : unsafe try bytes.floats(count, type, into: array.values.pointer)
        let excess = read < count ? 0 : try bytes.skipRest()
        if read < count || excess > 0 {
            throw InputError(
                at: name, found: "\(bytes.count - bytes.headerBytes) bytes of numbers",
                expected: "\(count * type.byteCount), for \(text(shape)) numbers of "
                    + (type.byteCount == 1 ? "1 byte" : "\(type.byteCount) bytes"))
        }
        if type.kind == .real, let k = array.firstInfinite() {
            throw InputError(
                at: name, found: "an infinite number in row \(k / columns + 1), column \(k % columns + 1)",
                expected: "finite 32-bit floats")
        }
        return array
    }

    static func text(_ shape: [Int]) -> String { shape.map(String.init).joined(separator: " x ") }

    /// Reads column by column, a few at a time, so that each row takes whole cache lines; returns how many numbers came.
    private mutating func readColumns(_ bytes: ByteReader) throws(InputError) -> Int {
        let (rows, columns, shape) = (rowCount, columnCount, shape)
        let width = 16
        let panel = try PageBuffer<Float>(count: rows * min(width, columns))
        var read = 0
        for first in stride(from: 0, to: columns, by: width) {
            let taken = min(width, columns - first)
            read += unsafe try bytes.floats(rows * taken, type, into: panel.pointer)
            let places = (first..<first + taken).map { Self.place($0, shape: shape) }
            for row in 0..<rows {
                let target = unsafe values.pointer + row * columns
                for k in 0..<taken { unsafe target[places[k]] = panel.pointer[k * rows + row] }
            }
        }
        return read
    }

    /// Where column k of a column-major array of several dimensions stands in the row-major one.
    private static func place(_ k: Int, shape: [Int]) -> Int {
        var (rest, place, step) = (k, 0, shape.dropFirst().reduce(1, *))
        for extent in shape.dropFirst() {
            step /= extent
            place += rest % extent * step
            rest /= extent
        }
        return place
    }

    private func firstInfinite() -> Int? {
        let values = unsafe UnsafeBufferPointer(start: values.pointer, count: values.count)
        for start in stride(from: 0, to: values.count, by: 4096) {
            let block = start..<min(values.count, start + 4096)
            var isInfinite = false
            for k in block { unsafe isInfinite = isInfinite || values[k].magnitude == .infinity }
            if isInfinite { return block.first { unsafe values[$0].isInfinite } }
        }
        return nil
    }
}

/// The bytes of a file, counted.
@safe final class ByteReader {
    /// Bytes so far, and those of them before the numbers.
    private(set) var count = 0
    private(set) var headerBytes = 0
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
    func floats(
        _ wanted: Int, _ type: NumberType, into target: UnsafeMutablePointer<Float>
    ) throws(InputError) -> Int {
        var done = 0
        while done < wanted {
            let bytes = min(buffer.count, (wanted - done) * type.byteCount)
            let got = try fill(bytes)
            unsafe type.convert(got / type.byteCount, at: buffer.pointer, into: target + done)
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
