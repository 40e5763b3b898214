import Testing

@testable import Platform

@Suite struct StampClockTests {
    @Test func `stamps do not run backwards, nor does their rate depend on the clock that is taken`() {
        for source in Set([StampClock.best.source, .monotonic]) {
            let clock = StampClock(source)
            let first = clock.now()
            #expect(clock.now(after: 1) >= first)
            // Ticks of a second: of a counter between 10 MHz and 10 GHz.
            let rate = clock.ticksPerSecond
            #expect(source == .monotonic ? rate == 1e9 : rate > 1e7 && rate < 1e10)
        }
    }

    @Test func `the counter is not trusted where the kernel has given it up`() {
        #expect(!StampClock.isTrusted("hpet") && !StampClock.isTrusted("acpi_pm"))
        #expect(StampClock.isTrusted("tsc") == StampClock.isTrusted(nil))
    }
}
