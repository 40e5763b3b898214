import Compression
import Kernels
import Testing

/// Bytes that no encoder wrote: every decoder refuses them, or gives finite numbers, and stays inside its buffers.
@Suite struct CodecFuzzTests {
    /// Decodes in both ways; what comes of a message that is accepted must be finite.
    private func feed(_ codec: any Codec, _ bytes: [UInt8], _ what: @autoclosure () -> String) -> Bool {
        let message = GuardedBytes(bytes: bytes)
        var isAccepted = true
        let target = GuardedBytes(byteCount: 4 * codec.count)
        do {
            try codec.decode(message, bytes.count, into: target)
            if !target.floats.allSatisfy(\.isFinite) {
                Issue.record(
                    "\(what()): accepted, but element \(target.floats.firstIndex { !$0.isFinite }!) is not finite")
            }
        } catch { isAccepted = false }
        let sum = GuardedBytes([Float](repeating: 1, count: codec.count))
        var isAdded = true
        do { try codec.decode(message, bytes.count, adding: 0.5, to: sum) } catch { isAdded = false }
        if !target.isUnharmed || !sum.isUnharmed || !message.isUnharmed {
            Issue.record("\(what()): memory outside of the buffers was written")
        }
        if isAdded != isAccepted { Issue.record("\(what()): one way of decoding refuses what the other accepts") }
        return isAccepted
    }

    @Test(arguments: CodecSamples.names)
    func `a message that is cut, extended or meant for another is refused`(name: String) throws {
        for count in [0, 1, 9, 300] {
            let codec = try CodecSamples.codec(name, count: count)
            let bytes = try codec.encoded(CodecSamples.inputs(count: count)[1])
            #expect(feed(codec, bytes, "intact"))
            let step = max(1, bytes.count / 60)
            for length in Set(stride(from: 0, to: bytes.count, by: step)).union([bytes.count - 1]) {
                #expect(!feed(codec, Array(bytes[..<length]), "cut to \(length)"), "cut to \(length) of \(bytes.count)")
            }
            for extra in [1, 2, 3, 4, 8, 64] {
                #expect(!feed(codec, bytes + [UInt8](repeating: 0, count: extra), "extended"), "extended by \(extra)")
            }
            for at in 0..<CodecHeader.byteCount {
                for bit in 0..<8 {
                    var changed = bytes
                    changed[at] ^= 1 << bit
                    #expect(!feed(codec, changed, "header"), "bit \(bit) of byte \(at) of the header")
                }
            }
        }
    }

    @Test(arguments: CodecSamples.names)
    func `random bytes, changed bits and shuffled messages are refused or give finite numbers`(name: String) throws {
        var stream = RandomStream(seed: 99)
        func random(_ bound: Int) -> Int { Int(stream.next(upperBound: UInt64(bound))) }
        for count in [1, 9, 130, 600] {
            let codec = try CodecSamples.codec(name, count: count)
            let inputs = CodecSamples.inputs(count: count) + CodecSamples.awkward(count: count)
            for round in 0..<150 {
                var bytes = try codec.encoded(inputs[random(inputs.count)], draw: CodecDraw(seed: UInt64(round)))
                let payload = CodecHeader.byteCount..<bytes.count
                if payload.isEmpty { continue }
                switch round % 5 {
                case 0:
                    // A few bits, most often near the start, where lengths and scales stand.
                    for _ in 0...random(4) {
                        bytes[payload.lowerBound + random(random(payload.count) + 1)] ^= 1 << random(8)
                    }
                case 1:
                    for at in payload { bytes[at] = UInt8(random(256)) }
                case 2:
                    let fill: UInt8 = [0, 0xFF, 0x7F, 0x80][random(4)]
                    for at in payload.lowerBound + random(payload.count)..<payload.upperBound { bytes[at] = fill }
                case 3:
                    bytes = Array(bytes[..<(payload.lowerBound + random(payload.count))])
                    for _ in 0..<random(2 * codec.maximumEncodedBytes) { bytes.append(UInt8(random(256))) }
                default:
                    bytes = (0..<random(2 * codec.maximumEncodedBytes)).map { _ in UInt8(random(256)) }
                }
                _ = feed(codec, bytes, "count \(count), round \(round)")
            }
        }
    }
}
