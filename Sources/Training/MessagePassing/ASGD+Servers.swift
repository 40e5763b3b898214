// asgd on several servers, with pushes that nobody waits for, and in pieces. The thread of each worker runs it.

internal import Messaging

extension ASGD {
    /// The windows of the model by server, in the order in which all workers visit them.
    private func windows(_ worker: RankWorker, over communicator: Communicator) -> [[(chunk: Int, window: Window)]] {
        var servers: [[(chunk: Int, window: Window)]] = Array(repeating: [], count: layout.servers)
        for (index, chunk) in worker.chunks.enumerated() {
            let window = communicator.window(.parameters(chunk: index), on: worker.owner(of: chunk))
            servers[chunk.server].append((index, window))
        }
        return servers
    }

    /// Each server's chunk is pulled right behind the one before, and its part of the gradient pushed the same way; with `pipelined` the
    /// worker goes on before what it has pushed has arrived.
    func runOnServers(_ worker: RankWorker, over communicator: Communicator) throws {
        let servers = windows(worker, over: communicator)
        let chunks = worker.chunks
        // Gradients under way stay as they are.
        var outgoing: [Vector] = []
        for _ in 0..<layout.pipelined { outgoing.append(try Vector(count: worker.x.count)) }
        var turn = 0
        while let step = try worker.nextStep() {
            var reads = [UInt64](repeating: 0, count: chunks.count)
            var readSeconds = [Double](repeating: 0, count: chunks.count)
            for parts in servers {
                try communicator.beginPull(parts.map(\.window)) { place, x, version in
                    worker.x.copy(at: chunks[parts[place].chunk].range.lowerBound, from: x)
                    reads[parts[place].chunk] = version
                    readSeconds[parts[place].chunk] = communicator.lastReadSeconds
                }
            }
            try communicator.awaitPulled()
            if chunks.count > 1 { worker.recordRead(reads) }
            try worker.computeGradient()
            let gradient = outgoing[turn]
            gradient.copy(from: worker.gradient)
            turn = (turn + 1) % outgoing.count
            for (server, parts) in servers.enumerated() {
                if server > 0 && layout.pipelined == 1 { try communicator.awaitSendPort() }
                try communicator.post(parts.map(\.window)) { [reads, readSeconds] place, x, arrival in
                    let chunk = parts[place].chunk
                    x.descend(
                        delayed.size(step.size, tau: arrival.version - reads[chunk]), along: gradient,
                        from: chunks[chunk].range.lowerBound)
                    worker.recordUpdate(
                        chunk: chunk, of: step, read: reads[chunk], readSeconds: readSeconds[chunk], t: arrival.version,
                        seconds: arrival.seconds)
                }
            }
            try communicator.awaitPosted(atMost: (layout.pipelined - 1) * servers.count)
        }
    }

    /// The same in shared memory where an update concerns a few coordinates only: each window's are pushed, and those of the next rows pulled,
    /// while its lock is held; with `pipelined` what is pushed is the oldest gradient of several.
    func runOnServers(_ worker: RankWorker, _ sparse: SparseSteps, over communicator: Communicator) throws {
        let windows = windows(worker, over: communicator).flatMap { $0 }.map(\.window)
        let sampler = worker.sampler
        let count = windows.count
        var reads = [UInt64](repeating: 0, count: count)
        /// Those of the minibatches under way and their steps, by turns.
        var oldReads = [UInt64](repeating: 0, count: count * layout.pipelined)
        var steps = [RankWorker.Step?](repeating: nil, count: layout.pipelined)
        var (turn, underWay) = (0, 0)
        sparse.chooseNext(sampler)
        sparse.cutNext()
        for chunk in 0..<count {
            reads[chunk] = try windows[chunk].pull(floats: sparse.nextCount(chunk)) { x in
                sparse.bind(to: x, chunk: chunk)
                sparse.readNext(chunk: chunk)
            }
        }
        if count > 1 { worker.recordRead(reads) }
        while let step = try worker.nextStep() {
            sparse.advance()
            worker.note(finite: sparse.computeDerivatives())
            for chunk in 0..<count { oldReads[turn * count + chunk] = reads[chunk] }
            steps[turn] = step
            turn = turn + 1 == layout.pipelined ? 0 : turn + 1
            underWay += 1
            sparse.chooseNext(sampler)
            sparse.cutNext()
            if underWay < layout.pipelined {
                for chunk in 0..<count {
                    reads[chunk] = try windows[chunk].pull(floats: sparse.nextCount(chunk)) { _ in
                        sparse.readNext(chunk: chunk)
                    }
                }
            } else {
                // As many are under way as may be: the oldest is the one whose turn it is.
                underWay -= 1
                let oldest = steps[turn]!
                for chunk in 0..<count {
                    let wait = chunk == 0 ? worker.beginWait() : 0
                    let read = oldReads[turn * count + chunk]
                    let t = try windows[chunk].push(byteCount: 4 * sparse.nextCount(chunk)) { _, t in
                        worker.endWait(wait)
                        sparse.descendOldest(delayed.size(oldest.size, tau: t - read), chunk: chunk)
                        sparse.readNext(chunk: chunk)
                    }
                    worker.recordUpdate(chunk: chunk, of: oldest, read: read, readSeconds: 0, t: t, seconds: 0)
                    reads[chunk] = t + 1
                }
            }
            if count > 1 { worker.recordRead(reads) }
        }
    }
}
