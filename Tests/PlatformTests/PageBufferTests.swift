import Platform
import Testing

@Suite struct PageBufferTests {
    @Test(arguments: [0, 1, 1023, 1024, 1025])
    func `a new buffer is zero`(count: Int) throws {
        let buffer = try PageBuffer<Float>(count: count)
        #expect(buffer.count == count)
        #expect((0..<count).allSatisfy { unsafe buffer.pointer[$0] == 0 })
    }

    @Test func `growing keeps the elements, adds zeros and copies nothing that would have to be committed`() throws {
        var buffer = try PageBuffer<UInt32>(count: 100)
        for i in 0..<100 { unsafe buffer.pointer[i] = UInt32(i) }
        // 1 GiB of address space: only touched pages cost memory.
        try buffer.resize(to: 1 << 28)
        #expect(buffer.count == 1 << 28)
        #expect((0..<100).allSatisfy { unsafe buffer.pointer[$0] == UInt32($0) })
        #expect(buffer.pointer[(1 << 28) - 1] == 0)
    }

    @Test func `elements cut off by shrinking are zero when the buffer grows again`() throws {
        var buffer = try PageBuffer<UInt64>(count: 2000)
        for i in 0..<2000 { unsafe buffer.pointer[i] = 1 }
        try buffer.resize(to: 10)
        try buffer.resize(to: 2000)
        #expect((0..<2000).allSatisfy { unsafe buffer.pointer[$0] == ($0 < 10 ? 1 : 0) })
    }

    @Test(arguments: [1 << 60, Int.max / 8, Int.max])
    func `a size that cannot be is refused with the size`(count: Int) {
        let error = #expect(throws: InputError.self) { _ = try PageBuffer<UInt64>(count: count) }
        #expect(error?.place == "memory")
    }

    @Test func `touched pages lie on the node to which they are bound`() throws {
        let buffer = try PageBuffer<UInt8>(count: 5 << 20, hugePages: true)
        buffer.bind(0..<buffer.count, toNode: 0)
        #expect(buffer.nodes(ofPagesIn: 0..<buffer.count).isEmpty)
        unsafe buffer.pointer[12345] = 1
        let nodes = buffer.nodes(ofPagesIn: 0..<buffer.count)
        #expect(nodes == (NUMA.isAvailable ? [0] : []))
    }
}
