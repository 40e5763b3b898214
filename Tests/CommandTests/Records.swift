import Foundation

/// The keys of a training record that other programs rely on; those that are not optional must be there.
struct Record: Decodable {
    struct Point: Decodable, Equatable {
        let epoch: Double
        let updates: Int
        let seconds: Double
        let loss: Double?
        let accuracy: Double?
        let auc: Double?
        let r2: Double?
        let trainLoss: Double?
        let gradientNormSquared: Double?
    }

    struct Staleness: Decodable {
        let count: Int
        let mean: Double
        let p50: Int
        let p90: Int
        let p99: Int
        let max: Int
        let histogram: [[Int]]
        let perWorker: [Worker]

        private enum CodingKeys: CodingKey { case count, mean, p50, p90, p99, max, histogram, perWorker }

        /// Figures of nothing are null in a record, and 0 here.
        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            count = try container.decode(Int.self, forKey: .count)
            mean = try container.decode(Double?.self, forKey: .mean) ?? 0
            p50 = try container.decode(Int?.self, forKey: .p50) ?? 0
            p90 = try container.decode(Int?.self, forKey: .p90) ?? 0
            p99 = try container.decode(Int?.self, forKey: .p99) ?? 0
            max = try container.decode(Int?.self, forKey: .max) ?? 0
            histogram = try container.decode([[Int]].self, forKey: .histogram)
            perWorker = try container.decode([Worker].self, forKey: .perWorker)
        }
    }

    struct Worker: Decodable {
        let rank: Int
        let count: Int
        let mean: Double
        let max: Int
        let histogram: [[Int]]

        private enum CodingKeys: CodingKey { case rank, count, mean, max, histogram }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            rank = try container.decode(Int.self, forKey: .rank)
            count = try container.decode(Int.self, forKey: .count)
            mean = try container.decode(Double?.self, forKey: .mean) ?? 0
            max = try container.decode(Int?.self, forKey: .max) ?? 0
            histogram = try container.decode([[Int]].self, forKey: .histogram)
        }
    }

    struct Settings: Decodable {
        let algorithm: String
        let workers: Int
        let seed: Int
        let stepSize: String
        let cpus: [Int?]
    }

    struct Machine: Decodable {
        let processor: String
        let onlineCPUs: Int
    }

    struct Toolchain: Decodable {
        let swift: String
    }

    let schema: Int
    let commandLine: [String]
    let seed: Int
    let machine: Machine
    let toolchain: Toolchain
    let settings: Settings
    let status: String
    let points: [Point]
    let keptPoint: Int
    let updates: Int
    let updatesPerSecond: Double
    let evaluationSeconds: Double
    let processSeconds: Double
    let processorSeconds: Double
    let staleness: Staleness
}

/// Several records in one object; the head stands beside them.
struct RecordList: Decodable {
    struct Run: Decodable {
        let settings: Record.Settings
        let points: [Record.Point]
        let staleness: Record.Staleness
        let updatesPerSecond: Double
        let status: String
    }

    let schema: Int
    let runs: [Run]
}

/// Reads all of `text` as one JSON value.
func decode<Value: Decodable>(_: Value.Type, _ text: String) throws -> Value {
    try JSONDecoder().decode(Value.self, from: Data(text.utf8))
}

func decode<Value: Decodable>(_ text: String) throws -> Value { try decode(Value.self, text) }
