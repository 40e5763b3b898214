// Into which chunks asgd cuts the model, on how many servers, and how workers visit them. Plain values; the coordinator asks.

internal import Datasets
internal import Platform
internal import SwitchModel

/// The settings of asgd beyond one server whose updates are atomic and waited for.
struct ModelServers: Sendable {
    static let settings = [
        SettingFacts(
            "servers", default: "1", "servers, each with a chunk of the model, a counter and a lock of its own"),
        SettingFacts(
            "split", default: nil, "sizes of the servers' chunks, such as `4:2:1:1`; equal ones where nothing is said"),
        SettingFacts(
            "pipelined", default: "1",
            "gradients of a worker that may be under way: with more it goes on before a push has arrived"),
        SettingFacts(
            "atomic", default: "yes", "`no`: pieces of a push apply, and pieces of the model are read, one by one"),
        SettingFacts("pieces", default: nil, "with `atomic=no`: pieces of each server's chunk (8)"),
    ]

    let servers: Int
    /// The share of each server.
    private let split: [Int]
    let pipelined: Int
    /// Pieces of each server's chunk; 1 where updates are atomic.
    let pieces: Int

    init(_ settings: inout NamedSettings) throws(InputError) {
        let place = settings.place
        let text = settings.take("split")
        let shares = text.map { $0.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) } }
        if let text, let shares, shares.contains(where: { !(1...1_000_000).contains($0 ?? 0) }) {
            throw InputError(at: place, found: "split=\(text)", expected: "whole numbers from 1, such as split=4:2:1:1")
        }
        servers = try settings.integer("servers", default: shares?.count ?? 1, in: 1...1_024)
        if let text, let shares, shares.count != servers {
            throw InputError(at: place, found: "split=\(text) for \(servers) servers", expected: "a number for each")
        }
        split = shares?.compactMap(\.self) ?? Array(repeating: 1, count: servers)
        pipelined = try settings.integer("pipelined", default: 1, in: 1...1_024)
        enum Answer: String, CaseIterable { case yes, no }
        let isAtomic = try settings.choice("atomic", Answer.self) == .yes
        let pieces = settings.take("pieces")
        if let pieces, isAtomic {
            throw InputError(at: place, found: "pieces=\(pieces) without atomic=no", expected: "both")
        }
        guard let count = Int(pieces ?? "8"), (2...1_024).contains(count) else {
            throw InputError(
                at: place, found: "pieces=\(pieces ?? "")", expected: "pieces to be a whole number in 2...1024")
        }
        self.pieces = isAtomic ? 1 : count
    }

    /// Whether it is the asgd of section 4.1 as it stands there.
    var isPlain: Bool { servers == 1 && pipelined == 1 && pieces == 1 }

    /// Windows, one for each piece.
    var windowCount: Int { servers * pieces }

    func chunks(parameters: Int) -> [ModelChunk] {
        let whole = split.reduce(0, +)
        var chunks: [ModelChunk] = []
        var (sum, begin) = (0, 0)
        for (server, share) in split.enumerated() {
            sum += share
            let end = parameters.multipliedFullWidth(by: sum)
            let last = whole.dividingFullWidth(end).quotient
            let count = last - begin
            for piece in 0..<pieces {
                chunks.append(
                    ModelChunk(
                        server: server,
                        range: begin + count * piece / pieces..<begin + count * (piece + 1) / pieces))
            }
            begin = last
        }
        return chunks
    }

    /// What travels between a worker and each server.
    func loads(parameters: Int) -> ServerLoads {
        var bytes = [Int](repeating: 0, count: servers)
        for chunk in chunks(parameters: parameters) { bytes[chunk.server] += 4 * chunk.range.count }
        return ServerLoads(megabytes: bytes.map { Double($0) / 1e6 }, pipelined: pipelined)
    }
}
