// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target: explicit imports, explicit existentials, no warning left behind.
let tests: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// What ships marks its unsafe code as well, so that `grep -rn '\bunsafe '` is the audit list.
let strict = tests + [.strictMemorySafety()]

/// Targets with hot loops are compiled for AVX2, FMA (x86-64-v3) and AES; Swift's default is SSE2 and up to 40 times slower.
/// The command checks the processor before it calls any of them. On arm64 the default target serves.
/// Innermost loops begin a cache line: where one that fits into a line straddles two, which changes with code elsewhere, decoding signs
/// takes 1.4 times as long.
#if arch(x86_64)
    let alignedLoops = ["-Xllvm", "-x86-experimental-pref-innermost-loop-alignment=6"]
    let hot = strict + [.unsafeFlags(["-Xcc", "-march=x86-64-v3", "-Xcc", "-maes"] + alignedLoops)]
#else
    let hot = strict
#endif

/// The wide kernels once more for AVX-512, which the processor is asked for at run time. Optimised in debug builds too: what is not inlined
/// there could be merged with code for other processors.
#if arch(x86_64)
    let wide: [Target] = [
        .target(
            name: "KernelsAVX512", dependencies: ["CPlatformShims"],
            swiftSettings: strict + [
                .define("KERNELS_AVX512"),
                .unsafeFlags(
                    ["-O", "-Xcc", "-march=x86-64-v4", "-Xcc", "-mavx512vbmi2", "-Xcc", "-mvaes"] + alignedLoops),
            ])
    ]
#else
    let wide: [Target] = []
#endif

/// Messaging and Training keep a rank's state in classes of one thread; checking at run time that their accesses exclude each other would
/// cost a call for each, several in a message of 40 ns or an update of 30.
let ranks = hot + [.unsafeFlags(["-enforce-exclusivity=unchecked"])]

let package = Package(
    name: "RelaxedSGD",
    products: [
        .library(name: "RelaxedSGD", targets: ["RelaxedSGD"]),
        .executable(name: "relaxed", targets: ["relaxed"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"),
    ],
    targets: [
        .systemLibrary(name: "CNUMA", pkgConfig: "numa", providers: [.apt(["libnuma-dev"])]),
        .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-pthread-dev"])]),
        .target(name: "CPlatformShims"),
        .target(name: "Platform", dependencies: ["CNUMA", "CPlatformShims"], swiftSettings: strict),
        .target(
            name: "Kernels", dependencies: ["Platform", "CPlatformShims"] + wide.map { .target(name: $0.name) },
            swiftSettings: hot),
        .target(
            name: "Datasets", dependencies: ["Kernels", "Platform", "CArchive", "CZlib"],
            resources: [.copy("Resources")], swiftSettings: hot),
        .target(
            name: "Messaging",
            dependencies: [
                "SwitchModel", "Kernels", "Platform", "CPlatformShims",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
            ],
            swiftSettings: ranks),
        .target(
            name: "Collectives", dependencies: ["Compression", "Messaging", "SwitchModel", "Kernels", "Platform"],
            swiftSettings: hot),
        .target(
            name: "Compression", dependencies: ["Kernels", "Platform", "CPlatformShims"], swiftSettings: hot),
        .target(
            name: "Objectives", dependencies: ["Datasets", "Kernels", "Platform", "COpenBLAS"], swiftSettings: hot),
        .target(
            name: "Measurement",
            dependencies: ["Platform", .product(name: "Histogram", package: "hdrhistogram-swift")],
            swiftSettings: strict),
        .target(name: "SwitchModel", dependencies: ["Platform"], swiftSettings: strict),
        .target(name: "Graphs", dependencies: ["Kernels", "Platform", "COpenBLAS"], swiftSettings: hot),
        .target(
            name: "Training",
            dependencies: [
                "Objectives", "Collectives", "Compression", "Messaging", "Graphs", "SwitchModel", "Measurement",
                "Datasets", "Kernels", "Platform",
            ],
            swiftSettings: ranks),
        .target(
            name: "Reporting", dependencies: ["Measurement", "SwitchModel", "Platform", "CPlatformShims"],
            swiftSettings: strict),
        .target(
            name: "RelaxedSGD",
            dependencies: [
                "Training", "Collectives", "Messaging", "Graphs", "SwitchModel", "Compression", "Objectives",
                "Datasets", "Measurement", "Reporting", "Kernels", "Platform",
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "relaxed",
            dependencies: [
                "Training", "Collectives", "Messaging", "Graphs", "SwitchModel", "Compression", "Objectives",
                "Measurement", "Datasets", "Kernels", "Mailboxes", "Platform", "Reporting",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        .testTarget(name: "PlatformTests", dependencies: ["Platform"], swiftSettings: tests),
        .testTarget(name: "KernelsTests", dependencies: ["Kernels"], swiftSettings: tests),
        .testTarget(name: "DatasetsTests", dependencies: ["Datasets", "Kernels", "Platform"], swiftSettings: tests),
        .testTarget(
            name: "CompressionTests", dependencies: ["Compression", "Kernels", "Platform"], swiftSettings: tests),
        .testTarget(
            name: "ObjectivesTests", dependencies: ["Objectives", "Datasets", "Kernels", "Platform"],
            swiftSettings: tests),
        .testTarget(
            name: "MessagingTests", dependencies: ["Messaging", "Mailboxes", "SwitchModel", "Kernels", "Platform"],
            swiftSettings: tests),
        .testTarget(
            name: "CollectivesTests",
            dependencies: ["Collectives", "Compression", "Messaging", "SwitchModel", "Kernels", "Platform"],
            swiftSettings: tests),
        .testTarget(name: "MeasurementTests", dependencies: ["Measurement"], swiftSettings: tests),
        .testTarget(
            name: "TrainingTests",
            dependencies: [
                "RateExperiments", "Training", "Collectives", "Compression", "Messaging", "Graphs", "SwitchModel",
                "Objectives", "Measurement", "Datasets", "Kernels", "Platform",
            ],
            swiftSettings: tests),
        .testTarget(name: "GraphsTests", dependencies: ["Graphs", "Kernels", "Platform"], swiftSettings: tests),
        .testTarget(name: "SwitchModelTests", dependencies: ["SwitchModel", "Platform"], swiftSettings: tests),
        .testTarget(
            name: "ReportingTests", dependencies: ["Reporting", "Measurement", "SwitchModel", "Platform"],
            swiftSettings: tests),
        .testTarget(
            name: "CommandTests",
            dependencies: [
                "relaxed", "Measurement", "Objectives", "Datasets", "Platform",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], swiftSettings: tests),
        .testTarget(
            name: "DocumentationTests",
            dependencies: [
                "relaxed", "Training", "Compression", "Platform",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], swiftSettings: tests),
        .target(
            name: "Mailboxes", dependencies: ["Messaging", "Platform"], path: "Bench/Mailboxes",
            swiftSettings: ranks),
        .target(
            name: "BenchSupport", dependencies: ["Platform", "Reporting"], path: "Bench/Support", swiftSettings: strict),
        .executableTarget(
            name: "bench-sparse-sgd",
            dependencies: [
                "BenchSupport", "Training", "Objectives", "Measurement", "Datasets", "Platform", "Reporting",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Bench/SparseSGD", swiftSettings: strict),
        .executableTarget(
            name: "bench-staleness",
            dependencies: [
                "BenchSupport", "Training", "Measurement", "Objectives", "Datasets", "Kernels", "Platform", "Reporting",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Bench/Staleness", swiftSettings: hot),
        .executableTarget(
            name: "bench-collectives",
            dependencies: [
                "BenchSupport", "Collectives", "Messaging", "SwitchModel", "Platform", "Reporting", "relaxed",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Bench/Collectives", swiftSettings: strict),
        .executableTarget(
            name: "bench-codecs",
            dependencies: [
                "BenchSupport", "Compression", "Kernels", "Platform", "Reporting",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Bench/Codecs", swiftSettings: strict),
        .executableTarget(
            name: "bench-parsing",
            dependencies: [
                "BenchSupport", "Datasets", "Platform", "Reporting",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Bench/Parsing", swiftSettings: hot),
        .executableTarget(
            name: "bench-kernels",
            dependencies: [
                "BenchSupport", "Kernels", "Platform",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Bench/Kernels", swiftSettings: hot),
        .executableTarget(
            name: "bench-dense",
            dependencies: [
                "BenchSupport", "Training", "Measurement", "Collectives", "Messaging", "Objectives", "Datasets",
                "Kernels",
                "Platform", "COpenBLAS",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Bench/DenseProducts", swiftSettings: hot),
        .target(
            name: "RateExperiments",
            dependencies: [
                "Training", "Compression", "Collectives", "Messaging", "SwitchModel", "Objectives", "Measurement",
                "Datasets",
                "Kernels", "Platform",
            ],
            path: "Bench/RateExperiments", swiftSettings: hot),
        .executableTarget(
            name: "bench-rates",
            dependencies: [
                "RateExperiments", "BenchSupport", "Training", "Reporting", "Platform",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Bench/Rates", swiftSettings: strict),
        .testTarget(name: "BenchSupportTests", dependencies: ["BenchSupport"], swiftSettings: tests),
    ] + wide
)
