import Kernels
import Testing

/// The update of a dense model beside the same update in double precision.
@Suite struct MomentumStepTests {
    static let counts = [0, 1, 7, 8, 9, 31, 100]

    /// x, velocity and gradient of `count` + 1 elements, the last of which nobody touches.
    private struct State: Equatable {
        var x: [Float]
        var velocity: [Float]
        let gradient: [Float]

        init(_ count: Int) {
            var stream = RandomStream(seed: UInt64(count) + 1)
            func vector() -> [Float] { (0...count).map { _ in 2 * stream.nextUnitFloat() - 1 } }
            (x, velocity, gradient) = (vector(), vector(), vector())
        }

        mutating func update(
            _ body: (UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>, UnsafePointer<Float>) -> Void
        ) {
            x.withUnsafeMutableBufferPointer { x in
                velocity.withUnsafeMutableBufferPointer { velocity in
                    gradient.withUnsafeBufferPointer { body(x.baseAddress!, velocity.baseAddress!, $0.baseAddress!) }
                }
            }
        }
    }

    private enum Method: CaseIterable { case plain, heavyBall, nesterov }

    @Test(arguments: counts, [0, 0.1] as [Float]) func `steps agree with their formulas in double precision`(
        count: Int, decay: Float
    ) {
        let (share, momentum, gamma): (Float, Float, Float) = (0.25, 0.9, 0.3)
        for method in Method.allCases {
            var state = State(count)
            let before = state
            state.update { x, velocity, gradient in
                switch method {
                case .plain: descend(x, along: gradient, scale: share, decay: decay, stepSize: gamma, count: count)
                case .heavyBall:
                    descendHeavyBall(
                        x, velocity: velocity, along: gradient, scale: share, decay: decay, momentum: momentum,
                        stepSize: gamma, count: count)
                case .nesterov:
                    descendNesterov(
                        x, velocity: velocity, along: gradient, scale: share, decay: decay, momentum: momentum,
                        stepSize: gamma, count: count)
                }
            }
            for i in 0..<count {
                let g = Double(share) * Double(before.gradient[i]) + Double(decay) * Double(before.x[i])
                let speed = method == .plain ? g : Double(momentum) * Double(before.velocity[i]) + g
                let direction = method == .nesterov ? g + Double(momentum) * speed : speed
                // At most five roundings of numbers below 2.
                #expect(abs(Double(state.x[i]) - (Double(before.x[i]) - Double(gamma) * direction)) < 5 * 0x1p-23)
                let velocity = method == .plain ? Double(before.velocity[i]) : speed
                #expect(abs(Double(state.velocity[i]) - velocity) < 3 * 0x1p-23)
            }
            #expect(state.x[count] == before.x[count] && state.velocity[count] == before.velocity[count])
        }
    }

    @Test(arguments: counts) func `without momentum the heavy ball and Nesterov take the plain step, to the bit`(
        count: Int
    ) {
        var (plain, ball, nesterov) = (State(count), State(count), State(count))
        plain.update { x, _, g in descend(x, along: g, scale: 0.5, decay: 0.01, stepSize: 0.2, count: count) }
        ball.update { x, v, g in
            descendHeavyBall(
                x, velocity: v, along: g, scale: 0.5, decay: 0.01, momentum: 0, stepSize: 0.2, count: count)
        }
        nesterov.update { x, v, g in
            descendNesterov(
                x, velocity: v, along: g, scale: 0.5, decay: 0.01, momentum: 0, stepSize: 0.2, count: count)
        }
        #expect(ball.x == plain.x && nesterov.x == plain.x)
    }

    @Test(arguments: [1, 9])
    func `decay far below a float's last place adds up, in every method, as in double precision`(
        count: Int
    ) {
        // A share of 1e-9 a step, with momentum ten times as much in the end.
        let (gamma, decay, momentum): (Float, Float, Float) = (0.1, 1e-8, 0.9)
        let steps = 20_000
        let gradient = [Float](repeating: 0, count: count)
        for method in Method.allCases {
            var x = (0..<count).map { 1 + Float($0) / 16 }
            let start = x.map(Double.init)
            var (exact, speed) = (start, [Double](repeating: 0, count: count))
            var velocity = [Float](repeating: 0, count: count)
            var lost = [Float](repeating: 0, count: count)
            for _ in 0..<steps {
                switch method {
                case .plain:
                    descend(
                        &x, along: gradient, scale: 1, decay: decay, stepSize: gamma, count: count, lost: &lost)
                case .heavyBall:
                    descendHeavyBall(
                        &x, velocity: &velocity, along: gradient, scale: 1, decay: decay, momentum: momentum,
                        stepSize: gamma, count: count, lost: &lost)
                case .nesterov:
                    descendNesterov(
                        &x, velocity: &velocity, along: gradient, scale: 1, decay: decay, momentum: momentum,
                        stepSize: gamma, count: count, lost: &lost)
                }
                for i in 0..<count {
                    let g = Double(decay) * exact[i]
                    speed[i] = method == .plain ? g : Double(momentum) * speed[i] + g
                    exact[i] -= Double(gamma) * (method == .nesterov ? g + Double(momentum) * speed[i] : speed[i])
                }
            }
            for i in 0..<count {
                #expect(exact[i] < start[i] * (1 - 1e-5))
                #expect(abs(Double(x[i]) - exact[i]) < 0x1p-23, "\(method)")
            }
        }
    }

    @Test func `on a quadratic the momentum methods beat plain descent at the same step size`() {
        // f = (x_0^2 + 0.01 x_1^2) / 2: plain descent leaves 0.99^300, about 1/20, of the flat direction.
        func end(_ step: (UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>, UnsafePointer<Float>) -> Void)
            -> Float
        {
            var (x, velocity): ([Float], [Float]) = ([1, 1], [0, 0])
            for _ in 0..<300 {
                let gradient = [x[0], 0.01 * x[1]]
                step(&x, &velocity, gradient)
            }
            return abs(x[1])
        }
        let plain = end { x, _, g in descend(x, along: g, scale: 1, decay: 0, stepSize: 1, count: 2) }
        let ball = end { x, v, g in
            descendHeavyBall(x, velocity: v, along: g, scale: 1, decay: 0, momentum: 0.8, stepSize: 1, count: 2)
        }
        let nesterov = end { x, v, g in
            descendNesterov(x, velocity: v, along: g, scale: 1, decay: 0, momentum: 0.8, stepSize: 1, count: 2)
        }
        #expect(plain > 0.04 && plain < 0.06)
        #expect(ball < 1e-5 && nesterov < 1e-5)
    }

    @Test(arguments: counts) func `scaling multiplies every element once`(count: Int) {
        var state = State(count)
        let before = state
        state.update { x, _, _ in scale(x, by: 0.3, count: count) }
        #expect(Array(state.x[..<count]) == before.x[..<count].map { $0 * 0.3 } && state.x[count] == before.x[count])
    }
}
