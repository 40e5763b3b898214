// What is measured against what: one of our codecs and the C functions that do the same work.

import BenchSupport
import Compression
import Platform

/// A codec of ours beside C.
struct Duel: Sendable {
    let name: String
    /// Ours, as on the command line.
    let codec: String
    /// The C functions that encode and decode.
    let avx2: (encode: String, decode: String)?
    let avx512: (encode: String, decode: String)
    /// C's encoding with error feedback.
    var fusedAVX512: String?
    /// Whether ours has a fused encoding with error feedback that is measured.
    var isFused = false
    /// What our rate must be at the least, as a part of C's; nil where it is only shown.
    var limit: Double?
    /// By how much squared errors may differ, which are equal for deterministic codecs.
    let slack: Double

    /// The side that the limit refers to.
    var reference: Side.Name { avx2 == nil ? .avx512 : .avx2 }

    static let all: [Duel] =
        [8, 4, 2].map { bits in
            Duel(
                name: "\(bits)-bit", codec: "quantize:bits=\(bits),bucket=512", avx2: ("r2_q\(bits)", "r2_q\(bits)_d"),
                avx512: ("r_q\(bits)v", "r_q\(bits)_d"), fusedAVX512: bits > 2 ? "r_ef_q\(bits)" : nil, isFused: true,
                limit: 0.9, slack: 0.03)
        } + [
            Duel(
                name: "sign", codec: "sign:bucket=512", avx2: ("r2_sign", "r2_sign_d"), avx512: ("r_sign", "r_sign_d"),
                isFused: true, limit: 0.9, slack: 1e-4),
            Duel(
                name: "bf16", codec: "bf16", avx2: ("r2_bf16", "r2_bf16_d"), avx512: ("r_bf16", "r_bf16_d"), limit: 0.9,
                slack: 1e-4),
            Duel(
                name: "top-1%", codec: "top-k:fraction=0.01", avx2: nil, avx512: ("r_topk_s", "r_topk_d"),
                isFused: true, limit: 0.7, slack: 1e-3),
            Duel(
                name: "random-1%", codec: "random-k:fraction=0.01", avx2: nil, avx512: ("r_randk", "r_randk_d"),
                limit: 0.9, slack: 0.5),
            Duel(
                name: "stochastic bf16", codec: "bf16:rounding=stochastic", avx2: nil, avx512: ("r_bf16s", "r_bf16_d"),
                slack: 0.3),
            Duel(name: "fp16", codec: "fp16", avx2: nil, avx512: ("r_fp16", "r_fp16_d"), slack: 1e-3),
            Duel(
                name: "ternary", codec: "ternary:bucket=512", avx2: nil, avx512: ("r_tern", "r_q2_d"), isFused: true,
                slack: 0.03),
            Duel(
                name: "qsgd", codec: "qsgd:levels=127,bucket=512", avx2: nil, avx512: ("r_qsgd8", "r_q8_d"),
                isFused: true, slack: 0.03),
        ]

    /// Ours, and what of C there is here. Called on the worker, in whose memory the messages then are.
    func sides(_ field: Field, _ yardsticks: Yardsticks) throws -> [Side] {
        var sides = [try ours(field)]
        if let avx2, let library = yardsticks.avx2 {
            sides.append(try Self.side(.avx2, library, avx2.encode, avx2.decode, nil, field))
        }
        if let library = yardsticks.avx512 {
            sides.append(try Self.side(.avx512, library, avx512.encode, avx512.decode, fusedAVX512, field))
        }
        return sides
    }

    private func ours(_ field: Field) throws -> Side {
        let encoder = try Encoder(CodecConfiguration(parsing: codec), field)
        var operations = [
            Side.Operation("encode") { encoder.encode() }, Side.Operation("decode") { encoder.decode() },
        ]
        if isFused { operations.append(Side.Operation("fused") { encoder.encodeWithFeedback() }) }
        return Side(name: .ours, operations: operations)
    }

    private typealias CEncode =
        @convention(c) (UnsafePointer<Float>, Int, UnsafeMutablePointer<UInt8>, UInt64) -> Int
    private typealias CFused =
        @convention(c) (UnsafePointer<Float>, UnsafeMutablePointer<Float>, Int, UnsafeMutablePointer<UInt8>, UInt64) ->
        Int
    private typealias CDecode =
        @convention(c) (UnsafePointer<UInt8>, Int, UnsafeMutablePointer<Float>, Int) -> Void

    private static func side(
        _ name: Side.Name, _ library: YardstickLibrary, _ encode: String, _ decode: String, _ fused: String?,
        _ field: Field
    ) throws -> Side {
        let encode = try unsafe library.function(encode, as: CEncode.self)
        let decode = try unsafe library.function(decode, as: CDecode.self)
        let message = try Message(byteCount: 4 * field.count + 65_536)
        var operations = [
            Side.Operation("encode") {
                message.length = unsafe encode(
                    field.input.pointer, field.count, message.buffer.pointer, message.nextStep())
            },
            Side.Operation("decode") {
                unsafe decode(message.buffer.pointer, message.length, field.output.pointer, field.count)
            },
        ]
        if let fused {
            let encode = try unsafe library.function(fused, as: CFused.self)
            operations.append(
                Side.Operation("fused") {
                    message.length = unsafe encode(
                        field.input.pointer, field.residual.pointer, field.count, message.buffer.pointer,
                        message.nextStep())
                })
        }
        return Side(name: name, operations: operations)
    }
}

/// One contestant of a duel.
struct Side: Sendable {
    enum Name: String, CustomStringConvertible {
        case ours
        case avx2 = "C AVX2"
        case avx512 = "C AVX-512"

        var description: String { rawValue }
    }

    /// Something it does with the field.
    struct Operation: Sendable {
        let name: String
        let run: @Sendable () -> Void

        init(_ name: String, run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }

    let name: Name
    let operations: [Operation]
}

/// A message in its buffer.
final class Message: @unchecked Sendable {
    // Sendable: one worker uses it.
    let buffer: PageBuffer<UInt8>
    var length = 0
    private var step: UInt64 = 0

    init(byteCount: Int) throws(InputError) { buffer = try PageBuffer(count: byteCount, hugePages: true) }

    func nextStep() -> UInt64 {
        step += 1
        return step
    }
}

/// One of our codecs on a field.
private final class Encoder: @unchecked Sendable {
    // Sendable: one worker uses it.
    private let codec: any Codec
    private let fused: (any FusedFeedbackCodec)?
    /// What error feedback keeps.
    private let memory: PageBuffer<Float>
    private let field: Field
    private let message: Message

    init(_ configuration: CodecConfiguration, _ field: Field) throws {
        codec = try configuration.makeCodec(count: field.count)
        fused = codec as? any FusedFeedbackCodec
        memory = try PageBuffer(count: fused?.feedbackCount ?? 0, hugePages: true)
        self.field = field
        message = try Message(byteCount: codec.maximumEncodedBytes)
    }

    func encode() {
        do {
            var bytes = unsafe MutableRawSpan(_unsafeStart: message.buffer.pointer, byteCount: message.buffer.count)
            message.length = try unsafe codec.encode(
                Span(_unsafeStart: UnsafePointer(field.input.pointer), count: field.count), draw: nextDraw(),
                into: &bytes)
        } catch {
            fatalError("\(codec.name): \(error)")
        }
    }

    func encodeWithFeedback() {
        guard let fused else { fatalError("\(codec.name) has no fused error feedback") }
        do {
            var bytes = unsafe MutableRawSpan(_unsafeStart: message.buffer.pointer, byteCount: message.buffer.count)
            var memory = unsafe MutableSpan(_unsafeStart: memory.pointer, count: memory.count)
            message.length = try unsafe fused.encode(
                Span(_unsafeStart: UnsafePointer(field.input.pointer), count: field.count), feedback: &memory,
                scale: 1, draw: nextDraw(), into: &bytes)
        } catch {
            fatalError("\(codec.name): \(error)")
        }
    }

    func decode() {
        do {
            var vector = unsafe MutableSpan(_unsafeStart: field.output.pointer, count: field.count)
            try unsafe codec.decode(
                RawSpan(_unsafeStart: message.buffer.pointer, byteCount: message.length), into: &vector)
        } catch {
            fatalError("\(codec.name): \(error)")
        }
    }

    private func nextDraw() -> CodecDraw { CodecDraw(seed: 1, step: message.nextStep()) }
}

/// The C codecs compiled for this machine, as far as they can be.
struct Yardsticks {
    let avx2: YardstickLibrary?
    let avx512: YardstickLibrary?

    init(scratch: String) {
        let options = ["-O3", "-march=native"]
        avx2 = YardstickLibrary("codecs_avx2", sources: ["codecs_avx2.c"], options: options, scratch: scratch)
        avx512 = YardstickLibrary("codecs_avx512", sources: ["codecs_avx512.c"], options: options, scratch: scratch)
    }
}
