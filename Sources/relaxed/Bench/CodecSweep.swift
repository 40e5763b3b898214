// One codec on vectors of one size: how fast it is beside what memory gives, and what it does to the vector. The main thread makes
// it, one pinned worker runs it.

import Compression
import Glibc
import Kernels
import Platform

/// The vectors that all codecs of a run work on, in memory of the worker that measures.
final class CodecArena: Sendable {
    /// Speed is measured on windows of the input that start at so many places, lest branches be learnt by heart.
    static let windows = 16
    static let windowStep = 64

    let input: PageBuffer<Float>
    let target: PageBuffer<Float>
    let other: PageBuffer<Float>

    /// For vectors of up to `count` elements. Called on the worker, whose node then holds them.
    init(count: Int, input source: CodecInput, seed: UInt64) throws(InputError) {
        input = try PageBuffer(count: count + Self.windows * Self.windowStep, hugePages: true)
        target = try PageBuffer(count: count, hugePages: true)
        other = try PageBuffer(count: count, hugePages: true)
        unsafe source.fill(input.pointer, count: input.count, seed: seed)
    }
}

/// Measures one codec at one size.
struct CodecSweep {
    let configuration: CodecConfiguration
    /// Elements of a vector.
    let count: Int
    let seed: UInt64
    /// Timed rounds; nil for as many as take a quarter of a second.
    let rounds: Int?
    let warmups: Int
    /// Independent encodings from which errors are estimated; even.
    let draws: Int
    let isChecked: Bool

    struct Outcome {
        let name: String
        let isUnbiased: Bool
        let speed: Speed
        let accuracy: Accuracy
        /// Results that were not what they must be; nil where not checked.
        let wrong: Int?
    }

    /// Times of one call each.
    struct Speed {
        let encode: Samples
        let decode: Samples
        let decodeAdd: Samples
        let copy: Samples
        let copyPastCaches: Samples
        let read: Samples
    }

    /// What the codec does to the vector, over the draws.
    struct Accuracy {
        /// Mean length of a message.
        let encodedBytes: Double
        /// |y|^2.
        let squaredNorm: Double
        /// Of |Q(y) - y|^2.
        let squaredError: Estimate
        /// Of |E Q(y) - y|^2: the mean over pairs of draws of the product of their errors, which is unbiased, too.
        let squaredBias: Estimate
        /// The codec's own bound on E|Q(y) - y|^2.
        let bound: Double?
    }

    /// A mean with its standard error.
    struct Estimate {
        let mean: Double
        let standardError: Double

        init(_ values: [Double]) {
            let count = Double(values.count)
            // Equal values have their value as the mean, to the bit.
            let mean = values[0] + values.reduce(0) { $0 + ($1 - values[0]) } / count
            let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            self.mean = mean
            standardError = values.count > 1 ? (squares / (count - 1) / count).squareRoot() : .nan
        }
    }

    func run(on arena: CodecArena) throws -> Outcome {
        let codec = try configuration.makeCodec(count: count)
        let message = try PageBuffer<UInt8>(count: codec.maximumEncodedBytes, hugePages: true)
        let speed = try unsafe measureSpeed(codec, arena, message: message.pointer)
        let accuracy = try unsafe measureAccuracy(codec, arena, message: message.pointer)
        let wrong = isChecked ? try unsafe check(arena, message: message.pointer) : nil
        return Outcome(
            name: codec.name, isUnbiased: codec.isUnbiased, speed: speed, accuracy: accuracy, wrong: wrong)
    }

    // MARK: Speed

    private func measureSpeed(_ codec: any Codec, _ arena: CodecArena, message: UnsafeMutablePointer<UInt8>) throws
        -> Speed
    {
        func window(_ call: Int) -> UnsafePointer<Float> {
            unsafe UnsafePointer(arena.input.pointer) + CodecArena.windowStep * (call % CodecArena.windows)
        }
        let count = count
        let target = unsafe arena.target.pointer
        var length = 0
        var total: Float = 0
        let seconds = try time([
            { call in
                length = try unsafe codec.encode(window(call), step: UInt64(call), seed: seed, into: message)
            },
            { _ in try unsafe codec.decode(message, length, into: target) },
            { _ in try unsafe codec.decode(message, length, adding: 1, to: target) },
            { call in unsafe UnsafeMutableRawPointer(target).copyMemory(from: window(call), byteCount: 4 * count) },
            { call in unsafe copyPastCaches(into: target, from: window(call), count: count) },
            { call in unsafe total += sum(window(call), count: count) },
        ])
        // Kept, so that the reads are not left out; no vector has such a sum.
        if total == -.infinity { Relaxed.say("an infinite input") }
        return Speed(
            encode: seconds[0], decode: seconds[1], decodeAdd: seconds[2], copy: seconds[3],
            copyPastCaches: seconds[4], read: seconds[5])
    }

    /// Times of one call of each operation, which take turns; an operation gets the number of the call.
    private func time(_ operations: [(Int) throws -> Void]) throws -> [Samples] {
        // A sample is of as many calls as take 20 microseconds, so that reading the clock does not count.
        var batches = [Int](repeating: 1, count: operations.count)
        for (k, operation) in operations.enumerated() {
            for call in 0..<warmups { try operation(call) }
            let start = monotonicNanoseconds()
            try operation(0)
            batches[k] = Int(20_000 / max(1, monotonicNanoseconds() - start)) + 1
        }
        var seconds = [[Double]](repeating: [], count: operations.count)
        let begin = monotonicNanoseconds()
        var round = 0
        while round < rounds ?? 5_000 {
            if rounds == nil && round >= 5 && monotonicNanoseconds() - begin > 250_000_000 { break }
            for (k, operation) in operations.enumerated() {
                let start = monotonicNanoseconds()
                for call in 0..<batches[k] { try operation(round &* batches[k] &+ call) }
                seconds[k].append(Double(monotonicNanoseconds() - start) / 1e9 / Double(batches[k]))
            }
            round += 1
        }
        return seconds.map(Samples.init)
    }

    // MARK: Accuracy

    private func measureAccuracy(_ codec: any Codec, _ arena: CodecArena, message: UnsafeMutablePointer<UInt8>) throws
        -> Accuracy
    {
        let input = unsafe UnsafePointer(arena.input.pointer)
        var lengths = 0
        func draw(_ step: Int, into target: UnsafeMutablePointer<Float>) throws {
            let length = try unsafe codec.encode(input, step: UInt64(step), seed: seed, into: message)
            try unsafe codec.decode(message, length, into: target)
            lengths += length
        }
        var squaredNorm = 0.0
        for i in 0..<count { unsafe squaredNorm += Double(input[i]) * Double(input[i]) }
        var errors: [Double] = []
        var products: [Double] = []
        let (first, second) = unsafe (arena.target.pointer, arena.other.pointer)
        for step in stride(from: 0, to: draws, by: 2) {
            try unsafe draw(step, into: first)
            try unsafe draw(step + 1, into: second)
            var (ofFirst, ofSecond, product) = (0.0, 0.0, 0.0)
            for i in 0..<count {
                let a = unsafe Double(first[i]) - Double(input[i])
                let b = unsafe Double(second[i]) - Double(input[i])
                ofFirst += a * a
                ofSecond += b * b
                product += a * b
            }
            errors += [ofFirst, ofSecond]
            products.append(product)
        }
        return Accuracy(
            encodedBytes: Double(lengths) / Double(draws), squaredNorm: squaredNorm, squaredError: Estimate(errors),
            squaredBias: Estimate(products),
            bound: unsafe codec.errorBound(for: Span(_unsafeStart: input, count: count)))
    }

    /// How often the codec contradicts itself: the same draw gives other values, decoding and adding is not adding what decoding
    /// gives, or a message is longer than stated. On new instances, since a codec may go on from what it encoded before.
    private func check(_ arena: CodecArena, message: UnsafeMutablePointer<UInt8>) throws -> Int {
        let (codec, twin) = (try configuration.makeCodec(count: count), try configuration.makeCodec(count: count))
        let input = unsafe UnsafePointer(arena.input.pointer)
        let (decoded, other) = unsafe (arena.target.pointer, arena.other.pointer)
        let length = try unsafe codec.encode(input, step: 0, seed: seed, into: message)
        try unsafe codec.decode(message, length, into: decoded)
        let again = try unsafe twin.encode(input, step: 0, seed: seed, into: message)
        try unsafe codec.decode(message, again, into: other)
        var wrong = again != length || codec.hasFixedSize && length != codec.maximumEncodedBytes ? 1 : 0
        for i in 0..<count where unsafe decoded[i].bitPattern != other[i].bitPattern { wrong += 1 }

        let scale: Float = -0.75
        unsafe other.update(from: input, count: count)
        try unsafe codec.decode(message, again, adding: scale, to: other)
        for i in 0..<count {
            let product = unsafe scale * decoded[i]
            let sum = unsafe input[i] + product
            // A product that is rounded before it is added, or not.
            let slack = (abs(product) + abs(sum)) * .ulpOfOne + .leastNormalMagnitude
            let isAdded = unsafe abs(other[i] - sum) <= slack
            if !isAdded { wrong += 1 }
        }
        return wrong
    }
}

/// A codec's calls on raw memory of its own sizes.
extension Codec {
    fileprivate func encode(
        _ vector: UnsafePointer<Float>, step: UInt64, seed: UInt64, into message: UnsafeMutablePointer<UInt8>
    ) throws(CodecError) -> Int {
        var bytes = unsafe MutableRawSpan(_unsafeStart: message, byteCount: maximumEncodedBytes)
        return try unsafe encode(
            Span(_unsafeStart: vector, count: count), draw: CodecDraw(seed: seed, step: step), into: &bytes)
    }

    fileprivate func decode(_ message: UnsafePointer<UInt8>, _ length: Int, into target: UnsafeMutablePointer<Float>)
        throws(CodecError)
    {
        var vector = unsafe MutableSpan(_unsafeStart: target, count: count)
        try unsafe decode(RawSpan(_unsafeStart: message, byteCount: length), into: &vector)
    }

    fileprivate func decode(
        _ message: UnsafePointer<UInt8>, _ length: Int, adding scale: Float, to target: UnsafeMutablePointer<Float>
    ) throws(CodecError) {
        var vector = unsafe MutableSpan(_unsafeStart: target, count: count)
        try unsafe decode(RawSpan(_unsafeStart: message, byteCount: length), adding: scale, to: &vector)
    }
}
