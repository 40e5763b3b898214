// Stand-in for Platform's growable page buffer until that branch is merged. Any thread.

import Glibc

/// Zeroed pages that grow without copying; owned by one thread while it grows, shared read-only afterwards.
@safe public final class PageBuffer<Element: BitwiseCopyable>: @unchecked Sendable {
    public private(set) var count = 0
    public private(set) var baseAddress: UnsafeMutablePointer<Element>
    private var bytes: Int

    public init(count: Int) {
        bytes = (max(count, 1) * MemoryLayout<Element>.stride + 4095) & ~4095
        let p = unsafe mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
        unsafe baseAddress = p.assumingMemoryBound(to: Element.self)
        self.count = count
    }

    public func grow(to newCount: Int) {
        let newBytes = (max(newCount, 1) * MemoryLayout<Element>.stride + 4095) & ~4095
        if newBytes != bytes {
            let p = unsafe mmap(nil, newBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
            unsafe memcpy(p, baseAddress, min(bytes, newBytes))
            unsafe munmap(UnsafeMutableRawPointer(baseAddress), bytes)
            unsafe baseAddress = p.assumingMemoryBound(to: Element.self)
            bytes = newBytes
        }
        count = newCount
    }

    deinit { unsafe munmap(UnsafeMutableRawPointer(baseAddress), bytes) }
}
