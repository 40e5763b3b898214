// Sorting by keys of 32 bits, for ranks of scores. The coordinator's thread.

/// Sorts by the upper 32 of the lower 33 bits, in three passes of counting; the bits above are 0, and the lowest says nothing about the order.
public func sortByKey(_ values: inout [UInt64]) {
    let digits = 11
    // Below that the tables cost more than comparing does.
    guard values.count > 1 << digits else {
        values.sort()
        return
    }
    var other = values
    for pass in 0..<3 {
        let shift = UInt64(1 + digits * pass)
        var starts = [Int](repeating: 0, count: 1 << digits)
        for value in values { starts[Int(value >> shift) & (1 << digits - 1)] += 1 }
        var start = 0
        for digit in starts.indices { (starts[digit], start) = (start, start + starts[digit]) }
        for value in values {
            let digit = Int(value >> shift) & (1 << digits - 1)
            other[starts[digit]] = value
            starts[digit] += 1
        }
        swap(&values, &other)
    }
}
