// Writes a file beside its target and renames it into place: readers find the old content or the new, never a part of
// it. One thread per value.

import Glibc

/// A file under construction that replaces its target in `commit()`; dropped without it, the target stays as it was.
///
/// An existing file keeps its mode; a symbolic link stays and its target is replaced. What cannot be replaced is written
/// directly: `-` and `/dev/stdout`, other devices, and pipes.
public struct AtomicFile: ~Copyable {
    private let path: String
    private let target: String
    private var temporary: String?
    private var descriptor: Int32

    /// Opens the temporary file; `option` is the argument that named `path`, for the error's place.
    ///
    /// Throws `InputError` as `check` does, and `FileWriteError` where the system refuses to create the file.
    public init(replacing path: String, option: String? = nil) throws {
        let opened: (descriptor: Int32, temporary: String?, target: String)
        switch try Destination(of: path, option: option) {
        case .stream(let stream):
            // What was printed before must come out before.
            fflush(nil)
            opened = (dup(stream), nil, path)
        case .direct(let device):
            opened = unsafe (open(device, O_WRONLY | O_CLOEXEC), nil, device)
        case .file(let target, let mode):
            let (descriptor, temporary) = Self.createBeside(target, mode: mode)
            opened = (descriptor, temporary, target)
        }
        guard opened.descriptor >= 0 else { throw FileWriteError(path: path, reason: Self.reason(errno)) }
        self.path = path
        (descriptor, temporary, target) = opened
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        if let temporary { unsafe unlink(temporary) }
    }

    /// Appends all of `bytes`; unbuffered, so large pieces are better than small ones.
    public mutating func write(_ bytes: RawSpan) throws(FileWriteError) {
        var rest = bytes
        while !rest.isEmpty {
            let written = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written > 0 {
                rest = rest.extracting(droppingFirst: written)
            } else if errno != EINTR {
                throw FileWriteError(path: path, reason: Self.reason(errno))
            }
        }
    }

    /// Appends `text` as UTF-8.
    public mutating func write(_ text: String) throws(FileWriteError) {
        try unsafe write(text.utf8Span.span.bytes)
    }

    /// Brings the content to the disk and puts the file in the place of its target.
    public consuming func commit() throws(FileWriteError) {
        // A device or pipe has nothing to synchronise, and says so with an error.
        if temporary != nil, fsync(descriptor) != 0 { throw FileWriteError(path: path, reason: Self.reason(errno)) }
        let closed = close(descriptor)
        descriptor = -1
        if closed != 0 { throw FileWriteError(path: path, reason: Self.reason(errno)) }
        if let temporary, unsafe rename(temporary, target) != 0 {
            throw FileWriteError(path: path, reason: Self.reason(errno))
        }
        temporary = nil
    }

    /// Writes `text` as the whole content of `path`.
    public static func write(_ text: String, to path: String, option: String? = nil) throws {
        var file = try AtomicFile(replacing: path, option: option)
        try file.write(text)
        try file.commit()
    }

    /// Refuses, before a long run, a path that could not be written after it; touches nothing.
    ///
    /// Throws `InputError`: no such folder, a folder where a file is expected, a dangling link, no permission.
    public static func check(_ path: String, option: String? = nil) throws(InputError) {
        _ = try Destination(of: path, option: option)
    }

    private static func createBeside(_ target: String, mode: mode_t?) -> (descriptor: Int32, temporary: String?) {
        // A name of its own, not the target's with a suffix: that could be longer than the file system allows.
        for attempt in 0..<1000 {
            let path = Destination.folder(of: target) + "/.relaxed-\(getpid())-\(attempt).partial"
            let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode_t(0o666))
            if descriptor >= 0 {
                if let mode { fchmod(descriptor, mode) }
                return (descriptor, path)
            }
            if errno != EEXIST { break }
        }
        return (-1, nil)
    }

    private static func reason(_ code: Int32) -> String { unsafe String(cString: strerror(code)) }
}

/// Where bytes for a path go, once links are followed and permissions looked at.
private enum Destination {
    /// An open descriptor of this process: reopening it by name would start again at its first byte.
    case stream(Int32)
    /// A device, pipe or socket, which has no content to replace.
    case direct(String)
    /// A regular file, existing (with its mode) or not.
    case file(String, mode: mode_t?)

    init(of path: String, option: String?) throws(InputError) {
        func refusal(found: String, expected: String) -> InputError {
            InputError(at: option.map { "\($0) \(path)" } ?? path, found: found, expected: expected)
        }
        switch path {
        case "-", "/dev/stdout":
            self = .stream(STDOUT_FILENO)
            return
        case "/dev/stderr":
            self = .stream(STDERR_FILENO)
            return
        default: break
        }
        guard !path.utf8.contains(0), let last = path.utf8.last, last != UInt8(ascii: "/") else {
            throw refusal(found: path.isEmpty ? "an empty path" : "no file name", expected: "the path of a file")
        }

        let folder = Self.folder(of: path)
        var info = stat()
        guard unsafe stat(folder, &info) == 0 else {
            throw refusal(found: "no folder \"\(folder)\"", expected: "a folder that exists")
        }
        guard info.st_mode & S_IFMT == S_IFDIR else {
            throw refusal(found: "\"\(folder)\", which is no folder", expected: "a folder that exists")
        }

        if unsafe stat(path, &info) == 0 {
            let kind = info.st_mode & S_IFMT
            if kind == S_IFDIR { throw refusal(found: "a folder", expected: "the path of a file") }
            guard unsafe access(path, W_OK) == 0 else {
                throw refusal(found: "a file that may not be written", expected: "one that may")
            }
            guard kind == S_IFREG else {
                self = .direct(path)
                return
            }
            guard let absolute = unsafe realpath(path, nil) else {
                throw refusal(found: "a path that does not resolve", expected: "the path of a file")
            }
            defer { unsafe free(absolute) }
            self = unsafe .file(String(cString: absolute), mode: info.st_mode & 0o7777)
        } else if unsafe lstat(path, &info) == 0 {
            throw refusal(found: "a symbolic link to nothing", expected: "the path of a file")
        } else {
            self = .file(path, mode: nil)
        }
        if case .file(let target, _) = self {
            let folder = Self.folder(of: target)
            guard unsafe access(folder, W_OK | X_OK) == 0 else {
                throw refusal(found: "folder \"\(folder)\", which may not be written", expected: "one that may")
            }
        }
    }

    static func folder(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
