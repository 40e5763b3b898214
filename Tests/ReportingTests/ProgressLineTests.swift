import Glibc
import Testing

@testable import Reporting

@Suite struct ProgressLineTests {
    /// What `body` makes a progress line write.
    private func written(isShown: Bool, _ body: (inout ProgressLine) -> Void) -> String {
        var ends: [Int32] = [0, 0]
        unsafe pipe(&ends)
        do {
            var line = ProgressLine(isShown: isShown, descriptor: ends[1], now: 0)
            body(&line)
        }
        close(ends[1])
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe read(ends[0], &bytes, bytes.count)
        close(ends[0])
        return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
    }

    @Test func `nothing is written, nor computed, where no terminal looks on`() {
        let text = written(isShown: false) { line in
            line.update(
                now: 1,
                {
                    Issue.record("the state was computed")
                    return .init(label: "sgd", fraction: 0.5)
                }())
            line.clear()
        }
        #expect(text == "")
    }

    @Test func `a quiet line is not shown`() {
        let isShown = ProgressLine(isQuiet: true).isShown
        #expect(!isShown)
    }

    @Test func `the line is rewritten in place at most ten times a second and taken away at the end`() {
        let text = written(isShown: true) { line in
            line.update(now: 1, .init(label: "sgd", fraction: 0.1))
            line.update(now: 1.05, .init(label: "too soon", fraction: 0.15))
            line.update(now: 1.2, .init(label: "sgd", fraction: 0.2))
        }
        #expect(
            text == "\r\u{1B}[2K\u{1B}[?7lsgd  10%  9 s left\u{1B}[?7h"
                + "\r\u{1B}[2K\u{1B}[?7lsgd  20%  5 s left\u{1B}[?7h\r\u{1B}[2K")
    }

    @Test func `after a clear the next update shows at once`() {
        let text = written(isShown: true) { line in
            line.update(now: 1, .init(label: "a", fraction: 0))
            line.clear()
            line.update(now: 1.01, .init(label: "b", fraction: 0))
            line.clear()
        }
        #expect(text.contains("b  0%"))
        #expect(text.hasSuffix("\r\u{1B}[2K"))
    }

    @Test func `the line says loss, rate, share done and time left`() {
        let state = ProgressLine.State(label: "hogwild", fraction: 0.25, loss: 0.48123, updatesPerSecond: 1.25e6)
        #expect(
            ProgressLine.text(state, elapsed: 60) == "hogwild  25%  loss 0.4812  1.25 M updates/s  3 min 00 s left")
    }
}
