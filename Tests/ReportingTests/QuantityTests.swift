import Reporting
import Testing

@Suite struct QuantityTests {
    @Test(arguments: [
        (0.0, "0"), (0.47463, "0.4746"), (0.5, "0.5000"), (9.99996, "10.00"), (-12.3456, "-12.35"), (123456, "123456"),
        (0.0001, "0.0001000"), (0.00001234, "1.234e-05"), (1e7, "1.000e+07"), (.nan, "nan"), (-.infinity, "-inf"),
    ]) func `a number keeps its significant digits`(value: Double, text: String) {
        #expect(Quantity.number(value) == text)
    }

    @Test(arguments: [
        (0.0, "0"), (7, "7"), (0.25, "0.250"), (999, "999"), (999.6, "1.00 k"), (1_250_000, "1.25 M"),
        (12_345, "12.3 k"),
        (999_999, "1.00 M"), (-2500, "-2.50 k"), (3e16, "30.0 P"),
    ]) func `a count takes the prefix that leaves one to three digits before the point`(value: Double, text: String) {
        #expect(Quantity.count(value) == text)
    }

    @Test(arguments: [
        (0.0, "0 s"), (850e-9, "850 ns"), (12.34e-6, "12.3 us"), (0.34, "340 ms"), (0.9996, "1.00 s"), (12.5, "12.5 s"),
        (59.96, "1 min 00 s"), (184, "3 min 04 s"), (3599.6, "1 h 00 min"), (3725, "1 h 02 min"),
        (86_399, "1 d 00 h"), (190_800, "2 d 05 h"), (-90, "-1 min 30 s"), (.infinity, "inf"),
        (1e30, "1.000e+30 s"),
    ]) func `a duration reads in one or two units and never shows 60 of one`(seconds: Double, text: String) {
        #expect(Quantity.seconds(seconds) == text)
    }

    @Test func `bytes count in powers of 1024`() {
        #expect(
            [0, 1023, 1024, 1_572_864, 5 << 30].map { Quantity.bytes($0) } == [
                "0 B", "1023 B", "1.00 KiB", "1.50 MiB", "5.00 GiB",
            ])
    }

    @Test func `integers group their digits`() {
        #expect([0, 999, 1000, -1_250_000].map { Quantity.grouped($0) } == ["0", "999", "1,000", "-1,250,000"])
        #expect(Quantity.grouped(UInt64.max) == "18,446,744,073,709,551,615")
    }

    @Test func `a share close to nothing or to all is not rounded to it`() {
        #expect(
            [0, 1e-9, 0.125, 0.99999, 1].map(Quantity.percent) == ["0.0%", "<0.1%", "12.5%", ">99.9%", "100.0%"])
    }
}
