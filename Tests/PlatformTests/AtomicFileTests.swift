import Glibc
import Platform
import Testing

/// A folder that is removed with the test.
private final class Scratch {
    let path: String

    init() {
        var template = Array("/tmp/atomic-file-XXXXXX".utf8CString)
        path = unsafe String(cString: mkdtemp(&template))
    }

    deinit {
        for name in names { unsafe unlink("\(path)/\(name)") }
        unsafe rmdir(path)
    }

    var names: [String] {
        guard let folder = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) {
                unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    func content(of name: String) -> String? {
        let descriptor = unsafe open("\(path)/\(name)", O_RDONLY)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    func mode(of name: String) -> mode_t {
        var info = stat()
        return unsafe lstat("\(path)/\(name)", &info) == 0 ? info.st_mode : 0
    }
}

@Suite struct AtomicFileTests {
    private let scratch = Scratch()

    @Test func `a committed file holds what was written and leaves nothing beside it`() throws {
        var file = try AtomicFile(replacing: "\(scratch.path)/model")
        try file.write("one\n")
        try file.write("two\n")
        #expect(scratch.content(of: "model") == nil)
        try file.commit()
        #expect(scratch.content(of: "model") == "one\ntwo\n")
        #expect(scratch.names == ["model"])
    }

    @Test func `the old content survives a write that is given up half-way`() throws {
        try AtomicFile.write("old", to: "\(scratch.path)/model")
        do {
            var file = try AtomicFile(replacing: "\(scratch.path)/model")
            try file.write("new, but never")
            #expect(scratch.names.count == 2)
        }
        #expect(scratch.content(of: "model") == "old")
        #expect(scratch.names == ["model"])
    }

    @Test func `a full disk is an error with the system's reason`() throws {
        #expect(throws: FileWriteError(path: "/dev/full", reason: "No space left on device")) {
            try AtomicFile.write("text", to: "/dev/full")
        }
    }

    @Test func `replacing keeps the mode of the old file and the link that led to it`() throws {
        try AtomicFile.write("old", to: "\(scratch.path)/model")
        unsafe chmod("\(scratch.path)/model", 0o640)
        unsafe symlink("model", "\(scratch.path)/link")
        try AtomicFile.write("new", to: "\(scratch.path)/link")
        #expect(scratch.content(of: "model") == "new")
        #expect(scratch.mode(of: "model") == S_IFREG | 0o640)
        #expect(scratch.mode(of: "link") & S_IFMT == S_IFLNK)
    }

    @Test func `a pipe is written to, not replaced`() throws {
        let pipe = "\(scratch.path)/pipe"
        unsafe mkfifo(pipe, 0o600)
        let reader = unsafe open(pipe, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        try AtomicFile.write("through", to: pipe)
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = unsafe read(reader, &bytes, bytes.count)
        #expect(String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self) == "through")
        #expect(scratch.mode(of: "pipe") & S_IFMT == S_IFIFO)
    }

    @Test func `what could not be written is refused beforehand, with its option, and nothing is touched`() throws {
        let missing = "\(scratch.path)/missing"
        #expect(
            throws: InputError(
                at: "--json \(missing)/run.json", found: "no folder \"\(missing)\"", expected: "a folder that exists")
        ) { try AtomicFile.check("\(missing)/run.json", option: "--json") }

        try AtomicFile.write("", to: "\(scratch.path)/file")
        unsafe symlink("nowhere", "\(scratch.path)/dangling")
        for path in ["", "\(scratch.path)", "\(scratch.path)/", "\(scratch.path)/file/x", "\(scratch.path)/dangling"] {
            #expect(throws: InputError.self, "\(path)") { try AtomicFile.check(path) }
            #expect(throws: InputError.self, "\(path)") { try AtomicFile.write("x", to: path) }
        }
        #expect(scratch.names == ["dangling", "file"])
        #expect(throws: Never.self) { try AtomicFile.check("\(scratch.path)/new") }
        #expect(throws: Never.self) { try AtomicFile.check("-") }
    }
}
