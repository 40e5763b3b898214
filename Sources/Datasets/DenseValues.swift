// The numbers of a dense data set. Written by the reading thread, read by all afterwards.

internal import Platform

/// A row-major matrix: of floats, or of Doubles, so that columns can be centred before they are narrowed.
enum DenseValues: Sendable {
    case floats(ValuePages<Float>)
    case doubles(ValuePages<Double>)

    var count: Int {
        switch self {
        case .floats(let pages): pages.buffer.count
        case .doubles(let pages): pages.buffer.count
        }
    }

    /// Bytes of memory.
    var byteCount: Int {
        switch self {
        case .floats(let pages): 4 * pages.buffer.count
        case .doubles(let pages): 8 * pages.buffer.count
        }
    }

    subscript(place: Int) -> Double {
        switch self {
        case .floats(let pages): unsafe Double(pages.buffer.pointer[place])
        case .doubles(let pages): unsafe pages.buffer.pointer[place]
        }
    }

    /// Some of the rows, in this order.
    func copy(_ count: Int, width: Int, row: (Int) -> Int) throws(InputError) -> DenseValues {
        switch self {
        case .floats(let pages): .floats(try pages.copy(count, width: width, row: row))
        case .doubles(let pages): .doubles(try pages.copy(count, width: width, row: row))
        }
    }

    /// As Float, each the nearest.
    func narrowed() throws(InputError) -> DenseValues {
        guard case .doubles(let pages) = self else { return self }
        let narrow = try PageBuffer<Float>(count: count)
        for k in 0..<count { unsafe narrow.pointer[k] = Float(pages.buffer.pointer[k]) }
        return .floats(ValuePages(narrow))
    }

    func bind(_ ranges: NodeRanges) {
        switch self {
        case .floats(let pages): pages.buffer.bind(ranges)
        case .doubles(let pages): pages.buffer.bind(ranges)
        }
    }
}

/// The pages of a matrix, shared by the views of one data set.
final class ValuePages<Value: BitwiseCopyable & BinaryFloatingPoint & Sendable>: Sendable {
    let buffer: PageBuffer<Value>

    init(_ buffer: consuming PageBuffer<Value>) {
        self.buffer = buffer
    }

    fileprivate func copy(_ count: Int, width: Int, row: (Int) -> Int) throws(InputError) -> ValuePages {
        let copied = try PageBuffer<Value>(count: count * width)
        for k in 0..<count {
            unsafe (copied.pointer + k * width).update(from: buffer.pointer + row(k) * width, count: width)
        }
        return ValuePages(copied)
    }
}
