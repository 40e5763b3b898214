import Compression
import Platform
import Testing

/// What is said of codecs: the tables in the article are the facts, and the facts are true.
@Suite struct CodecTableTests {
    @Test func `the tables of codecs are those of their facts`() throws {
        let codecs = CodecFacts.all.flatMap { facts in
            facts.forms.enumerated().map { i, form in
                [
                    form.settings.isEmpty ? "`\(facts.name)`" : "`\(facts.name):\(form.settings)`",
                    i == 0 ? facts.summary : "the same",
                    (form.hasFixedSize ? "" : "varies: ") + bytes(form), form.isUnbiased ? "yes" : "no",
                    form.alpha ?? "none", facts.section,
                ]
            }
        }
        try GeneratedTable(
            article: "Codecs", name: "codecs",
            header: ["codec", "sends", "bytes after the header", "unbiased", "alpha at most", "from"], rows: codecs
        ).check()
        let settings = CodecFacts.all.flatMap { facts in
            facts.settings.map { ["`\(facts.name)`", "`\($0.key)`", $0.standard.map { "`\($0)`" } ?? "", $0.summary] }
        }
        try GeneratedTable(
            article: "Codecs", name: "settings", header: ["codec", "setting", "default", "takes"], rows: settings
        ).check()
    }

    private func bytes(_ form: CodecFacts.Form) -> String {
        guard let bucket = form.bucketBytes else { return form.bytes }
        return form.bytes == "0" ? "per bucket \(bucket)" : "\(form.bytes), and per bucket \(bucket)"
    }

    @Test(arguments: CodecFacts.all.map(\.name))
    func `a setting that is not given has the default of the facts, and no codec has others`(name: String) throws {
        let facts = try #require(CodecFacts.all.first { $0.name == name })
        let plain = try CodecConfiguration(parsing: name).makeCodec(count: 1_000).name
        for setting in facts.settings {
            guard let standard = setting.standard else { continue }
            let written = try CodecConfiguration(parsing: "\(name):\(setting.key)=\(standard)").makeCodec(count: 1_000)
            #expect(written.name == plain, "\(setting.key)")
        }
        for form in facts.forms {
            let keys = try variables(of: codec(facts, form, count: 1_000)).keys
            #expect(keys.allSatisfy { key in facts.settings.contains { $0.key == key } }, "\(keys)")
        }
    }

    @Test(arguments: CodecFacts.all.map(\.name), [2, 100, 512, 1_300])
    func `sizes, bias and bounds are those of the facts`(name: String, count: Int) throws {
        let facts = try #require(CodecFacts.all.first { $0.name == name })
        #expect(!facts.forms.isEmpty)
        for form in facts.forms {
            let codec = try codec(facts, form, count: count)
            var values = try variables(of: codec).compactMapValues(Double.init)
            let bucket = Int(values["bucket"] ?? Double(count))
            values["d"] = Double(count)
            values["b"] = Double((count + 65_535) / 65_536)
            values["n"] = Double(min(bucket, count))
            values["k"] = values["k"] ?? values["fraction"].map { max(1, ($0 * Double(count)).rounded(.up)) }
            if let rows = values["rows"] { values["columns"] = (Double(count) / rows).rounded(.up) }

            #expect(codec.isUnbiased == form.isUnbiased && codec.hasFixedSize == form.hasFixedSize, "\(codec.name)")
            if form.hasFixedSize {
                var bytes = try Formula(form.bytes).value(values)
                if let formula = form.bucketBytes {
                    for start in stride(from: 0, to: count, by: bucket) {
                        values["n"] = Double(min(bucket, count - start))
                        bytes += try Formula(formula).value(values)
                    }
                    values["n"] = Double(min(bucket, count))
                }
                #expect(Double(codec.maximumEncodedBytes) == 8 + bytes, "\(codec.name), \(form.bytes)")
            }
            let bound = try form.alpha.map { try Formula($0).value(values) }
            #expect((codec.relativeErrorBound == nil) == (bound == nil), "\(codec.name)")
            if let bound, let found = codec.relativeErrorBound {
                #expect(abs(found - bound) <= 1e-2 * bound + 1e-6, "\(codec.name): \(found), \(bound)")
            }
        }
    }

    private func codec(_ facts: CodecFacts, _ form: CodecFacts.Form, count: Int) throws -> any Codec {
        try CodecConfiguration(parsing: form.settings.isEmpty ? facts.name : "\(facts.name):\(form.settings)")
            .makeCodec(count: count)
    }

    /// The settings in the name that a codec gives itself.
    private func variables(of codec: any Codec) throws -> [String: String] {
        guard let colon = codec.name.firstIndex(of: ":") else { return [:] }
        var values: [String: String] = [:]
        for setting in codec.name[colon...].dropFirst().split(separator: ",") {
            let halves = setting.split(separator: "=").map(String.init)
            values[halves[0]] = halves[1]
        }
        return values
    }

    @Test func `every codec is among those that are measured where none is named`() throws {
        for kind in CodecKind.builtIn { #expect(!kind.facts.examples.isEmpty, "\(kind.facts.name)") }
        for text in CodecKind.builtIn.flatMap(\.facts.examples) { _ = try CodecConfiguration(parsing: text) }
    }
}
