// Stand-in for Platform's growable page buffer until that branch is merged. Any thread.

internal import Glibc
public import Platform

@safe public struct PageBuffer<Element: BitwiseCopyable>: ~Copyable, @unchecked Sendable {
    public private(set) var count: Int
    public private(set) var pointer: UnsafeMutablePointer<Element>
    private var bytes: Int

    public init(count: Int) throws(InputError) {
        bytes = (max(count, 1) * MemoryLayout<Element>.stride + 4095) & ~4095
        let p = unsafe mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
        unsafe pointer = p.assumingMemoryBound(to: Element.self)
        self.count = count
    }

    public mutating func resize(to newCount: Int) throws(InputError) {
        let newBytes = (max(newCount, 1) * MemoryLayout<Element>.stride + 4095) & ~4095
        if newBytes != bytes {
            let p = unsafe mmap(nil, newBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
            unsafe memcpy(p, pointer, min(bytes, newBytes))
            unsafe munmap(UnsafeMutableRawPointer(pointer), bytes)
            unsafe pointer = p.assumingMemoryBound(to: Element.self)
            bytes = newBytes
        }
        count = newCount
    }

    deinit { unsafe munmap(UnsafeMutableRawPointer(pointer), bytes) }
}
