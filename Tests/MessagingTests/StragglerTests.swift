import Foundation
import Kernels
import Messaging
import Platform
import Testing

@Suite struct StragglerTests {
    @Test func `models are read with their numbers`() throws {
        func model(_ text: String) throws -> Straggler { try Straggler(parsing: text, ranks: 4, seed: 7) }
        #expect(try model("none") == .none)
        #expect(try model("constant:3:2.5") == .constant(rank: 3, factor: 2.5))
        #expect(try model("factors:1,2.5,0.5,1e3") == .factors([1, 2.5, 0.5, 1_000]))
        #expect(try model("lognormal:0.5") == .lognormal(sigma: 0.5, seed: 7))
        #expect(try model("exponential:0") == .exponential(mean: 0, seed: 7))
    }

    @Test(arguments: [
        "", "slow", "none:1", "constant:1", "constant:4:2", "constant:-1:2", "constant:1:0", "constant:x:2",
        "lognormal:11", "lognormal:1e308", "exponential:1e308", "exponential:1.1e9", "constant:1:1e10", "lognormal",
        "factors", "factors:", "factors:1,2,3", "factors:1,2,3,0", "factors:1,2,3,x", "factors:1,2,,3",
        "factors:1,2,3,1e10",
        "lognormal:-1", "lognormal:nan", "lognormal:1:2", "exponential:inf", "exponential:",
    ])
    func `what is no model is refused with what was found`(text: String) throws {
        let error = #expect(throws: InputError.self) { _ = try Straggler(parsing: text, ranks: 4, seed: 1) }
        #expect(error?.place == "--straggler" && error?.expected != "")
    }

    @Test func `draws come from a stream that nobody else reads`() {
        let factor = Straggler.exponential(mean: 1, seed: 5).factor(rank: 2, step: 3)
        for consumer in RandomConsumer.allCases {
            var stream = RandomStream(seed: 5, for: consumer, rank: 2, step: 3)
            let other = 1 - log(1 - stream.nextUnitDouble())
            #expect((factor == other) == (consumer == .straggler))
        }
    }

    @Test func `each rank has its factor at every step, and who is beyond the list has 1`() throws {
        let model = try Straggler(parsing: "factors:3,0.5", ranks: 2, seed: 1)
        #expect((0..<3).map { model.factor(rank: $0, step: 9) } == [3, 0.5, 1] && model.meanFactor == 3)
        #expect(try Straggler(parsing: model.text, ranks: 2, seed: 1) == model && !model.isDrawn)
    }

    @Test(arguments: [Straggler.lognormal(sigma: 10, seed: 1), .exponential(mean: 1e9, seed: 1), .none])
    func `factors at the limits are positive and finite`(model: Straggler) {
        for step in 0..<1_000 {
            let factor = model.factor(rank: 1, step: UInt64(step))
            #expect(factor > 0 && factor.isFinite)
        }
    }
}
