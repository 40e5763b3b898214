import Datasets
import Foundation
import Glibc
import Platform
import Testing

@Suite struct DatasetFileTests {
    let scratch = try! Scratch()

    private func load(_ path: String, _ cache: DatasetFile.Cache, workers: Int = 1) throws -> DatasetFile.Loaded {
        try DatasetFile(path, cache: cache).load(team: WorkerTeam(placement: .unpinned(workers: workers)))
    }

    private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    private let text = "1 1:0.5 9:2\n-1\n3 2:1 3:1e-3 7:7\n"

    @Test func `no cache is written unless one is asked for`() throws {
        let path = try scratch.file("data", text)
        #expect(try !load(path, .none).isFromCache && !exists(path + ".csr"))
    }

    @Test(arguments: [1, 3]) func `a cache gives the same rows as its source`(workers: Int) throws {
        let path = try scratch.file("data", text)
        let read = try load(path, .besideSource, workers: workers)
        let cached = try load(path, .besideSource, workers: workers)
        #expect(!read.isFromCache && cached.isFromCache && exists(path + ".csr"))
        #expect(contents(cached.dataset) == contents(read.dataset) && contents(read.dataset).count == 3)
        #expect(cached.dataset.featureCount == 9 && cached.textBytes == text.utf8.count && cached.dataset.name == path)
        let elsewhere = scratch.path + "/elsewhere"
        #expect(try !load(path, .at(elsewhere)).isFromCache && load(path, .at(elsewhere)).isFromCache)
    }

    @Test func `a cache of another state of the source, or of another version, is made anew`() throws {
        let path = try scratch.file("data", text)
        _ = try load(path, .besideSource)
        _ = try scratch.file("data", "1 1:1\n")
        let read = try load(path, .besideSource)
        #expect(!read.isFromCache && read.dataset.rowCount == 1)
        #expect(try load(path, .besideSource).isFromCache)

        var bytes = try Data(contentsOf: URL(fileURLWithPath: path + ".csr"))
        bytes[8] = 99
        _ = try scratch.file("data.csr", bytes)
        #expect(try !load(path, .besideSource).isFromCache && load(path, .besideSource).isFromCache)
    }

    @Test func `a foreign, short or damaged cache is refused and left alone`() throws {
        let path = try scratch.file("data", text)
        _ = try load(path, .besideSource)
        let whole = try Data(contentsOf: URL(fileURLWithPath: path + ".csr"))
        // Bytes 8 to 15 are the version: another one is no damage.
        for byte in Array(0..<8) + Array(16..<whole.count) {
            var damaged = whole
            damaged[byte] ^= 0x40
            _ = try scratch.file("data.csr", damaged)
            let error = #expect(throws: InputError.self) { try load(path, .besideSource, workers: byte % 2 + 1) }
            #expect(error?.place == path + ".csr", "byte \(byte)")
            #expect(try Data(contentsOf: URL(fileURLWithPath: path + ".csr")) == damaged)
        }
        for count in [0, 7, 71, 111, 120, whole.count - 1] {
            _ = try scratch.file("data.csr", whole.prefix(count))
            #expect(throws: InputError.self) { try load(path, .besideSource) }
        }
    }

    @Test func `a cache that has no place is refused before reading`() throws {
        let path = try scratch.file("data", "bad")
        #expect(throws: InputError.self) { try load("-", .besideSource) }
        let error = #expect(throws: InputError.self) { try load(path, .at(scratch.path + "/none/cache")) }
        #expect(error?.place.hasPrefix("--cache") == true)
    }

    @Test func `neither a source nor a cache that is no regular file is waited for`() throws {
        let path = try scratch.file("data", text)
        let pipe = scratch.path + "/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        let asCache = #expect(throws: InputError.self) { try load(path, .at(pipe)) }
        #expect(asCache?.place == pipe && asCache?.found == "what is no regular file")
        #expect(throws: InputError.self) { try load(path, .at("/dev/null")) }
        for source in [pipe, "/dev/stdin", "/dev/fd/0", "-"] {
            let error = #expect(throws: InputError.self) { try load(source, .at(scratch.path + "/cache")) }
            #expect(error?.place == "--cache", "\(source)")
        }
    }

    @Test func `the bundled data set is flights-late`() throws {
        let test = try load(BundledData.flightsLateTest(), .none, workers: 2).dataset
        #expect(test.rowCount == 64_197 && test.nonzeroCount == 641_970 && test.featureCount <= 9_983)
        #expect(try exists(BundledData.flightsLateTrain()) && exists(BundledData.flightsLateFeatures()))
        #expect(try test.binary().classes?.modelLabels.negative == -1)
    }

    @Test func `the profile counts features by how many rows they are in`() throws {
        let data = try SparseDataset(
            featureCount: 5, rows: [(1, [(0, 1), (2, 1)]), (2, [(2, 1)]), (1, []), (1, [(0, 1), (2, 1), (4, 1)])])
        let profile = try DatasetProfile(data)
        #expect(profile.features.map(\.feature) == [2, 0, 4] && profile.features.map(\.rows) == [3, 2, 1])
        #expect(profile.leastNonzeros == 0 && profile.mostNonzeros == 3 && profile.density == 0.3)
        #expect(profile.shareOfUpdates(onTop: 1) == 0.5 && profile.shareOfUpdates(onTop: 10) == 1)
        #expect(abs(profile.expectedSharedFeatures - (9 + 4 + 1) / 16.0) < 1e-12)
    }

    @Test func `features that are few among billions are counted alike`() throws {
        let rows: [(label: Float, features: [(UInt32, Float)])] = [
            (1, [(0, 1), (7, 1), (4_294_967_293, 1)]), (2, [(7, 1)]), (1, [(7, 1), (4_294_967_293, 1)]),
        ]
        let profile = try DatasetProfile(SparseDataset(rows: rows))
        #expect(profile.features.map(\.feature) == [7, 4_294_967_293, 0] && profile.features.map(\.rows) == [3, 2, 1])
        #expect(abs(profile.expectedSharedFeatures - (9 + 4 + 1) / 9.0) < 1e-12)
    }
}
