/// Memory of its own with a pattern before and behind it that a codec must leave alone.
///
/// On the heap in one piece, so that AddressSanitizer sees what goes beyond the guards.
final class GuardedBytes {
    private static let guardBytes = 128
    private static let pattern: UInt8 = 0xA7

    let byteCount: Int
    private let base: UnsafeMutableRawPointer

    init(byteCount: Int, fill: UInt8 = 0) {
        self.byteCount = byteCount
        base = .allocate(byteCount: byteCount + 2 * Self.guardBytes, alignment: 64)
        base.initializeMemory(as: UInt8.self, repeating: Self.pattern, count: byteCount + 2 * Self.guardBytes)
        start.initializeMemory(as: UInt8.self, repeating: fill, count: byteCount)
    }

    convenience init(_ vector: [Float]) {
        self.init(byteCount: 4 * vector.count)
        vector.withUnsafeBytes { start.copyMemory(from: $0.baseAddress!, byteCount: vector.isEmpty ? 0 : $0.count) }
    }

    deinit { base.deallocate() }

    var start: UnsafeMutableRawPointer { base + Self.guardBytes }

    var floats: [Float] { (0..<byteCount / 4).map { start.load(fromByteOffset: 4 * $0, as: Float.self) } }

    var bytes: [UInt8] { (0..<byteCount).map { start.load(fromByteOffset: $0, as: UInt8.self) } }

    var isUnharmed: Bool {
        (0..<Self.guardBytes).allSatisfy {
            base.load(fromByteOffset: $0, as: UInt8.self) == Self.pattern
                && start.load(fromByteOffset: byteCount + $0, as: UInt8.self) == Self.pattern
        }
    }
}
