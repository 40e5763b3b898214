// What every record says about where it comes from: command line, seed, machine, toolchain, version. Any thread.

import CPlatformShims
import Glibc

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The head of a record: who computed it, with what, on what, and when. Its keys are those of the record itself.
public struct RunEnvironment: Encodable, Sendable {
    /// The machine as its kernel describes it.
    public struct Machine: Encodable, Sendable {
        /// The processor's name, or its architecture where the kernel knows no name.
        public let processor: String
        public let architecture: String
        /// CPUs that are online, whether or not this process may use them.
        public let onlineCPUs: Int
        public let memoryBytes: UInt64
        /// Name and release, such as `Linux 6.1.0`.
        public let kernel: String
    }

    /// What the command was built with.
    public struct Toolchain: Encodable, Sendable {
        /// Major and minor version of the Swift standard library that runs.
        public let swift: String
        /// The C compiler of the same toolchain, with the revision that tells its exact build.
        public let compiler: String
        /// Whether assertions were compiled in: figures of such a build say nothing about speed.
        public let debug: Bool
    }

    /// The version of this project.
    public static let version = "0.1.0"

    /// The number of the record's layout.
    public let schema: Int
    public let commandLine: [String]
    public let seed: UInt64?
    public let machine: Machine
    public let toolchain: Toolchain
    public let version: String
    /// When the run began, ISO 8601 in UTC; nil in a record that is the same to the byte in every run.
    public let startedAt: String?

    /// Looks at this process and its machine; `commandLine` is by default that of the process.
    public init(
        schema: Int = 1, seed: UInt64?, commandLine: [String] = CommandLine.arguments, isReproducible: Bool = false
    ) {
        self.schema = schema
        self.seed = seed
        self.commandLine = commandLine
        machine = .current
        toolchain = .current
        version = Self.version
        startedAt = isReproducible ? nil : Date().formatted(.iso8601)
    }
}

extension RunEnvironment.Machine {
    static var current: Self {
        var name = utsname()
        unsafe uname(&name)
        let architecture = text(name.machine)
        return Self(
            processor: processorName() ?? architecture,
            architecture: architecture,
            onlineCPUs: sysconf(Int32(_SC_NPROCESSORS_ONLN)),
            memoryBytes: UInt64(max(0, sysconf(Int32(_SC_PHYS_PAGES)))) * UInt64(max(0, sysconf(Int32(_SC_PAGESIZE)))),
            kernel: "\(text(name.sysname)) \(text(name.release))")
    }

    /// The first name in the kernel's list; arm64 kernels give none there but may know the board.
    private static func processorName() -> String? {
        let list = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        for line in list.split(separator: "\n") where line.hasPrefix("model name") {
            let name = line.drop { $0 != ":" }.dropFirst().trimmingPrefix { $0 == " " }
            if !name.isEmpty { return String(name) }
        }
        let board = try? String(contentsOfFile: "/sys/firmware/devicetree/base/model", encoding: .utf8)
        return board.map { $0.filter { $0 != "\0" } }
    }

    private static func text<Field>(_ field: Field) -> String {
        unsafe withUnsafeBytes(of: field) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

extension RunEnvironment.Toolchain {
    static var current: Self {
        // Its third number is always zero, whatever the release.
        let library = _SwiftStdlibVersion.current.description.split(separator: ".").prefix(2)
        var debug = false
        // The closure runs only where assertions are compiled in.
        assert(
            {
                debug = true
                return true
            }())
        return unsafe Self(
            swift: library.joined(separator: "."), compiler: String(cString: relaxed_compiler()), debug: debug)
    }
}
