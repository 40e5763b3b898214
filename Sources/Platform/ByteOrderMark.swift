// What some programs write before text, to say how its characters are encoded. Any thread.

/// The byte order mark before a text.
public enum ByteOrderMark {
    /// Bytes of the mark of UTF-8 that `head`, the first bytes of a file, begins with: 3, or 0 where there is none.
    ///
    /// Throws where it is the mark of UTF-16; `name` is the place.
    public static func length(in head: some Collection<UInt8>, name: String) throws(InputError) -> Int {
        if head.starts(with: [0xFF, 0xFE]) || head.starts(with: [0xFE, 0xFF]) {
            throw InputError(at: name, found: "text in UTF-16", expected: "text in UTF-8")
        }
        return head.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    }
}
