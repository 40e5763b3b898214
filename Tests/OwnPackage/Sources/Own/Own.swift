// Compares the algorithm and the codec of this package with those of the library, on its own objective and on two clocks. On the main thread.

import RelaxedSGD

@main struct Own {
    /// Prints the tables; an argument names the file of the JSON records, `-` for standard output.
    static func main() throws {
        let problem = HuberProblem(rows: 4_096, features: 50, seed: 1)
        let algorithms = try Algorithm.list(
            parsing: "gradient-aggregation,hierarchical-averaging:group=2,period=4,csgd,ec-sgd",
            among: Algorithm.builtIn + [HierarchicalAveraging.self])
        let cost = try NetworkCost(latencySeconds: 50e-6, secondsPerMegabyte: 800e-6)
        var records: [RunRecord] = []
        for clock in [FabricClock.native, .virtual(cost)] {
            let runs = try algorithms.map { algorithm in
                var options = TrainingOptions(algorithm)
                options.epochs = 3
                options.batchSize = 16
                options.stepSize = StepSize(0.2)
                if algorithm.facts.options.contains(.codec) {
                    options.exchange.codec = try CodecConfiguration(
                        parsing: "square-levels:levels=15", of: SquareLevelsCodec.kinds)
                }
                options.clock.kind = clock
                if clock.isModel { options.clock.computeSeconds = 20e-6 }
                return try TrainingRun(problem: problem, workers: 4, options: options).run().record
            }
            print(TrainingTables.comparison(of: runs))
            records += runs
        }
        print(TrainingTables.course(of: records[5]) + "\n" + TrainingTables.summary(of: records[5]))
        if CommandLine.arguments.count > 1 {
            try RunRecords(records, isList: true).write(RunEnvironment(seed: 1), to: CommandLine.arguments[1])
        }
    }
}
