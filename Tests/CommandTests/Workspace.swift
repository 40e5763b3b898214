import Foundation

/// A folder of a test's own, and the built command to run in it.
final class Workspace: Sendable {
    /// What a finished command left.
    struct Outcome {
        let code: Int32
        let output: String
        let errors: String

        /// The lines on standard error.
        var errorLines: [Substring] { errors.split(separator: "\n", omittingEmptySubsequences: false).dropLast() }
    }

    /// The command lies beside the test runner, where the build puts both.
    static let command = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appendingPathComponent("relaxed")

    let folder: URL

    init() throws {
        folder = URL(fileURLWithPath: NSTemporaryDirectory() + "relaxed-command-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func write(_ name: String, _ bytes: some Sequence<UInt8>) throws {
        let file = folder.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
    }

    func write(_ name: String, _ text: String) throws { try write(name, text.utf8) }

    func bytes(_ name: String) throws -> Data { try Data(contentsOf: folder.appendingPathComponent(name)) }

    func text(_ name: String) throws -> String { String(decoding: try bytes(name), as: UTF8.self) }

    /// The names of all files, hidden ones included.
    func files() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() }

    /// Runs `relaxed` with the words of `line`, which hold no blanks, and waits for its end.
    func relaxed(_ line: String, input: String? = nil) throws -> Outcome {
        try run(Self.command, line.split(separator: " ").map(String.init), input: input)
    }

    /// Runs a line of shell in which `relaxed` is the command.
    func shell(_ line: String) throws -> Outcome {
        try run(
            URL(fileURLWithPath: "/bin/sh"), ["-c", "relaxed() { \"$RELAXED\" \"$@\"; }; \(line)"], input: nil)
    }

    /// Runs a program and waits for its end; its outputs go to files, since a pipe that is read late could fill up.
    func run(_ program: URL, _ arguments: [String], input: String?) throws -> Outcome {
        let own = try Workspace()
        let process = try process(program, arguments)
        process.standardOutput = try own.create("output")
        process.standardError = try own.create("errors")
        if let input {
            try own.write("input", input)
            process.standardInput = try FileHandle(forReadingFrom: own.folder.appendingPathComponent("input"))
        }
        try process.run()
        process.waitUntilExit()
        return Outcome(
            code: process.terminationStatus, output: try own.text("output"), errors: try own.text("errors"))
    }

    /// `relaxed` as a process that is not yet running, with nothing on standard input.
    func process(_ line: String) throws -> Process {
        try process(Self.command, line.split(separator: " ").map(String.init))
    }

    private func process(_ program: URL, _ arguments: [String]) throws -> Process {
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.environment = ProcessInfo.processInfo.environment.merging(["RELAXED": Self.command.path]) { $1 }
        process.standardInput = FileHandle.nullDevice
        return process
    }

    private func create(_ name: String) throws -> FileHandle {
        try write(name, "")
        return try FileHandle(forWritingTo: folder.appendingPathComponent(name))
    }
}
