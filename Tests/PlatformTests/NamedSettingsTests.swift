import Platform
import Testing

@Suite struct NamedSettingsTests {
    private enum Kind: String, CaseIterable { case ring, torus, star }

    @Test func `a name has settings that are taken one after the other`() throws {
        var settings = try NamedSettings(parsing: "gossip:period=3,graph=torus,rate=0.5", at: "--algorithm")
        #expect(settings.name == "gossip")
        #expect(try settings.integer("period", default: 1, in: 1...10) == 3)
        #expect(try settings.integer("rounds", default: 7, in: 1...10) == 7)
        #expect(try settings.choice("graph") == Kind.torus)
        #expect(try settings.positiveNumber("rate") == 0.5)
        try settings.finish()
    }

    private func message(_ text: String) -> String {
        do {
            var settings = try NamedSettings(parsing: text, at: "--algorithm")
            _ = try settings.integer("period", default: 1, in: 1...10)
            let _: Kind = try settings.choice("graph")
            try settings.finish()
            return ""
        } catch { return "\(error)" }
    }

    @Test func `what is misspelt is told the nearest name`() {
        #expect(message("gossip:perod=3").hasSuffix("expected the settings graph, period; did you mean period?"))
        #expect(
            message("gossip:graph=rign").hasSuffix("expected graph to be ring or torus or star; did you mean ring?"))
        #expect(message("gossip:period=11").contains("whole number in 1...10"))
        #expect(message("gossip:period=1,period=2").contains("each once"))
        #expect(message("gossip:period").contains("each once"))
    }

    @Test func `the nearest name is at most a third of its letters away`() {
        let names = ["hogwild", "asgd", "gradient-aggregation"]
        #expect(names.nearest(to: "hogwlid") == "hogwild")
        #expect(names.nearest(to: "ASGD") == "asgd")
        #expect(names.nearest(to: "gradient-agregation") == "gradient-aggregation")
        #expect(names.nearest(to: "momentum") == nil)
        #expect(names.nearest(to: "") == nil)
        let error = InputError(at: "--algorithm", unknown: "hogwlid", expected: names)
        #expect(
            "\(error)"
                == "--algorithm: found \"hogwlid\", expected hogwild, asgd or gradient-aggregation; did you mean hogwild?"
        )
    }
}
