import BenchSupport
import Testing

@Suite struct VerdictTests {
    @Test func `a verdict goes by the paired ratio where there is one, and else by figure over reference`() {
        #expect(Verdict("speed", figure: 9, reference: 10, unit: "M/s", .atLeast(0.9)).holds)
        #expect(!Verdict("speed", figure: 9, reference: 10, unit: "M/s", ratio: 0.89, .atLeast(0.9)).holds)
        #expect(!Verdict("memory", figure: 11, reference: 10, unit: "MB", .atMost(1)).holds)
        #expect(!Verdict("memory", figure: .nan, reference: 10, unit: "MB", .atMost(1)).holds)
    }

    @Test func `its line has the figure, the reference, the ratio and the limit`() {
        let verdict = Verdict("parsing", figure: 450, reference: 300, unit: "MB/s", .atLeast(1))
        #expect(verdict.description == "PASS  parsing: 450.0 MB/s to 300.0 MB/s, ratio 1.500, at least 1.00")
    }
}
