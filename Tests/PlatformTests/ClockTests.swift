import Platform
import Testing

@Suite struct ClockTests {
    @Test func `a time to come is at least now, and the last one where it cannot be counted`() {
        let now = monotonicNanoseconds()
        #expect(monotonicNanoseconds(in: 1) >= now + 1_000_000_000)
        for seconds in [0, -1, -1e300, -.infinity] as [Double] { #expect(monotonicNanoseconds(in: seconds) >= now) }
        #expect(monotonicNanoseconds(in: -1e300) < now + 1_000_000_000_000)
        for seconds in [1e10, 1e300, .infinity, .nan] as [Double] { #expect(monotonicNanoseconds(in: seconds) == .max) }
    }
}
