import Compression
import Kernels

/// The configurations and vectors on which every codec must keep its promises.
enum CodecSamples {
    /// Every codec in every shape of its encoded form.
    static let names = [
        "identity",
        "fp16",
        "fp16:rounding=stochastic",
        "bf16",
        "bf16:rounding=stochastic",
        "mantissa-truncation:k=0",
        "mantissa-truncation:k=11",
        "mantissa-truncation:k=16",
        "mantissa-truncation:k=25",
        "mantissa-truncation:k=31",
        "quantize:bits=8",
        "quantize:bits=4,bucket=whole",
        "quantize:bits=2,bucket=64",
        "quantize:bits=1",
        "quantize:bits=3,bucket=whole",
        "quantize:bits=11,bucket=513",
        "quantize:bits=16",
        "quantize:bits=4,rounding=nearest",
        "quantize:bits=7,bucket=16,rounding=nearest",
        "qsgd",
        "qsgd:levels=1,bucket=16",
        "qsgd:levels=5,bucket=whole",
        "qsgd:levels=7,bucket=513",
        "qsgd:levels=32767,bucket=64",
        "qsgd:levels=4,layout=elias",
        "qsgd:levels=200,bucket=16,layout=elias",
        "natural",
        "ternary",
        "ternary:bucket=16",
        "qsgd:levels=32767,bucket=40,layout=elias",
        "ternary:bucket=whole",
        "sign",
        "sign:bucket=8",
        "sign:bucket=whole,norm=l2",
        "top-k:fraction=0.2",
        "top-k:k=3",
        "threshold:rms=1.5",
        "threshold:value=0.4",
        "random-k:fraction=0.3",
        "random-k:k=5,scale=none",
        "sparsify:probability=0.3",
        "sparsify:probability=optimal,density=0.25",
        "top-k:fraction=0.3+quantize:bits=4",
        "random-k:fraction=0.4+quantize:bits=8,bucket=whole",
        "random-k:fraction=0.5,scale=none+sign:bucket=16",
        "threshold:rms=0.5+sign",
        "threshold:rms=0.3+quantize:bits=5,bucket=whole",
        "sparsify:probability=0.6+natural",
        "sparsify:probability=0.5+qsgd:levels=4,layout=elias",
        "threshold:rms=0.4+fp16",
        "sparsify:probability=0.4+identity",
        "sparsify:probability=optimal,density=0.5+sign:norm=l2",
        "nonzeros",
        "nonzeros+quantize:bits=6",
        "low-rank:start=random",
        "low-rank:rank=1,rows=3,start=random",
        "low-rank:rank=2,rows=4,start=warm",
        "count-sketch:rows=5,width=20",
        "count-sketch:rows=1,width=40",
        "count-sketch:rows=2,width=9,recover=top-k,k=4",
    ]

    /// Whether an element may come out with a value so seldom that draws miss it.
    static func hasRareOutcomes(_ name: String) -> Bool { name.hasPrefix("sparsify:probability=optimal") }

    static let tails = [0, 1, 7, 8, 9, 511, 512, 513]

    static func codec(_ name: String, count: Int) throws -> any Codec {
        try CodecConfiguration(parsing: name).makeCodec(count: count)
    }

    /// Three kinds of vectors: even, heavy-tailed with both signs, and mostly zero.
    static func inputs(count: Int) -> [[Float]] {
        var stream = RandomStream(seed: 77)
        func unit() -> Float { 2 * stream.nextUnitFloat() - 1 }
        return [
            (0..<count).map { _ in 0.5 + unit() },
            (0..<count).map { _ in
                let x = unit()
                return x * x * x / (1.01 - abs(x))
            },
            (0..<count).map { $0 % 4 == 1 ? unit() : 0 },
        ]
    }

    /// What may be awkward to scale: all zero, all equal, one huge among tiny, denormals, and large numbers of both signs.
    static func awkward(count: Int) -> [[Float]] {
        func vector(_ element: (Int) -> Float) -> [Float] { (0..<count).map(element) }
        return [
            vector { _ in 0 }, vector { _ in -0.0 }, vector { _ in -2.5 }, vector { $0 == count / 2 ? 1e30 : 1e-30 },
            vector { Float(bitPattern: UInt32($0 % 7)) * ($0 % 2 == 0 ? 1 : -1) },
            vector { $0 % 2 == 0 ? 1e37 : -1e37 },
        ]
    }

    /// The largest floats of both signs, alone and among others of any exponent, then denormals of both signs, alone and among others.
    static func extreme(count: Int) -> [[Float]] {
        var stream = RandomStream(seed: 79)
        func vector(_ element: (UInt32) -> Float) -> [Float] {
            (0..<count).map { _ in element(UInt32(truncatingIfNeeded: stream.next())) }
        }
        func any(_ bits: UInt32) -> Float {
            let value = Float(bitPattern: bits)
            return value.isFinite ? value : 0
        }
        func signed(_ value: Float, _ bits: UInt32) -> Float { bits & 1 == 0 ? value : -value }
        return [
            vector { signed(.greatestFiniteMagnitude, $0) },
            vector { $0 & 14 == 0 ? signed(.greatestFiniteMagnitude, $0) : any($0) },
            vector { $0 & 14 == 0 ? .greatestFiniteMagnitude : abs(any($0)) },
            vector { Float(bitPattern: $0 & 0x8000_0003) },
            vector { $0 & 6 == 0 ? signed(1, $0) : Float(bitPattern: $0 & 0x807F_FFFF) },
        ]
    }
}

extension CodecSamples {
    /// Element i of an endless heavy-tailed vector of both signs.
    static func heavyTailed(_ i: Int) -> Float {
        var stream = RandomStream(seed: 78, step: UInt64(i))
        let x = 2 * stream.nextUnitFloat() - 1
        return x * x * x / (1.01 - abs(x))
    }
}
