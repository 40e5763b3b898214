// The safetensors container: eight bytes of header length, a JSON header, little-endian tensors. Any thread.

internal import Datasets
internal import Foundation
public import Platform

/// Named tensors of 32- and 64-bit floats and text metadata, as https://github.com/huggingface/safetensors defines their file.
public struct SafeTensors: Sendable, Equatable {
    /// How the numbers stand in the file; the raw value is the format's name.
    public enum ElementType: String, Sendable {
        case float = "F32"
        case double = "F64"

        var byteCount: Int { self == .float ? 4 : 8 }
    }

    /// A row-major array: as many values as the product of its shape, each the nearest of the type in the file.
    public struct Tensor: Sendable, Equatable {
        public var shape: [Int]
        public var values: [Double]
        public var type: ElementType

        public init(shape: [Int], values: [Double], type: ElementType = .float) {
            precondition(shape.reduce(1, *) == values.count, "\(values.count) values of shape \(shape)")
            self.shape = shape
            self.values = values
            self.type = type
        }

        /// A vector.
        public init(_ values: [Double], type: ElementType = .float) {
            self.init(shape: [values.count], values: values, type: type)
        }

        fileprivate var byteCount: Int { type.byteCount * values.count }
    }

    public var metadata: [String: String]
    public var tensors: [String: Tensor]

    public init(metadata: [String: String] = [:], tensors: [String: Tensor] = [:]) {
        self.metadata = metadata
        self.tensors = tensors
    }

    /// The bytes of the file; the same content gives the same bytes.
    public func bytes() throws -> [UInt8] {
        var header = Header(metadata: metadata)
        var dataBytes = 0
        // Doubles first, so that they begin at multiples of 8.
        let sorted = tensors.sorted { (-$0.value.type.byteCount, $0.key) < (-$1.value.type.byteCount, $1.key) }
        for (name, tensor) in sorted {
            let end = dataBytes + tensor.byteCount
            header.entries[name] = Header.Entry(
                dtype: tensor.type.rawValue, shape: tensor.shape, dataOffsets: [dataBytes, end])
            dataBytes = end
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var text = try Array(encoder.encode(header))
        // Spaces, so that the tensors begin at a multiple of 8.
        text += [UInt8](repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + text.count + dataBytes)
        func append(_ word: some FixedWidthInteger) {
            unsafe withUnsafeBytes(of: word.littleEndian) { unsafe bytes.append(contentsOf: $0) }
        }
        append(UInt64(text.count))
        bytes += text
        for (_, tensor) in sorted {
            switch tensor.type {
            case .float: for value in tensor.values { append(Float(value).bitPattern) }
            case .double: for value in tensor.values { append(value.bitPattern) }
            }
        }
        return bytes
    }

    /// Reads a file, a pipe or, for `-`, standard input.
    public init(contentsOf path: String) throws(InputError) {
        let file = try TextFile(path, expected: Self.expectedFile)
        // Without the zero byte that ends a text.
        try self.init(parsing: file.contents().dropLast(), name: path == "-" ? "standard input" : path)
    }

    /// Reads the bytes of a file; `name` is for messages.
    ///
    /// Every tensor must be F32 or F64, no key may stand twice, and the tensors must fill the file without gap or overlap, as the format demands.
    public init(parsing bytes: ArraySlice<UInt8>, name: String) throws(InputError) {
        guard bytes.count >= 8 else {
            throw InputError(at: name, found: "\(bytes.count) bytes", expected: Self.expectedFile)
        }
        let headerBytes = bytes.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let rest = bytes.dropFirst(8)
        guard headerBytes <= rest.count else {
            throw InputError(
                at: name, found: "a header of \(headerBytes) bytes in a file of \(bytes.count)",
                expected: Self.expectedFile)
        }
        let header: Header
        do {
            header = try JSONDecoder().decode(Header.self, from: Data(rest.prefix(Int(headerBytes))))
        } catch {
            throw InputError(
                at: name, found: "a header that is no JSON object of tensors", expected: Self.expectedFile)
        }
        if let key = JSONKeys.duplicate(in: rest.prefix(Int(headerBytes))) {
            throw InputError(at: name, found: "two keys \"\(key)\" in one object of its header", expected: "each once")
        }
        let data = rest.dropFirst(Int(headerBytes))
        metadata = header.metadata
        tensors = [:]
        var position = 0
        let inOrder = header.entries.sorted {
            ($0.value.dataOffsets.first ?? 0, $0.value.dataOffsets.last ?? 0, $0.key)
                < ($1.value.dataOffsets.first ?? 0, $1.value.dataOffsets.last ?? 0, $1.key)
        }
        for (key, entry) in inOrder {
            let place = "\(name), tensor \(key)"
            guard let type = ElementType(rawValue: entry.dtype) else {
                throw InputError(at: place, found: "the type \(entry.dtype)", expected: "F32 or F64")
            }
            let offsets = entry.dataOffsets
            guard offsets.count == 2, offsets[0] == position, offsets[1] >= position, offsets[1] <= data.count else {
                throw InputError(
                    at: place, found: "the offsets \(offsets)",
                    expected: "[\(position), …], at most \(data.count)")
            }
            guard let count = Self.elements(of: entry.shape), count == (offsets[1] - position) / type.byteCount,
                (offsets[1] - position) % type.byteCount == 0
            else {
                throw InputError(
                    at: place, found: "the shape \(entry.shape) for \(offsets[1] - position) bytes",
                    expected: "\(type.byteCount) bytes for each element")
            }
            let values = unsafe data.withUnsafeBytes { raw in
                (0..<count).map { i in
                    let place = position + type.byteCount * i
                    return switch type {
                    case .float:
                        unsafe Double(
                            Float(
                                bitPattern: UInt32(
                                    littleEndian: raw.loadUnaligned(fromByteOffset: place, as: UInt32.self))))
                    case .double:
                        unsafe Double(
                            bitPattern: UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: place, as: UInt64.self)))
                    }
                }
            }
            tensors[key] = Tensor(shape: entry.shape, values: values, type: type)
            position = offsets[1]
        }
        guard position == data.count else {
            throw InputError(
                at: name, found: "\(data.count - position) bytes that belong to no tensor",
                expected: Self.expectedFile)
        }
    }

    private static let expectedFile = "a whole safetensors file"

    /// The product of a shape; nil where an extent is negative or the product, in bytes, cannot be counted.
    private static func elements(of shape: [Int]) -> Int? {
        var count = 1
        for extent in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: extent)
            if extent < 0 || overflow { return nil }
            count = product
        }
        return count <= Int.max / 8 ? count : nil
    }
}

/// The JSON header.
private struct Header: Codable {
    struct Entry: Codable {
        let dtype: String
        let shape: [Int]
        let dataOffsets: [Int]

        enum CodingKeys: String, CodingKey {
            case dtype
            case shape
            case dataOffsets = "data_offsets"
        }
    }

    var metadata: [String: String]
    var entries: [String: Entry] = [:]

    /// Every key is a tensor's name but one.
    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }

        static let metadata = Key(stringValue: "__metadata__")
    }

    init(metadata: [String: String]) { self.metadata = metadata }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        metadata = [:]
        for key in container.allKeys {
            if key.stringValue == Key.metadata.stringValue {
                metadata = try container.decode([String: String].self, forKey: key)
            } else {
                entries[key.stringValue] = try container.decode(Entry.self, forKey: key)
            }
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        if !metadata.isEmpty { try container.encode(metadata, forKey: .metadata) }
        for (name, entry) in entries { try container.encode(entry, forKey: Key(stringValue: name)) }
    }
}
