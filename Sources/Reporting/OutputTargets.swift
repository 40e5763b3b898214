// Where the outputs of one command go: no two of them to the same place. The thread that reads the arguments.

internal import Glibc
public import Platform

/// The targets that the options of one command name.
public enum OutputTargets {
    /// Refuses two options whose outputs would replace or mix with each other, however their paths are spelled.
    ///
    /// `-` and what standard output is at that time are one target, except devices: what goes to `/dev/null` or a terminal
    /// may go there twice, but to `-` only once. Options without a path do not count. Touches nothing.
    public static func requireDistinct(_ outputs: [(option: String, path: String?)]) throws(InputError) {
        var owners: [Target: String] = [:]
        for case (let option, let path?) in outputs {
            guard let target = Target(of: path) else { continue }
            if let other = owners.updateValue(option, forKey: target) {
                throw InputError(at: "\(option) \(path)", found: "the file of \(other)", expected: "another one")
            }
        }
    }

    /// Whether what is written to `path` comes out on standard output, where nothing else should then stand.
    public static func isStandardOutput(_ path: String?) -> Bool {
        path.flatMap { Target(of: $0) } == .standardOutput
    }
}

/// What a path leads to.
private enum Target: Hashable {
    case standardOutput
    /// By the absolute path without links: a file is replaced by name, so that two hard links to it are two targets.
    case file(String)
    /// A pipe or socket, which has no name of its own.
    case stream(device: UInt, inode: UInt)

    /// Nil for a device, which keeps nothing that could be replaced.
    init?(of path: String) {
        if path == "-" || path == "/dev/stdout" {
            self = .standardOutput
            return
        }
        var info = stat()
        guard unsafe stat(path, &info) == 0 else {
            self = .file(Self.resolved(path))
            return
        }
        let kind = info.st_mode & S_IFMT
        if kind == S_IFCHR || kind == S_IFBLK { return nil }
        var output = stat()
        if unsafe fstat(STDOUT_FILENO, &output) == 0, output.st_dev == info.st_dev, output.st_ino == info.st_ino {
            self = .standardOutput
        } else if kind == S_IFREG {
            self = .file(Self.resolved(path))
        } else {
            self = .stream(device: info.st_dev, inode: info.st_ino)
        }
    }

    /// The absolute path of a file that may not yet be there, in a folder that is.
    private static func resolved(_ path: String) -> String {
        if let whole = absolute(path) { return whole }
        let name = path.split(separator: "/").last.map(String.init) ?? ""
        let folder = path.utf8.contains(UInt8(ascii: "/")) ? String(path.dropLast(name.count)) : "."
        return absolute(folder).map { $0 + "/" + name } ?? path
    }

    private static func absolute(_ path: String) -> String? {
        guard let absolute = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(absolute) }
        return unsafe String(cString: absolute)
    }
}
