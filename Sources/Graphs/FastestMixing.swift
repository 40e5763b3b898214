// The symmetric weights of a graph with the smallest rho. One thread at a time.

internal import Platform

/// Projected subgradients on the edge weights (Boyd, Diaconis and Xiao 2004, section 7): rho = max(lambda_2, -lambda_N) is convex in them, and
/// u with W u = rho u shows the way, -(u_i - u_j)^2 for lambda_2 and (u_i - u_j)^2 for -lambda_N. Found are weights whose rho is within about
/// 1e-3 of the least.
enum FastestMixing {
    /// An eigenvalue problem each, of N^3.
    private static func steps(_ n: Int) -> Int { max(400, 8_000 / max(1, n)) }

    /// What each rank takes of each of its sources.
    static func weights(_ graph: any Graph) throws(InputError) -> [[Double]] {
        let n = graph.workers
        var edges: [(a: Int, b: Int)] = []
        for a in 0..<n {
            for b in Set(graph.targets(of: a, round: 0)).sorted() where a < b { edges.append((a, b)) }
        }
        let degrees = (0..<n).map { Set(graph.targets(of: $0, round: 0)).count }
        var weights = edges.map { 1 / Double(1 + max(degrees[$0.a], degrees[$0.b])) }
        var best = (rho: Double.infinity, weights: weights)
        for step in 0..<steps(n) where n > 1 {
            var matrix = SquareMatrix.identity(n)
            for (edge, weight) in zip(edges, weights) {
                matrix[edge.a, edge.b] += weight
                matrix[edge.b, edge.a] += weight
                matrix[edge.a, edge.a] -= weight
                matrix[edge.b, edge.b] -= weight
            }
            let (values, vectors) = try matrix.symmetricEigen()
            let isSecond = values[1] >= -values[n - 1]
            let rho = max(values[1], -values[n - 1])
            if rho < best.rho { best = (rho, weights) }
            let u = vectors[isSecond ? 1 : n - 1]
            let sign = isSecond ? 1.0 : -1
            let gradient = edges.map { sign * (u[$0.a] - u[$0.b]) * (u[$0.a] - u[$0.b]) }
            let norm = gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
            if norm == 0 { break }
            let length = 0.5 / Double(1 + step).squareRoot() / Double(n).squareRoot() / norm
            for i in weights.indices { weights[i] = max(0, weights[i] + length * gradient[i]) }
            restrict(&weights, edges, n)
        }
        return (0..<n).map { rank in
            var seen: Set<Int> = []
            return graph.sources(of: rank, round: 0).map { source in
                // One who stands there twice has it once.
                guard seen.insert(source).inserted else { return 0 }
                let index = edges.firstIndex { $0.a == min(rank, source) && $0.b == max(rank, source) }!
                return best.weights[index]
            }
        }
    }

    /// Ranks whose edges weigh more than 1 in all take the excess off them, equally, as far as each has it.
    private static func restrict(_ weights: inout [Double], _ edges: [(a: Int, b: Int)], _ n: Int) {
        for rank in 0..<n {
            let own = edges.indices.filter { edges[$0].a == rank || edges[$0].b == rank }
            while true {
                let excess = own.reduce(-1) { $0 + weights[$1] }
                let positive = own.filter { weights[$0] > 0 }
                if excess <= 1e-12 || positive.isEmpty { break }
                for i in positive { weights[i] = max(0, weights[i] - excess / Double(positive.count)) }
            }
        }
    }
}
