import Kernels
import Platform
import Testing

@Suite struct MagnitudeSelectorTests {
    /// Vectors whose largest are easy to get wrong: ties, few values, zeros, patterns that a sample could follow, extremes of the range.
    private static func vector(_ kind: Int, count: Int) -> [Float] {
        var stream = RandomStream(seed: 31, step: UInt64(kind))
        return (0..<count).map { i in
            let x = 2 * stream.nextUnitFloat() - 1
            switch kind {
            case 0: return x / (1.01 - abs(x))
            case 1: return 1
            case 2: return x < 0 ? -1 : 1
            case 3: return i % 97 == 0 ? x : 0
            case 4: return i % 32 == 0 ? 0 : x
            case 5: return Float(bitPattern: UInt32(i % 5)) * (x < 0 ? -1 : 1)
            case 6: return i == count / 3 ? 3e38 : x * 1e-30
            default: return (x * 4).rounded()
            }
        }
    }

    private struct Choice: Equatable {
        var places: [Int]
        var values: [Float]
    }

    private static func choice(_ selection: borrowing SparseSelection) -> Choice {
        let blocks = SparseSelection.blockCount(of: selection.count)
        var bytes = [UInt8](
            repeating: 0, count: SparseSelection.placeBytes(count: selection.count, kept: selection.kept))
        bytes.withUnsafeMutableBytes { selection.writePlaces(to: $0.baseAddress!) }
        var choice = Choice(places: [], values: (0..<selection.kept).map { selection.values[$0] })
        bytes.withUnsafeBytes { bytes in
            for block in 0..<blocks {
                for _ in 0..<bytes.load(fromByteOffset: 4 * block, as: UInt32.self) {
                    let at = 4 * blocks + 2 * choice.places.count
                    choice.places.append(
                        block * SparseSelection.block + Int(bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self)))
                }
            }
        }
        return choice
    }

    private static func reference(_ x: [Float], _ k: Int) -> Choice {
        let order = x.indices.sorted { abs(x[$0]) > abs(x[$1]) || abs(x[$0]) == abs(x[$1]) && $0 < $1 }
        let places = order.prefix(k).sorted()
        return Choice(places: places, values: places.map { x[$0] })
    }

    @Test(arguments: [1, 9, 513, 5_000])
    func `exactly the k largest are chosen, of equal ones the first, whatever the floats`(count: Int) throws {
        for kind in 0..<8 {
            let x = Self.vector(kind, count: count)
            for k in Set([1, max(1, count / 100), max(1, count / 2), count]) {
                var selector = try MagnitudeSelector(count: count, largest: k)
                x.withUnsafeBufferPointer { selector.chooseLargest(k, of: $0.baseAddress!, feedback: nil, factor: 0) }
                #expect(Self.choice(selector.selection) == Self.reference(x, k), "kind \(kind), \(k) of \(count)")
            }
        }
    }

    @Test func `blocks have places of their own`() throws {
        let count = SparseSelection.block + 5_000
        var x = [Float](repeating: 0.5, count: count)
        for i in stride(from: 3, to: count, by: 1_000) { x[i] = Float(i) }
        x[SparseSelection.block - 1] = -7
        x[SparseSelection.block] = 8
        // Some of what is larger, all of it, and the first of the others too.
        for k in [5, 72, 100] {
            var selector = try MagnitudeSelector(count: count, largest: k)
            x.withUnsafeBufferPointer { selector.chooseLargest(k, of: $0.baseAddress!, feedback: nil, factor: 0) }
            #expect(Self.choice(selector.selection) == Self.reference(x, k), "\(k)")
        }
    }

    /// Sizes below and above what is sampled, and one with a block and a bit; ties beyond those chosen, so that the residual has some too.
    @Test(arguments: [70, 4_500, SparseSelection.block + 3_000])
    func `what was chosen is not of the residual, which is added at the next choice`(count: Int) throws {
        try checkResidual(count: count, .baseline)
    }

    @Test(
        .enabled(if: InstructionSet.avx512.isAvailable, "no AVX-512 here"),
        arguments: [70, 4_500, SparseSelection.block + 3_000])
    func `with AVX-512, too, what was chosen is not of the residual`(count: Int) throws {
        try checkResidual(count: count, .avx512)
    }

    private func checkResidual(count: Int, _ instructions: InstructionSet) throws {
        let k = count / 30
        for kind in [0, 1, 2, 3, 7] {
            var selector = try MagnitudeSelector(count: count, largest: k, instructions: instructions)
            var memory = [Float](repeating: 0, count: selector.feedbackCount)
            var residual = [Float](repeating: 0, count: count)
            for t in 0..<4 {
                let x = Self.vector(kind, count: count)
                let v = zip(x, residual).map { $0.addingProduct($1, 0.25) }
                let expected = Self.reference(v, k)
                residual = v
                for place in expected.places { residual[place] = 0 }
                x.withUnsafeBufferPointer { x in
                    memory.withUnsafeMutableBufferPointer {
                        selector.chooseLargest(k, of: x.baseAddress!, feedback: $0.baseAddress!, factor: 0.25)
                        if t == 2 { selector.settle($0.baseAddress!) }
                    }
                }
                #expect(Self.choice(selector.selection) == expected, "kind \(kind), choice \(t)")
                if t == 2 { #expect(memory == residual + [0, 0, 0]) }
            }
        }
    }
}
