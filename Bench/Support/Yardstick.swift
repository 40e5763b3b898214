// C programs outside the project that do the same work, built here and run in the same contest. Main thread.

import Foundation

/// A C program compiled from `../shared/yardsticks` (or the folder named in `YARDSTICKS`), where that exists.
public struct Yardstick {
    private let executable: URL
    private let workingFolder: URL

    static var sourceFolder: URL {
        URL(fileURLWithPath: ProcessInfo.processInfo.environment["YARDSTICKS"] ?? "../shared/yardsticks")
    }

    /// Compiles `sources` into `scratch`; nil, with one line that says why, where the sources are missing or the compiler refuses.
    public init?(
        _ name: String, compiler: String = "gcc", sources: [String], options: [String], scratch: String
    ) {
        guard
            let executable = Self.compile(
                name, compiler: compiler, sources: sources, options: options, scratch: scratch)
        else { return nil }
        self.executable = executable
        workingFolder = URL(fileURLWithPath: scratch)
    }

    /// The file in `scratch` that the compiler made; nil, with one line that says why, where there is none.
    static func compile(
        _ name: String, compiler: String, sources: [String], options: [String], scratch: String
    ) -> URL? {
        let folder = sourceFolder
        let files = sources.map { folder.appendingPathComponent($0) }
        guard files.allSatisfy({ FileManager.default.fileExists(atPath: $0.path) }) else {
            print("yardstick \(name) not found in \(folder.path): ratios to it are left out")
            return nil
        }
        let workingFolder = URL(fileURLWithPath: scratch)
        let product = workingFolder.appendingPathComponent(name)
        do {
            try FileManager.default.createDirectory(at: workingFolder, withIntermediateDirectories: true)
            let env = URL(fileURLWithPath: "/usr/bin/env")
            _ = try output(
                of: env, [compiler, "-w"] + options + files.map(\.path) + ["-o", product.path, "-lm"],
                in: workingFolder
            )
        } catch {
            print("yardstick \(name) does not build here: \(error)")
            return nil
        }
        return product
    }

    /// What the program prints when run with `arguments` in the scratch folder.
    public func run(_ arguments: [String]) throws -> String {
        try Self.output(of: executable, arguments, in: workingFolder)
    }

    /// A program that ended with another code than 0.
    public struct Failure: Error, CustomStringConvertible {
        let command: String
        let code: Int32

        public var description: String { "\(command) ended with code \(code)" }
    }

    static func output(of program: URL, _ arguments: [String], in folder: URL) throws -> String {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = program
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(command: ([program.path] + arguments).joined(separator: " "), code: process.terminationStatus)
        }
        return String(decoding: data, as: UTF8.self)
    }
}
