// How numbers are written for people, in one place: significant digits, counts, bytes and durations. Not for JSON, which
// keeps full precision.

import Glibc

/// Formats numbers for tables and progress lines; what is missing or undefined is written `-`.
public enum Quantity {
    /// `value` with `digits` significant digits, trailing zeros kept; scientific below 1e-4 and from 1e7 on.
    public static func number(_ value: Double, digits: Int = 4) -> String {
        guard value.isFinite else { return nonFinite(value) }
        guard value != 0 else { return "0" }
        let magnitude = exponent(of: value, digits: digits)
        guard (-4..<7).contains(magnitude) else { return scientific(value, digits: digits) }
        return fixed(value, decimals: max(0, digits - 1 - magnitude))
    }

    /// `value` with at most `digits` significant digits, without trailing zeros: `14`, `0.25`.
    public static func plain(_ value: Double, digits: Int = 6) -> String {
        let text = number(value, digits: digits)
        guard text.contains("."), !text.contains("e") else { return text }
        return String(text.reversed().drop { $0 == "0" }.drop { $0 == "." }.reversed())
    }

    /// `value` with exactly `decimals` digits after the point.
    public static func fixed(_ value: Double, decimals: Int) -> String {
        guard value.isFinite else { return nonFinite(value) }
        return format("%.*f", decimals, value)
    }

    /// A count or rate with an SI prefix, such as `1.25 M`; append a unit of your own (`"/s"`).
    public static func count(_ value: Double, digits: Int = 3) -> String {
        scaled(value, digits: digits, base: 1000, prefixes: ["", " k", " M", " G", " T", " P"])
    }

    /// All digits of an integer, in groups of three: `1,250,000`.
    public static func grouped(_ value: some BinaryInteger) -> String {
        let digits = String(value.magnitude)
        var text = value < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { text.append(",") }
            text.append(digit)
        }
        return text
    }

    /// A size in powers of 1024: `512 B`, `1.50 MiB`.
    public static func bytes(_ value: some BinaryInteger) -> String {
        guard value.magnitude >= 1024 else { return "\(value) B" }
        return scaled(Double(value), digits: 3, base: 1024, prefixes: [" ", " Ki", " Mi", " Gi", " Ti", " Pi"]) + "B"
    }

    /// A duration in one or two units: `850 ns`, `340 ms`, `12.5 s`, `3 min 04 s`, `1 h 02 min`, `2 d 05 h`.
    public static func seconds(_ value: Double) -> String {
        guard value.isFinite else { return nonFinite(value) }
        if value < 0 { return "-" + seconds(-value) }
        guard value != 0 else { return "0 s" }
        // Each unit ends where its rounded text would reach the next one.
        for (unit, name) in [(1e-9, "ns"), (1e-6, "us"), (1e-3, "ms")] where value < 999.5 * unit {
            return "\(short(value / unit)) \(name)"
        }
        if value < 59.95 { return "\(short(value)) s" }
        if value >= 1e9 { return "\(number(value)) s" }
        let whole = Int(value.rounded())
        if whole < 3600 { return "\(whole / 60) min \(twoDigits(whole % 60)) s" }
        let minutes = Int((value / 60).rounded())
        if minutes < 24 * 60 { return "\(minutes / 60) h \(twoDigits(minutes % 60)) min" }
        let hours = Int((value / 3600).rounded())
        return "\(hours / 24) d \(twoDigits(hours % 24)) h"
    }

    /// A share of one, in percent: `12.5%`; a nonzero share never reads as `0.0%`, an incomplete one never as `100.0%`.
    public static func percent(_ share: Double) -> String {
        guard share.isFinite else { return nonFinite(share) }
        if share > 0, share < 0.0005 { return "<0.1%" }
        if share < 1, share >= 0.9995 { return ">99.9%" }
        return fixed(100 * share, decimals: 1) + "%"
    }

    private static func nonFinite(_ value: Double) -> String {
        value.isNaN ? "nan" : value > 0 ? "inf" : "-inf"
    }

    /// The decimal exponent of `value` after rounding to `digits` digits: 9.9996 with 4 digits has 1.
    private static func exponent(of value: Double, digits: Int) -> Int {
        let text = scientific(value, digits: digits)
        return text.split(separator: "e").last.flatMap { Int($0) } ?? 0
    }

    private static func scientific(_ value: Double, digits: Int) -> String {
        format("%.*e", digits - 1, value)
    }

    private static func scaled(_ value: Double, digits: Int, base: Double, prefixes: [String]) -> String {
        guard value.isFinite else { return nonFinite(value) }
        var value = value
        var step = 0
        // Compares the rounded text's value, so that 999.9 becomes 1.00 k and never 1000.
        while step < prefixes.count - 1, abs(value) >= base * (1 - 0.5 * pow(10, -Double(digits))) {
            value /= base
            step += 1
        }
        if step == 0, value == value.rounded() { return fixed(value, decimals: 0) + prefixes[0] }
        let magnitude = value == 0 ? 0 : exponent(of: value, digits: digits)
        return fixed(value, decimals: min(digits, max(0, digits - 1 - magnitude))) + prefixes[step]
    }

    private static func short(_ value: Double) -> String {
        if value == value.rounded() { return fixed(value, decimals: 0) }
        return number(value, digits: 3)
    }

    private static func twoDigits(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }

    private static func format(_ pattern: String, _ digits: Int, _ value: Double) -> String {
        var buffer = [CChar](repeating: 0, count: 400)
        let count = unsafe withVaList([Int32(digits), value]) { unsafe vsnprintf(&buffer, buffer.count, pattern, $0) }
        return String(decoding: buffer.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
