import Datasets
import Foundation
import Objectives
import Platform
import Testing

@Suite struct DenseModelTests {
    static func model(_ loss: OutputLoss, hidden: [Int] = [3]) throws -> DenseModel {
        let network = try MultilayerPerceptron(
            inputs: 4, hidden: hidden, outputs: 2, activation: .gelu, loss: loss)
        return DenseModel(
            network: network, parameters: PerceptronTests.parameters(network.parameterCount),
            standardisation: .init(offsets: [1, -2, 0.5, 1e-30], scales: [1, 2, 3, 4], fills: [0, -2, 0.5, 9]),
            targetStandardisation: loss == .squared ? .init(offsets: [7, 8], scales: [0.5, 3]) : nil,
            classNames: loss == .softmax ? ["a/b", "\"é\""] : nil,
            columns: [
                DenseColumn(name: "a"), .init(name: "p", kind: .pixel), .init(column: "k", category: "é"),
                .init(name: "1"),
            ],
            labelName: "a \"label\"", notes: ["data": "x,y"])
    }

    static func refusal(_ bytes: [UInt8]) -> String? {
        do {
            _ = try DenseModel(SafeTensors(parsing: bytes[...], name: "m"), name: "m")
            return nil
        } catch { return "\(error)" }
    }

    @Test(arguments: OutputLoss.allCases) func `a model survives its file`(loss: OutputLoss) throws {
        for hidden in [[], [3], [3, 1, 2]] {
            let model = try Self.model(loss, hidden: hidden)
            let bytes = try model.safeTensors().bytes()
            #expect(try DenseModel(SafeTensors(parsing: bytes[...], name: "m"), name: "m") == model)
        }
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("model-\(UUID()).safetensors").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let model = try Self.model(loss)
        try model.write(to: path)
        #expect(try DenseModel(contentsOf: path) == model)
        #expect(throws: InputError.self) { try DenseModel(contentsOf: path + ".not") }
    }

    @Test func `the bytes are those of the format`() throws {
        let file = SafeTensors(metadata: ["k": "v"], tensors: ["t": .init(shape: [1, 2], values: [1, -2])])
        let header = #"{"__metadata__":{"k":"v"},"t":{"data_offsets":[0,8],"dtype":"F32","shape":[1,2]}}       "#
        let expected =
            [UInt8(header.utf8.count), 0, 0, 0, 0, 0, 0, 0] + Array(header.utf8) + [0, 0, 128, 63, 0, 0, 0, 192]
        #expect(try file.bytes() == expected)
    }

    @Test func `a key that stands twice is refused, however it is written`() throws {
        let t = #""t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#
        for header in [
            "{\(t),\(t)}", #"{\#(t),"\u0074":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
            #"{"t":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
            #"{"__metadata__":{"k":"a","k":"b"},\#(t)}"#, #"{"__metadata__":{"k":"a"},"__metadata__":{},\#(t)}"#,
        ] {
            let error = #expect(throws: InputError.self) {
                try SafeTensors(parsing: bytes(header, data: 4)[...], name: "m")
            }
            #expect(error?.found.contains("two keys") == true, "\(header)")
        }
        let values = #"{"__metadata__":{"k":"k","l":"{\"k\":1,\"k\":2}"},\#(t)}"#
        #expect(try SafeTensors(parsing: bytes(values, data: 4)[...], name: "m").metadata.count == 2)
    }

    @Test func `doubles stand before floats, and come back with all their bits`() throws {
        let file = SafeTensors(tensors: ["a": .init([0.1]), "b": .init([0.1, -1e300], type: .double)])
        let bytes = try file.bytes()
        let header =
            #"{"a":{"data_offsets":[16,20],"dtype":"F32","shape":[1]},"b":{"data_offsets":[0,16],"dtype":"F64""#
        #expect(String(decoding: bytes.dropFirst(8).prefix(header.utf8.count), as: UTF8.self) == header)
        let read = try SafeTensors(parsing: bytes[...], name: "m")
        #expect(read.tensors["b"] == file.tensors["b"] && read.tensors["a"]?.values == [Double(Float(0.1))])
    }

    @Test func `a standardisation in 32 bits, as earlier files have it, is read`() throws {
        var file = try Self.model(.squared).safeTensors()
        for key in file.tensors.keys { file.tensors[key]!.type = .float }
        let model = try DenseModel(SafeTensors(parsing: file.bytes()[...], name: "m"), name: "m")
        #expect(model.standardisation?.offsets.count == model.network.inputs)
    }

    /// A file with this header and so many bytes of tensors.
    private func bytes(_ header: String, data: Int) -> [UInt8] {
        let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
        return length + Array(header.utf8) + [UInt8](repeating: 0, count: data)
    }

    private func tensor(_ name: String, _ begin: String, _ end: String, shape: String = "2", type: String = "F32")
        -> String
    {
        #""\#(name)":{"dtype":"\#(type)","shape":[\#(shape)],"data_offsets":[\#(begin),\#(end)]}"#
    }

    @Test func `a container that is none is refused with its place`() {
        func place(_ header: String, data: Int = 16) -> String? {
            do {
                _ = try SafeTensors(parsing: bytes(header, data: data)[...], name: "m")
                return nil
            } catch { return error.place }
        }
        let a = tensor("a", "0", "8")
        #expect(place("{\(a),\(tensor("b", "8", "16"))}") == nil && place("{}", data: 0) == nil)
        // Overlap, gap, beyond the end, backwards, bytes of nobody.
        #expect(place("{\(a),\(tensor("b", "4", "12"))}", data: 12) == "m, tensor b")
        #expect(place("{\(a),\(tensor("b", "12", "20"))}", data: 20) == "m, tensor b")
        #expect(place("{\(a),\(tensor("b", "8", "24", shape: "4"))}") == "m, tensor b")
        #expect(place("{\(a),\(tensor("b", "8", "0"))}") == "m, tensor b")
        #expect(place("{\(a)}") == "m")
        // Shapes.
        for shape in ["3", "-2", "-1,-2", "4294967296,4294967296,2", ""] {
            #expect(place("{\(tensor("a", "0", "8", shape: shape))}", data: 8) == "m, tensor a", "\(shape)")
        }
        #expect(place("{\(tensor("a", "0", "7"))}", data: 7) == "m, tensor a")
        #expect(place("{\(tensor("a", "0", "8", type: "F64"))}", data: 8) == "m, tensor a")
        // Headers.
        for header in [
            "", "[]", "{", "{\"a\":1}", "{\(tensor("a", "0.5", "8"))}", "{\(tensor("a", "true", "8"))}",
            "{\(tensor("a", "0", "99999999999999999999"))}", "{\"__metadata__\":{\"k\":1}}",
        ] {
            #expect(place(header) == "m", "\(header)")
        }
        for bytes: [UInt8] in [
            [], [1, 0, 0, 0, 0, 0, 0], [255, 255, 255, 255, 255, 255, 255, 255, 0], [3] + .init(repeating: 0, count: 9),
        ] {
            #expect(throws: InputError.self) { try SafeTensors(parsing: bytes[...], name: "m") }
        }
    }

    @Test func `a container that holds no model is refused`() throws {
        func refusal(_ loss: OutputLoss = .softmax, _ change: (inout SafeTensors) -> Void) throws -> String? {
            var file = try Self.model(loss).safeTensors()
            change(&file)
            do {
                _ = try DenseModel(file, name: "m")
                return nil
            } catch { return "\(error)" }
        }
        #expect(try refusal { _ in } == nil)
        #expect(try refusal { $0.metadata["version"] = "2" } == "m: found the version \"2\", expected 1")
        for key in ["format", "version", "kind", "activation", "loss", "classes", "columns"] {
            if key != "columns" { #expect(try refusal { $0.metadata[key] = nil } != nil) }
            #expect(try refusal { $0.metadata[key] = "[\"x\"]" } != nil)
        }
        for key in ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias", "standardisation.scale"] {
            #expect(try refusal { $0.tensors[key] = nil } != nil, "\(key)")
            #expect(try refusal { $0.tensors[key]!.values[0] = .nan } != nil, "\(key)")
            #expect(try refusal { $0.tensors[key] = .init([Double](repeating: 1, count: 5)) } != nil, "\(key)")
        }
        #expect(try refusal { $0.tensors["standardisation.scale"]!.values[1] = 0 } != nil)
        #expect(try refusal { $0.tensors["layers.2.bias"] = .init([1]) } != nil)
        #expect(try refusal { $0.tensors["targets.offset"] = .init([1, 1]) } != nil)
        #expect(try refusal(.squared) { $0.tensors["targets.offset"] = .init([1]) } != nil)
    }

    @Test func `no cut or changed byte of a file gets further than a refusal`() throws {
        let whole = try Self.model(.softmax).safeTensors().bytes()
        for length in stride(from: 0, to: whole.count, by: 3) {
            #expect(Self.refusal(Array(whole[..<length])) != nil, "\(length)")
        }
        // A changed byte may leave another valid model, but must not trap.
        for at in stride(from: 0, to: whole.count, by: 5) {
            for byte: UInt8 in [0, 0x2D, 0x39, 0xFF] {
                var bytes = whole
                bytes[at] = byte
                if at < 8 && byte != whole[at] { #expect(Self.refusal(bytes) != nil) } else { _ = Self.refusal(bytes) }
            }
        }
    }
}
