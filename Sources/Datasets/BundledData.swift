// The data set that ships with the project: flights from New York in 2013, late by more than 15 minutes or not (CC0). Any
// thread.

internal import Foundation

/// Paths of the bundled data set, flights-late: 263,149 rows for training and 64,197 for testing, 9,983 binary features.
public enum BundledData {
    /// The name to show.
    public static let name = "flights-late"
    /// LIBSVM text, compressed by gzip.
    public static var flightsLateTrain: String { path("flights-late.train.libsvm.gz") }
    /// LIBSVM text, compressed by gzip: the days divisible by 5.
    public static var flightsLateTest: String { path("flights-late.test.libsvm.gz") }
    /// The name of each feature, one on a line, compressed by gzip.
    public static var flightsLateFeatures: String { path("flights-late.features.txt.gz") }

    private static func path(_ file: String) -> String {
        Bundle.module.bundlePath + "/Resources/" + file
    }
}
