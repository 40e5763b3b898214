// Codecs that can follow one whose number of elements varies. One thread.

/// A codec that can be told before each call how many elements its next vector has.
public protocol ResizableCodec: Codec {
    /// Sets `count`, which is at most what the codec was made for; no memory is allocated.
    func resize(to count: Int)
}
