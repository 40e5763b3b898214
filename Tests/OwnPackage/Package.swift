// swift-tools-version: 6.2
// What a package beside this one adds to it: an algorithm, a codec and an objective, with nothing but the product RelaxedSGD.
import PackageDescription

let strict: [SwiftSetting] = [.treatAllWarnings(as: .error), .enableUpcomingFeature("MemberImportVisibility")]

let package = Package(
    name: "OwnPackage",
    dependencies: [.package(name: "RelaxedSGD", path: "../..")],
    targets: [
        .executableTarget(
            name: "Own", dependencies: [.product(name: "RelaxedSGD", package: "RelaxedSGD")], swiftSettings: strict),
        .testTarget(name: "OwnTests", dependencies: ["Own"], swiftSettings: strict),
    ])
