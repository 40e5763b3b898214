// W1, the synthetic sparse data set that the C yardstick trains on, made once in a scratch folder. Main thread.

import Foundation

/// 200,000 training and 50,000 test rows over 47,236 features, 73 nonzeros a row with power-law frequencies.
public struct W1 {
    /// The folder that a yardstick which reads `data/w1.train.bin` must run in.
    public let scratch: String

    public var train: String { scratch + "/data/w1.train.libsvm" }
    public var test: String { scratch + "/data/w1.test.libsvm" }

    /// The scratch folder that the yardsticks' own script uses.
    public static var defaultScratch: String {
        (ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp") + "/yardsticks"
    }

    /// The data in `scratch`, made there where they are missing; nil, with one line that says why, where that cannot be done.
    public init?(scratch: String) {
        self.scratch = scratch
        if [train, test].allSatisfy(FileManager.default.fileExists) { return }
        guard let converter = Yardstick("to_libsvm", sources: ["to_libsvm.c"], options: ["-O2"], scratch: scratch)
        else { return nil }
        do {
            _ = try Yardstick.output(
                of: URL(fileURLWithPath: "/usr/bin/env"),
                ["python3", Yardstick.sourceFolder.appendingPathComponent("generate.py").path, "w1"],
                in: URL(fileURLWithPath: scratch))
            for part in ["train", "test"] { _ = try converter.run(["data/w1.\(part).bin", "data/w1.\(part).libsvm"]) }
        } catch {
            print("W1 cannot be made in \(scratch): \(error); python3 with numpy is needed once")
            return nil
        }
    }
}
