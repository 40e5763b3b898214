// What happens when somebody cuts a file that is mapped: the kernel raises SIGBUS at the first byte that is gone. The handler runs
// on the thread that reads, and does nothing that a signal handler may not.

internal import Glibc
internal import Platform
internal import Synchronization

/// While it lives, a read beyond the end of the mapped file ends the process with code 2 and one line.
///
/// A SIGBUS from elsewhere goes to whoever handled it before. At most 64 mappings are guarded at once, others go without.
package struct MappingGuard: ~Copyable {
    private let slot: Int?

    /// Guards the bytes of a mapping, which must be taken out of use before the guard ends; `name` is what the line names.
    package init(_ mapping: UnsafeRawBufferPointer, name: String) {
        let found = "a file that was cut while it was read"
        let error = InputError(at: name, found: found, expected: TextFile.untouched)
        slot = unsafe Guards.all.enter(mapping, line: Array("error: \(error)\n".utf8))
    }

    deinit {
        if let slot { Guards.all.leave(slot) }
    }
}

/// The guarded mappings of this process.
@safe private final class Guards: Sendable {
    static let all = Guards()

    /// What the handler reads: it may not take a lock. A slot whose `begin` is 0 is free.
    @safe struct Slot: ~Copyable {
        let begin = Atomic<UInt>(0)
        let end = Atomic<UInt>(0)
        let line = Atomic<UInt>(0)
        let lineBytes = Atomic<Int>(0)
    }

    static let slotCount = 64
    // Never freed, and a constant after init: the handler may look at any time. The slots are atomics.
    private nonisolated(unsafe) let slots: UnsafeMutablePointer<Slot>
    /// The action before the first guard; written before the handler is in place, and read by it.
    private nonisolated(unsafe) let previous: UnsafeMutablePointer<sigaction>
    /// Slots in use; held while slots are taken and given back.
    private let inUse = Locked(0)

    private init() {
        unsafe slots = .allocate(capacity: Self.slotCount)
        for k in 0..<Self.slotCount { unsafe (slots + k).initialize(to: Slot()) }
        unsafe previous = .allocate(capacity: 1)
        unsafe previous.initialize(to: sigaction())
    }

    func enter(_ mapping: UnsafeRawBufferPointer, line: [UInt8]) -> Int? {
        guard let base = mapping.baseAddress else { return nil }
        return inUse.withLock { inUse in
            // Relaxed, here and below: the lock orders all writes but those that the handler reads.
            guard let k = (0..<Self.slotCount).first(where: { unsafe slots[$0].begin.load(ordering: .relaxed) == 0 })
            else { return nil }
            let text = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: line.count)
            _ = unsafe text.initialize(from: line)
            unsafe slots[k].line.store(UInt(bitPattern: text.baseAddress), ordering: .relaxed)
            unsafe slots[k].lineBytes.store(line.count, ordering: .relaxed)
            unsafe slots[k].end.store(UInt(bitPattern: base) + UInt(mapping.count), ordering: .relaxed)
            // Releases the rest of the slot: pairs with the acquiring load in `end(at:)`.
            unsafe slots[k].begin.store(UInt(bitPattern: base), ordering: .releasing)
            if inUse == 0 { install() }
            inUse += 1
            return k
        }
    }

    func leave(_ k: Int) {
        inUse.withLock { inUse in
            // Relaxed: no thread reads the mapping any more, so that no handler looks for it.
            unsafe slots[k].begin.store(0, ordering: .relaxed)
            unsafe UnsafeMutablePointer<UInt8>(bitPattern: slots[k].line.load(ordering: .relaxed))?.deallocate()
            inUse -= 1
            if inUse == 0 { unsafe sigaction(SIGBUS, previous, nil) }
        }
    }

    private func install() {
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_sigaction = { _, info, _ in
            unsafe Guards.all.end(at: UInt(bitPattern: info!.pointee._sifields._sigfault.si_addr))
        }
        action.sa_flags = Int32(SA_SIGINFO)
        unsafe sigaction(SIGBUS, &action, previous)
    }

    /// In the handler: ends the process where the address is in a guarded mapping, and else has it fault again as before.
    private func end(at address: UInt) {
        for k in 0..<Self.slotCount {
            // Acquires the rest of the slot: pairs with the releasing store in `enter`.
            let begin = unsafe slots[k].begin.load(ordering: .acquiring)
            // Relaxed: acquired with `begin`.
            if unsafe begin == 0 || address < begin || address >= slots[k].end.load(ordering: .relaxed) { continue }
            let line = unsafe UnsafeRawPointer(bitPattern: slots[k].line.load(ordering: .relaxed))
            _ = unsafe write(STDERR_FILENO, line, slots[k].lineBytes.load(ordering: .relaxed))
            _exit(2)
        }
        unsafe sigaction(SIGBUS, previous, nil)
    }
}
