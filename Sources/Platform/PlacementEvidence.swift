// What the kernel says about a placement once its workers run. Gathered by the workers themselves.

/// Where one running worker is and where its memory lies, as the kernel says.
public struct PlacementEvidence: Sendable, Equatable, Encodable {
    public let rank: Int
    /// The CPU on which it ran when asked.
    public let cpu: Int?
    /// The CPUs on which it may run, ascending.
    public let affinity: [Int]
    /// The node of a page that it touched, or nil where the kernel does not say.
    public let pageNode: Int?

    /// Starts a team for `placement` on this machine and asks the kernel about each worker; by rank.
    ///
    /// Throws where the kernel refuses a pinning, a thread or a page.
    public static func gather(for placement: Placement) throws(InputError) -> [PlacementEvidence] {
        let team = try WorkerTeam(placement: placement)
        let gathered = Locked<[Result<PlacementEvidence, InputError>?]>(
            Array(repeating: nil, count: placement.workers.count))
        team.run { rank in
            let evidence = Result { () throws(InputError) in try PlacementEvidence(ofCallingWorker: rank) }
            gathered.withLock { $0[rank] = evidence }
        }
        var evidence: [PlacementEvidence] = []
        for worker in gathered.withLock({ $0 }) {
            if let worker { evidence.append(try worker.get()) }
        }
        return evidence
    }

    private init(ofCallingWorker rank: Int) throws(InputError) {
        let page = try PageBuffer<UInt8>(count: 1)
        unsafe page.pointer[0] = 1
        self.rank = rank
        cpu = Affinity.whereCallingThreadRuns()?.cpu
        affinity = Affinity.ofCallingThread()
        pageNode = page.nodes(ofPagesIn: 0..<1).first
    }
}
