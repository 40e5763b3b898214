// Memory that a codec keeps between its calls. The codec's one thread.

/// A fixed number of elements, zero at first, freed with their owner.
@safe struct Workspace<Element: BitwiseCopyable>: ~Copyable {
    let pointer: UnsafeMutablePointer<Element>
    let count: Int

    init(repeating value: Element, count: Int) {
        self.count = count
        unsafe pointer = .allocate(capacity: count)
        unsafe pointer.initialize(repeating: value, count: count)
    }

    deinit { unsafe pointer.deallocate() }
}
