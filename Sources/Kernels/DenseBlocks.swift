// Blocks of dense rows: what stands beside the matrix products of a minibatch. Each worker thread runs these on memory of its own.

/// Copies `count` rows of `width` floats, `stride` floats apart at the source, into one contiguous block.
public func gatherRows(
    into block: UnsafeMutablePointer<Float>, from source: UnsafePointer<Float>, stride: Int, width: Int,
    rows: UnsafePointer<Int>, count: Int
) {
    for i in 0..<count {
        // Rows in random order: the processor's own prefetcher notices each only after its first lines have come.
        if i + 2 < count {
            let later = unsafe source + rows[i + 2] * stride
            for line in Swift.stride(from: 0, to: min(width, 128), by: 16) { unsafe prefetchForReading(later + line) }
        }
        unsafe (block + i * width).update(from: source + rows[i] * stride, count: width)
    }
}

/// Writes `row` (`width` floats) into each of `count` rows of a contiguous block.
public func fillRows(
    _ block: UnsafeMutablePointer<Float>, with row: UnsafePointer<Float>, width: Int, count: Int
) {
    for i in 0..<count { unsafe (block + i * width).update(from: row, count: width) }
}

/// sums[j] += the sum of column j of a contiguous block of `count` rows of `width` floats, added up in double precision.
public func addColumnSums(
    into sums: UnsafeMutablePointer<Float>, _ block: UnsafePointer<Float>, width: Int, count: Int
) {
    // So many columns that their sums stay in the first-level cache.
    let columns = 512
    unsafe withUnsafeTemporaryAllocation(of: Double.self, capacity: min(width, columns)) { memory in
        let totals = memory.baseAddress!
        for start in stride(from: 0, to: width, by: columns) {
            let size = min(columns, width - start)
            for j in 0..<size { unsafe totals[j] = Double(sums[start + j]) }
            for i in 0..<count {
                let row = unsafe block + (i * width + start)
                for j in 0..<size { unsafe totals[j] += Double(row[j]) }
            }
            for j in 0..<size { unsafe sums[start + j] = Float(totals[j]) }
        }
    }
}

/// target[i] += scale * source[i] for `count` elements; the two do not overlap.
public func addScaled(
    into target: UnsafeMutablePointer<Float>, _ source: UnsafePointer<Float>, scale: Float, count: Int
) {
    for i in 0..<count { unsafe target[i] = target[i].addingProduct(scale, source[i]) }
}

/// target[i] += scale * source[i] in double precision, for `count` elements.
public func addScaled(
    into target: UnsafeMutablePointer<Double>, _ source: UnsafePointer<Float>, scale: Double, count: Int
) {
    for i in 0..<count { unsafe target[i] += scale * Double(source[i]) }
}
