import Datasets
import Foundation
import Platform
import Testing

@Suite struct CSVReaderConcurrencyTests {
    let scratch = try! Scratch()

    /// What reading gives: the rows, or the one line of the error.
    private func outcome(_ path: String, workers: Int, chunkBytes: Int) -> String {
        do {
            let data = try dense(path, workers: workers, chunkBytes: chunkBytes) { $0.label = "label" }
            return "\(data.columnNames) \(data.classNames ?? []) \(data.allLabels) \(data.allValues)"
        } catch {
            return "\(error)"
        }
    }

    @Test func `workers that share a text out give the rows of one`() throws {
        var text = "a,\"b, c\",kind,label\n"
        for k in 0..<400 {
            text += "\(k),\(k % 9 == 0 ? "" : "0.\(k)"),\"k\n\(k % 11)\",\(["x", "y", "\"z\"\"\""][k % 3])\n"
        }
        let path = try scratch.file("data.csv", text)
        let alone = outcome(path, workers: 1, chunkBytes: 1 << 20)
        #expect(alone.contains("kind=k\\n10") && alone.contains("z\\\""))
        for chunkBytes in [64, 500, 3_000] {
            #expect(outcome(path, workers: 4, chunkBytes: chunkBytes) == alone)
        }
    }

    @Test func `damaged text is read or refused in the same way, whatever the chunks`() throws {
        let sound = Array("a,b,label\n1,\"x\",0\r\n-2.5,\"y\n\"\"z\",1\n\n,x,0\n3e1,\"\",7".utf8)
        let bytes = Array("\",\n\r ;.-9x".utf8) + [0, 0xFF]
        var random = UInt64(5)
        func draw(_ bound: Int) -> Int {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(random >> 33) % bound
        }
        var refused = 0
        for _ in 0..<150 {
            var text = sound
            for _ in 0...draw(3) {
                let place = draw(text.count)
                if draw(2) == 0 { text[place] = bytes[draw(bytes.count)] } else { text.remove(at: place) }
            }
            let path = try scratch.file("data.csv", text)
            let whole = outcome(path, workers: 1, chunkBytes: 1 << 20)
            #expect(outcome(path, workers: 2, chunkBytes: 1 + draw(12)) == whole, "\(text)")
            if whole.hasPrefix(path) || whole.hasPrefix("--label") { refused += 1 }
        }
        #expect(refused > 30 && refused < 140)
    }
}
