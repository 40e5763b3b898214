import Kernels
import Testing

@Suite struct VectorKernelTests {
    @Test(arguments: [0, 1, 7, 8, 9, 31, 1_024, 2_500])
    func `kernels agree with a plain sum in the order of the vectors`(
        count: Int
    ) {
        var stream = RandomStream(seed: UInt64(count))
        for vectorCount in 1...5 {
            var inputs: [[Float]] = []
            for _ in 0..<vectorCount { inputs.append((0...count).map { _ in stream.nextUnitFloat() - 0.5 }) }
            let expected = (0..<count).map { (i: Int) -> Float in
                inputs.dropFirst().reduce(inputs[0][i]) { (sum: Float, next: [Float]) -> Float in sum + next[i] }
            }

            let storage = UnsafeMutableBufferPointer<Float>.allocate(capacity: vectorCount * (count + 1))
            defer { storage.deallocate() }
            _ = storage.initialize(from: inputs.joined())
            let vectors = (0..<vectorCount).map { storage.baseAddress! + $0 * (count + 1) }
            vectors.withUnsafeBufferPointer { addAll($0, count: count) }
            for (vector, input) in zip(vectors, inputs) {
                #expect(Array(UnsafeBufferPointer(start: vector, count: count)) == expected)
                // Beyond the count nothing is touched.
                #expect(vector[count] == input[count])
            }

            var sum = inputs[0]
            for input in inputs.dropFirst() {
                sum.withUnsafeMutableBufferPointer { sum in
                    input.withUnsafeBufferPointer { add(into: sum.baseAddress!, from: $0.baseAddress!, count: count) }
                }
            }
            #expect(Array(sum[..<count]) == expected && sum[count] == inputs[0][count])

            var target = [Float](repeating: 7, count: count + 1)
            target.withUnsafeMutableBufferPointer { target in
                sum.withUnsafeBufferPointer {
                    copy(into: target.baseAddress!, from: $0.baseAddress!, count: count)
                }
            }
            #expect(Array(target[..<count]) == expected && target[count] == 7)
        }
    }

    @Test func `a vector longer than a cache is copied whole, and nothing beyond it`() {
        let count = (1 << 18) + 37
        let source = (0..<count).map { Float($0) }
        var target = [Float](repeating: -1, count: count + 1)
        target.withUnsafeMutableBufferPointer { target in
            source.withUnsafeBufferPointer {
                copy(into: target.baseAddress!, from: $0.baseAddress!, count: count)
            }
        }
        #expect(Array(target[..<count]) == source && target[count] == -1)
    }

    @Test(arguments: [0, 1, 15, 16, 17, 200])
    func `a copy past the caches and a plain read miss nothing and touch nothing else`(count: Int) {
        var stream = RandomStream(seed: UInt64(count))
        let input = (0...count).map { _ in stream.nextUnitFloat() - 0.5 }
        let expected = input.dropLast().reduce(0) { $0 + Double($1) }
        #expect(input.withUnsafeBufferPointer { abs(Double(sum($0.baseAddress!, count: count)) - expected) } < 1e-5)
        // At every distance from the start of a cache line.
        let target = UnsafeMutableBufferPointer<Float>.allocate(capacity: count + 18)
        defer { target.deallocate() }
        for offset in 1...16 {
            target.initialize(repeating: 9)
            input.withUnsafeBufferPointer {
                copyPastCaches(into: target.baseAddress! + offset, from: $0.baseAddress!, count: count)
            }
            #expect(target[offset - 1] == 9 && target[offset + count] == 9)
            #expect(Array(target[offset..<offset + count]) == Array(input.dropLast()))
        }
    }
}
