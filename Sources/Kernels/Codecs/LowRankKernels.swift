// The products of the low-rank codec: a tall pass over the matrix, twice, and small dense work beside it. One thread.
//
// Shape: a tile of four rows by two vectors, eight accumulators of eight lanes, so that six loads feed eight multiply-adds and
// the matrix is read once for every two vectors. Where rows or vectors run out, the last one is repeated: the work is wasted, no
// path is added. The matrix lies row by row and is short of its last row's end by any number of elements, which count as zeros.
// The factors lie vector by vector.

/// A matrix of `rows` x `columns` whose first `count` elements, row by row, are given and whose others are zeros.
@frozen @unsafe public struct PaddedMatrix {
    public let elements: UnsafePointer<Float>
    public let rows: Int
    public let columns: Int
    /// The last row, padded; the rows before it lie in `elements`.
    public let lastRow: UnsafePointer<Float>

    /// Copies the last row to `lastRow`, which has room for `columns` elements.
    ///
    /// (rows - 1) * columns < count <= rows * columns.
    public init(
        _ elements: UnsafePointer<Float>, count: Int, rows: Int, columns: Int, lastRow: UnsafeMutablePointer<Float>
    ) {
        let start = (rows - 1) * columns
        unsafe lastRow.update(from: elements + start, count: count - start)
        unsafe (lastRow + (count - start)).update(repeating: 0, count: columns - (count - start))
        unsafe self.elements = elements
        unsafe self.rows = rows
        unsafe self.columns = columns
        unsafe self.lastRow = UnsafePointer(lastRow)
    }

    /// The row of an index; indices beyond the last mean the last.
    @inline(__always) func row(_ i: Int) -> UnsafeRawPointer {
        unsafe UnsafeRawPointer(i < rows - 1 ? elements + i * columns : lastRow)
    }
}

/// products[k * rows + i] = sum over j of matrix[i, j] * vectors[k * columns + j], for `rank` vectors.
public func multiply(
    _ matrix: PaddedMatrix, by vectors: UnsafePointer<Float>, rank: Int, into products: UnsafeMutablePointer<Float>
) {
    let (rows, columns) = unsafe (matrix.rows, matrix.columns)
    var i = 0
    while i < rows {
        let (row0, row1) = unsafe (matrix.row(i), matrix.row(i + 1))
        let (row2, row3) = unsafe (matrix.row(i + 2), matrix.row(i + 3))
        var k = 0
        while k < rank {
            let second = min(k + 1, rank - 1)
            let a = unsafe UnsafeRawPointer(vectors + k * columns)
            let b = unsafe UnsafeRawPointer(vectors + second * columns)
            var (a0, a1, a2, a3) = (SIMD8<Float>(), SIMD8<Float>(), SIMD8<Float>(), SIMD8<Float>())
            var (b0, b1, b2, b3) = (SIMD8<Float>(), SIMD8<Float>(), SIMD8<Float>(), SIMD8<Float>())
            var j = 0
            while j &+ 8 <= columns {
                let (u, v) = unsafe (load8(a, j), load8(b, j))
                let (m0, m1) = unsafe (load8(row0, j), load8(row1, j))
                a0.addProduct(m0, u)
                b0.addProduct(m0, v)
                a1.addProduct(m1, u)
                b1.addProduct(m1, v)
                let (m2, m3) = unsafe (load8(row2, j), load8(row3, j))
                a2.addProduct(m2, u)
                b2.addProduct(m2, v)
                a3.addProduct(m3, u)
                b3.addProduct(m3, v)
                j &+= 8
            }
            var sums = SIMD8(
                laneSum(a0), laneSum(a1), laneSum(a2), laneSum(a3), laneSum(b0), laneSum(b1), laneSum(b2), laneSum(b3))
            while j < columns {
                let m = unsafe SIMD4(
                    row0.load(fromByteOffset: 4 &* j, as: Float.self),
                    row1.load(fromByteOffset: 4 &* j, as: Float.self),
                    row2.load(fromByteOffset: 4 &* j, as: Float.self), row3.load(fromByteOffset: 4 &* j, as: Float.self)
                )
                let u = unsafe SIMD4(repeating: a.load(fromByteOffset: 4 &* j, as: Float.self))
                let v = unsafe SIMD4(repeating: b.load(fromByteOffset: 4 &* j, as: Float.self))
                sums.addProduct(SIMD8(lowHalf: m, highHalf: m), SIMD8(lowHalf: u, highHalf: v))
                j &+= 1
            }
            for r in 0..<min(4, rows - i) {
                unsafe products[k * rows + i + r] = sums[r]
                unsafe products[second * rows + i + r] = second == k ? sums[r] : sums[4 + r]
            }
            k += 2
        }
        i += 4
    }
}

/// products[k * columns + j] = sum over i of matrix[i, j] * vectors[k * rows + i], for `rank` vectors.
public func multiplyTransposed(
    _ matrix: PaddedMatrix, by vectors: UnsafePointer<Float>, rank: Int, into products: UnsafeMutablePointer<Float>
) {
    let (rows, columns) = unsafe (matrix.rows, matrix.columns)
    unsafe products.update(repeating: 0, count: rank * columns)
    var i = 0
    while i < rows {
        let (row0, row1) = unsafe (matrix.row(i), matrix.row(i + 1))
        let (row2, row3) = unsafe (matrix.row(i + 2), matrix.row(i + 3))
        let present = min(4, rows - i)
        var k = 0
        while k < rank {
            let second = min(k + 1, rank - 1)
            // A repeated row counts once.
            var u = SIMD4<Float>()
            var v = SIMD4<Float>()
            for r in 0..<present {
                unsafe u[r] = vectors[k * rows + i + r]
                unsafe v[r] = vectors[second * rows + i + r]
            }
            let a = unsafe UnsafeMutableRawPointer(products + k * columns)
            let b = unsafe UnsafeMutableRawPointer(products + second * columns)
            let (u0, u1) = (SIMD8(repeating: u.x), SIMD8(repeating: u.y))
            let (u2, u3) = (SIMD8(repeating: u.z), SIMD8(repeating: u.w))
            let (v0, v1) = (SIMD8(repeating: v.x), SIMD8(repeating: v.y))
            let (v2, v3) = (SIMD8(repeating: v.z), SIMD8(repeating: v.w))
            var j = 0
            while j &+ 8 <= columns {
                let (m0, m1) = unsafe (load8(row0, j), load8(row1, j))
                let (m2, m3) = unsafe (load8(row2, j), load8(row3, j))
                let (oldA, oldB) = unsafe (load8(a, j), load8(b, j))
                let first = oldA.addingProduct(m0, u0).addingProduct(m1, u1)
                let other = oldB.addingProduct(m0, v0).addingProduct(m1, v1)
                unsafe store8(first.addingProduct(m2, u2).addingProduct(m3, u3), a, j)
                unsafe store8(other.addingProduct(m2, v2).addingProduct(m3, v3), b, j)
                j &+= 8
            }
            while j < columns {
                let m = unsafe SIMD4(
                    row0.load(fromByteOffset: 4 &* j, as: Float.self),
                    row1.load(fromByteOffset: 4 &* j, as: Float.self),
                    row2.load(fromByteOffset: 4 &* j, as: Float.self), row3.load(fromByteOffset: 4 &* j, as: Float.self)
                )
                var pair = unsafe SIMD2(products[k * columns + j], products[second * columns + j])
                for r in 0..<4 { pair.addProduct(SIMD2(repeating: m[r]), SIMD2(u[r], v[r])) }
                unsafe products[k * columns + j] = pair.x
                unsafe products[second * columns + j] = pair.y
                j &+= 1
            }
            k += 2
        }
        i += 4
    }
}

/// target[i, j] = sum over k of left[k * rows + i] * right[k * columns + j], or added to it times `scale`, for the first `count`
/// elements of a matrix of `rows` x `columns`.
public func expandFactors(
    left: UnsafePointer<Float>, right: UnsafePointer<Float>, rank: Int, rows: Int, columns: Int,
    into target: UnsafeMutablePointer<Float>, count: Int, adding scale: Float?
) {
    for i in 0..<rows {
        let width = min(columns, count - i * columns)
        let row = unsafe UnsafeMutableRawPointer(target + i * columns)
        var j = 0
        while j &+ 32 <= width {
            var (s0, s1, s2, s3) = (SIMD8<Float>(), SIMD8<Float>(), SIMD8<Float>(), SIMD8<Float>())
            for k in 0..<rank {
                let p = unsafe SIMD8(repeating: left[k &* rows &+ i])
                let q = unsafe UnsafeRawPointer(right + (k &* columns &+ j))
                unsafe s0.addProduct(p, load8(q, 0))
                unsafe s1.addProduct(p, load8(q, 8))
                unsafe s2.addProduct(p, load8(q, 16))
                unsafe s3.addProduct(p, load8(q, 24))
            }
            if let scale {
                unsafe s0 = load8(row, j) + scale * s0
                unsafe s1 = load8(row, j &+ 8) + scale * s1
                unsafe s2 = load8(row, j &+ 16) + scale * s2
                unsafe s3 = load8(row, j &+ 24) + scale * s3
            }
            unsafe store8(s0, row, j)
            unsafe store8(s1, row, j &+ 8)
            unsafe store8(s2, row, j &+ 16)
            unsafe store8(s3, row, j &+ 24)
            j &+= 32
        }
        while j < width {
            var sum: Float = 0
            for k in 0..<rank { unsafe sum.addProduct(left[k &* rows &+ i], right[k &* columns &+ j]) }
            let at = i * columns + j
            unsafe target[at] = if let scale { unsafe target[at] + scale * sum } else { sum }
            j &+= 1
        }
    }
}

/// `expandFactors` where sums may overflow: in doubles, and what a float does not hold becomes its largest magnitude.
public func expandLargeFactors(
    left: UnsafePointer<Float>, right: UnsafePointer<Float>, rank: Int, rows: Int, columns: Int,
    into target: UnsafeMutablePointer<Float>, count: Int, adding scale: Float?
) {
    let limit = Double(Float.greatestFiniteMagnitude)
    for at in 0..<count {
        let (i, j) = (at / columns, at % columns)
        var sum = 0.0
        for k in 0..<rank { unsafe sum += Double(left[k * rows + i]) * Double(right[k * columns + j]) }
        let value = Float(max(-limit, min(limit, sum)))
        unsafe target[at] = if let scale { unsafe target[at] + scale * value } else { value }
    }
}

/// Makes `rank` vectors of `length` floats orthonormal in their order; one that depends on those before it becomes zero.
///
/// Modified Gram-Schmidt, twice over: once leaves an error that grows with the vectors' dependence. Each vector is first brought to
/// a size at which squares neither overflow nor vanish.
public func orthonormalize(_ vectors: UnsafeMutablePointer<Float>, rank: Int, length: Int) {
    for k in 0..<rank {
        let vector = unsafe vectors + k * length
        guard unsafe scaleToUnitMaximum(vector, length) else { continue }
        let before = unsafe dot(vector, vector, length)
        for _ in 0..<2 {
            for other in 0..<k {
                let earlier = unsafe vectors + other * length
                unsafe add(-dot(vector, earlier, length), earlier, to: vector, length)
            }
        }
        let after = unsafe dot(vector, vector, length)
        // What is left of a dependent vector is rounding: its square is about 2^-46 of what it was, times the length.
        let isDependent = after <= before * 0x1p-36
        unsafe multiply(vector, by: isDependent ? 0 : 1 / after.squareRoot(), length)
    }
}

/// Scales a vector so that its largest magnitude is about 1; false where it is zero.
private func scaleToUnitMaximum(_ vector: UnsafeMutablePointer<Float>, _ length: Int) -> Bool {
    var largest = unsafe largestMagnitude(vector, count: length)
    guard largest > 0 else { return false }
    if largest < 0x1p-60 {
        unsafe multiply(vector, by: 0x1p90, length)
        largest *= 0x1p90
    }
    unsafe multiply(vector, by: 1 / largest, length)
    return true
}

private func multiply(_ vector: UnsafeMutablePointer<Float>, by factor: Float, _ length: Int) {
    for i in 0..<length { unsafe vector[i] *= factor }
}

private func add(_ factor: Float, _ source: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>, _ length: Int)
{
    for i in 0..<length { unsafe target[i].addProduct(factor, source[i]) }
}

private func dot(_ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ length: Int) -> Float {
    let (a, b) = unsafe (UnsafeRawPointer(x), UnsafeRawPointer(y))
    var (even, odd) = (SIMD8<Float>(), SIMD8<Float>())
    var i = 0
    while i &+ 16 <= length {
        unsafe even.addProduct(load8(a, i), load8(b, i))
        unsafe odd.addProduct(load8(a, i &+ 8), load8(b, i &+ 8))
        i &+= 16
    }
    var sum = laneSum(even + odd)
    while i < length {
        unsafe sum.addProduct(x[i], y[i])
        i &+= 1
    }
    return sum
}
