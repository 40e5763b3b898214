// The labels of a data set. Written by the reading thread, read by all afterwards.

internal import Platform

/// A label for each row: floats for hot loops, and what the file says where floats do not hold that.
final class LabelPages: Sendable {
    let buffer: PageBuffer<Float>
    private let exact: ExactLabels?

    /// Labels that are these floats.
    init(_ buffer: consuming PageBuffer<Float>) {
        self.buffer = buffer
        exact = nil
    }

    /// Labels of a file; memory beyond the floats is kept only where these do not hold all of them.
    convenience init(
        _ values: consuming PageBuffer<Double>, remainders: [LabelRemainder] = []
    ) throws(InputError) {
        let buffer = try PageBuffer<Float>(count: values.count)
        var isExact = remainders.isEmpty
        for row in 0..<values.count {
            let value = unsafe values.pointer[row]
            unsafe buffer.pointer[row] = Float(value)
            isExact = unsafe isExact && Double(buffer.pointer[row]) == value
        }
        if isExact {
            self.init(buffer)
            return
        }
        let rest = try PageBuffer<Int16>(count: remainders.isEmpty ? 0 : values.count)
        for remainder in remainders { unsafe rest.pointer[remainder.row] = remainder.remainder }
        self.init(buffer, ExactLabels(values: values, remainders: rest))
    }

    /// Labels with what was kept of them.
    init(_ buffer: consuming PageBuffer<Float>, _ exact: ExactLabels?) {
        self.buffer = buffer
        self.exact = exact
    }

    var count: Int { buffer.count }

    subscript(row: Int) -> Label {
        guard let exact else { return unsafe Label(Double(buffer.pointer[row])) }
        let remainder = unsafe exact.remainders.count == 0 ? 0 : exact.remainders.pointer[row]
        return unsafe Label(exact.values.pointer[row], remainder: remainder)
    }

    /// The labels as Doubles, where floats do not hold them.
    var doubles: UnsafePointer<Double>? { unsafe exact.map { unsafe UnsafePointer($0.values.pointer) } }

    /// What whole numbers beyond 2^53 are above these.
    var remainders: UnsafeBufferPointer<Int16> {
        unsafe exact.map { unsafe UnsafeBufferPointer(start: $0.remainders.pointer, count: $0.remainders.count) }
            ?? UnsafeBufferPointer(start: nil, count: 0)
    }

    /// Bytes of memory.
    var byteCount: Int { 4 * count + (exact.map { 8 * count + 2 * $0.remainders.count } ?? 0) }

    /// Some of the labels, in this order.
    func copy(_ count: Int, row: (Int) -> Int) throws(InputError) -> LabelPages {
        let copied = try PageBuffer<Float>(count: count)
        for k in 0..<count { unsafe copied.pointer[k] = buffer.pointer[row(k)] }
        guard let exact else { return LabelPages(copied) }
        let values = try PageBuffer<Double>(count: count)
        let remainders = try PageBuffer<Int16>(count: exact.remainders.count == 0 ? 0 : count)
        for k in 0..<count { unsafe values.pointer[k] = exact.values.pointer[row(k)] }
        for k in 0..<remainders.count { unsafe remainders.pointer[k] = exact.remainders.pointer[row(k)] }
        return LabelPages(copied, ExactLabels(values: values, remainders: remainders))
    }
}

/// Labels that floats do not hold.
final class ExactLabels: Sendable {
    let values: PageBuffer<Double>
    /// One per label, or none at all.
    let remainders: PageBuffer<Int16>

    init(values: consuming PageBuffer<Double>, remainders: consuming PageBuffer<Int16>) {
        self.values = values
        self.remainders = remainders
    }
}

/// A whole number beyond 2^53 that is no Double.
struct LabelRemainder {
    var row: Int
    /// As `Label` has it.
    let remainder: Int16
}
