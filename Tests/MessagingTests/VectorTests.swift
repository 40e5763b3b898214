import Messaging
import Testing

@Suite struct VectorTests {
    private func make(_ values: [Float]) throws -> Vector {
        let vector = try Vector(count: values.count)
        for (i, value) in values.enumerated() { vector[i] = value }
        return vector
    }

    private func values(_ vector: Vector) -> [Float] {
        vector.withSpan { span in (0..<span.count).map { span[$0] } }
    }

    @Test(arguments: [0, 1, 7, 16, 1_000]) func `a vector begins as zeros and computes element by element`(count: Int)
        throws
    {
        let numbers = (0..<count).map { Float($0) - 3 }
        let (x, g) = try (make(numbers), make(numbers.map { 2 * $0 }))
        #expect(try values(Vector(count: count)) == Array(repeating: 0, count: count))
        x.descend(0.5, along: g)
        #expect(values(x) == Array(repeating: 0, count: count))
        x.add(times: g)
        x.scale(by: -0.5)
        #expect(values(x) == numbers.map { -$0 })
        #expect(x.sumOfSquares == numbers.reduce(0) { $0 + Double($1 * $1) })
        x.fill(with: 4)
        x.average(with: g)
        #expect(values(x) == numbers.map { $0 + 2 } && values(g) == values(x))
    }

    @Test func `chunks cover a vector without overlap, and each is changed alone`() throws {
        let x = try Vector(count: 10)
        #expect((0..<4).flatMap { x.chunk($0, of: 4) } == Array(0..<10))
        let ones = try make(Array(repeating: 1, count: 10))
        x.copy(2..<4, from: ones)
        x.add(3, times: ones, in: 3..<5)
        #expect(values(x) == [0, 0, 1, 4, 3, 0, 0, 0, 0, 0])
        x.withMutableSpan { $0[9] = 8 }
        #expect(x[9] == 8)
    }
}
