// Reading the kernel's small text files, of this machine or of a described one. The thread that asks for the topology.

internal import Glibc

/// The files of `sys`, `proc` and the control groups below a root folder: `/`, or a capture of another machine.
struct MachineFiles {
    /// Without a final slash: empty for this machine.
    private let root: String

    init(root: String) {
        var root = Substring(root)
        while root.hasSuffix("/") { root.removeLast() }
        self.root = String(root)
    }

    /// More than a list of 65,536 numbers takes.
    private static let maximumBytes = 512 << 10
    /// More than the mounts of a machine with thousands of containers.
    static let maximumBytesOfMounts = 16 << 20

    /// The text of a regular file, its ends trimmed, or nil where it cannot be read or is longer than `maximumBytes`.
    func text(_ path: String, maximumBytes: Int = Self.maximumBytes) -> String? {
        // A pipe in a described machine must not wait for its writer, nor a device be read without end.
        let file = unsafe open(root + path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var info = stat()
        guard unsafe fstat(file, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return nil }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let got = unsafe read(file, &chunk, chunk.count)
            if got < 0 { return nil }
            if got == 0 { break }
            bytes.append(contentsOf: chunk[..<got])
            if bytes.count > maximumBytes { return nil }
        }
        let isBlank = { (byte: UInt8) in byte <= UInt8(ascii: " ") }
        let first = bytes.firstIndex { !isBlank($0) } ?? bytes.endIndex
        let end = bytes.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? first
        return String(decoding: bytes[first..<end], as: UTF8.self)
    }

    /// Whether there is a file or a folder.
    func exists(_ path: String) -> Bool { unsafe access(root + path, F_OK) == 0 }

    /// The integer that a file holds.
    func integer(_ path: String) -> Int? { text(path).flatMap { Int($0) } }

    /// The numbers of a list file, empty where the file is, or nil where it cannot be read.
    func list(_ path: String) -> Set<Int>? { text(path).flatMap(Self.parseList) }

    /// The numbers of a list, empty where the text is, or nil where it is none.
    static func parseList(_ text: String) -> Set<Int>? {
        text.isEmpty ? [] : (try? CPUList.parse(text, at: "")).map { Set($0) }
    }

    /// The numbers of the first readable one of some list files, else of some mask files.
    func numbers(inLists lists: [String], masks: [String]) -> Set<Int>? {
        lists.lazy.compactMap { list($0) }.first ?? masks.lazy.compactMap { text($0).flatMap(CPUList.parseMask) }.first
    }

    /// The numbers N, as `CPUList` takes them, of the entries of a folder that are named `prefix` N, ascending; nil where there is no
    /// such folder.
    func numbers(inFolder path: String, prefix: String) -> [Int]? {
        guard let folder = unsafe opendir(root + path) else { return nil }
        defer { unsafe closedir(folder) }
        var numbers: Set<Int> = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { bytes in
                unsafe bytes.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name.hasPrefix(prefix), let number = CPUList.number(name.dropFirst(prefix.count)) {
                numbers.insert(number)
            }
        }
        return numbers.sorted()
    }

    /// The `MemTotal` of a meminfo file, in bytes.
    func memoryBytes(_ path: String) -> Int? {
        guard let line = text(path)?.split(separator: "\n").first(where: { $0.contains("MemTotal:") }) else {
            return nil
        }
        let words = line.split(separator: " ")
        guard words.count >= 2, words.last == "kB", let kibibytes = Int(words[words.count - 2]) else { return nil }
        let (bytes, overflow) = kibibytes.multipliedReportingOverflow(by: 1024)
        return overflow || bytes < 0 ? nil : bytes
    }
}
