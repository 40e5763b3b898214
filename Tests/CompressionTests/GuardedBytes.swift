import Glibc

/// Memory of its own that a codec must not leave.
///
/// Before and behind it lies a pattern. Under AddressSanitizer there is none: what lies there is then forbidden to read, too.
final class GuardedBytes {
    private static let guardBytes = dlsym(nil, "__asan_init") == nil ? 128 : 0
    private static let pattern: UInt8 = 0xA7

    let byteCount: Int
    private let base: UnsafeMutableRawPointer
    let start: UnsafeMutableRawPointer

    /// - Parameter shift: by how many bytes it begins behind a multiple of 16.
    init(byteCount: Int, fill: UInt8 = 0, shift: Int = 0) {
        self.byteCount = byteCount
        let space = byteCount + shift + 2 * Self.guardBytes
        base = .allocate(byteCount: space, alignment: 16)
        base.initializeMemory(as: UInt8.self, repeating: Self.pattern, count: space)
        start = base + Self.guardBytes + shift
        start.initializeMemory(as: UInt8.self, repeating: fill, count: byteCount)
    }

    convenience init(_ vector: [Float]) {
        self.init(bytes: vector.withUnsafeBytes { Array($0) })
    }

    convenience init(bytes: [UInt8]) {
        self.init(byteCount: bytes.count)
        for (i, byte) in bytes.enumerated() { start.storeBytes(of: byte, toByteOffset: i, as: UInt8.self) }
    }

    deinit { base.deallocate() }

    var floats: [Float] { (0..<byteCount / 4).map { start.load(fromByteOffset: 4 * $0, as: Float.self) } }

    var bytes: [UInt8] { (0..<byteCount).map { start.load(fromByteOffset: $0, as: UInt8.self) } }

    var isUnharmed: Bool {
        (0..<Self.guardBytes).allSatisfy {
            start.load(fromByteOffset: -1 - $0, as: UInt8.self) == Self.pattern
                && start.load(fromByteOffset: byteCount + $0, as: UInt8.self) == Self.pattern
        }
    }
}
