import Kernels
import Platform
import Synchronization
import Testing

@Suite struct ReplicaMergeTests {
    /// As the kernels say it: x = t + (w - b), or w where nobody else has changed t.
    private static func plain(_ t: [Float], _ w: [Float], _ b: [Float]) -> [Float] {
        zip(t, zip(w, b)).map { t, rest in t == rest.1 ? rest.0 : t + (rest.0 - rest.1) }
    }

    private static func atomics(_ buffer: borrowing PageBuffer<Float>) -> ParameterPointer {
        UnsafeMutableRawPointer(buffer.pointer).assumingMemoryBound(to: Atomic<Float>.self)
    }

    private static func values(_ buffer: borrowing PageBuffer<Float>) -> [Float] {
        (0..<buffer.count).map { buffer.pointer[$0] }
    }

    private static func buffer(_ values: [Float]) throws -> PageBuffer<Float> {
        let buffer = try PageBuffer<Float>(count: values.count)
        for (i, x) in values.enumerated() { buffer.pointer[i] = x }
        return buffer
    }

    @Test(arguments: [0, 1, 7, 8, 15, 16, 17, 40, 1_000], [false, true])
    func `a merge adds the changes and takes the sum back`(count: Int, isShared: Bool) throws {
        var stream = RandomStream(seed: UInt64(count))
        let base = (0..<count).map { _ in stream.nextUnitFloat() - 0.5 }
        let total = base.map { stream.next(upperBound: 3) == 0 ? $0 : $0 + stream.nextUnitFloat() }
        let own = base.map { stream.next(upperBound: 3) == 0 ? $0 : $0 - 3 * stream.nextUnitFloat() }
        let t = try Self.buffer(total)
        let w = try Self.buffer(own)
        let b = try Self.buffer(base)
        if isShared {
            mergeSharedChanges(into: t.pointer, from: Self.atomics(w), since: b.pointer, count: count)
        } else {
            mergeChanges(into: t.pointer, from: w.pointer, since: b.pointer, count: count)
        }
        let expected = Self.plain(total, own, base)
        #expect(Self.values(t) == expected && Self.values(w) == expected && Self.values(b) == expected)
    }

    @Test(arguments: [false, true]) func `lines are merged that either side has changed, and no others`(isShared: Bool)
        throws
    {
        let lines = 64
        let base = (0..<lines * lineFloats).map { Float($0 % 97) }
        var (total, own) = (base, base)
        let marks = try PageBuffer<UInt8>(count: lines)
        let stamps = try PageBuffer<UInt32>(count: lines)
        for line in stride(from: 0, to: lines, by: 5) {
            own[line * lineFloats + line % lineFloats] += 1
            marks.pointer[line] = 1
        }
        for line in stride(from: 0, to: lines, by: 7) {
            total[line * lineFloats + (line + 1) % lineFloats] += 2
            stamps.pointer[line] = 9
        }
        // Changed before the replica was merged last: it knows them.
        for line in stride(from: 1, to: lines, by: 7) { stamps.pointer[line] = 8 }
        // Not marked: not to be seen.
        own[lineFloats] += 50
        let t = try Self.buffer(total)
        let w = try Self.buffer(own)
        let b = try Self.buffer(base)
        let merge = LineMerge(
            into: t.pointer, from: Self.atomics(w), since: b.pointer,
            marks: UnsafeMutableRawPointer(marks.pointer).assumingMemoryBound(to: Atomic<UInt8>.self),
            stamps: stamps.pointer, isShared: isShared)
        let merged = merge.merge(0..<lines, seen: 8, version: 10)
        let due = (0..<lines).filter { $0 % 5 == 0 || $0 % 7 == 0 }
        #expect(merged == due.count)
        var expected = Self.plain(total, own, base)
        expected[lineFloats] = base[lineFloats]
        #expect(Self.values(t) == expected && Self.values(b) == expected)
        expected[lineFloats] += 50
        #expect(Self.values(w) == expected)
        for line in 0..<lines {
            #expect(marks.pointer[line] == 0)
            let before: UInt32 = line % 7 == 0 ? 9 : line % 7 == 1 ? 8 : 0
            #expect(stamps.pointer[line] == (line % 5 == 0 ? 10 : before))
        }
    }

    @Test func `marks are those of the lines of the coordinates`() throws {
        let marks = try PageBuffer<UInt8>(count: 8)
        let indices: [UInt32] = [0, 15, 16, 127]
        markLines(
            UnsafeMutableRawPointer(marks.pointer).assumingMemoryBound(to: Atomic<UInt8>.self), indices, indices.count)
        #expect((0..<8).map { marks.pointer[$0] } == [1, 1, 0, 0, 0, 0, 0, 1])
    }
}
