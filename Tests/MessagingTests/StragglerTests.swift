import Messaging
import Platform
import Testing

@Suite struct StragglerTests {
    @Test func `models are read with their numbers`() throws {
        func model(_ text: String) throws -> Straggler { try Straggler(parsing: text, ranks: 4, seed: 7) }
        #expect(try model("none") == .none)
        #expect(try model("constant:3:2.5") == .constant(rank: 3, factor: 2.5))
        #expect(try model("lognormal:0.5") == .lognormal(sigma: 0.5, seed: 7))
        #expect(try model("exponential:0") == .exponential(mean: 0, seed: 7))
    }

    @Test(arguments: [
        "", "slow", "none:1", "constant:1", "constant:4:2", "constant:-1:2", "constant:1:0", "constant:x:2",
        "lognormal", "lognormal:-1", "lognormal:nan", "lognormal:1:2", "exponential:inf", "exponential:",
    ])
    func `what is no model is refused with what was found`(text: String) throws {
        let error = #expect(throws: InputError.self) { _ = try Straggler(parsing: text, ranks: 4, seed: 1) }
        #expect(error?.place == "--straggler" && error?.expected != "")
    }
}
