// Operations on windows that are under way while their rank goes on. The thread of the rank begins them; posted pushes are merged by
// whoever runs when they arrive.

extension Window {
    /// When a posted push arrived.
    public struct Arrival: Sendable {
        /// Updates that the window had seen before this one.
        public let version: UInt64
        /// Of the clock, since the run began.
        public let seconds: Double
    }
}

extension Communicator {
    /// Fetches `windows`, which have one owner, in one message, and returns as soon as this rank could receive something else: what `read`
    /// takes out of each, at the beginning, is not to be used before `awaitPulled`. In shared memory they are read one after the other.
    ///
    /// `read` is told the window's place in the list and how many updates it had seen. Of several owners the messages so arrive one right behind
    /// the other.
    public func beginPull(
        _ windows: [Window], _ read: (_ place: Int, _ x: Vector, _ version: UInt64) -> Void
    ) throws(FabricError) {
        let stream = WindowStream(windows)
        if stream.owner != rank { countPulled(stream.byteCount) }
        try call { () throws(FabricError) in
            try transport.beginPull(stream) { place in
                noteRead()
                let window = stream.windows[place]
                note(version: window.version, of: window)
                read(place, window.vector, window.version)
            }
        }
    }

    /// Waits until all has arrived that `beginPull` fetches.
    public func awaitPulled() throws(FabricError) {
        try call { () throws(FabricError) in try transport.awaitPulled() }
    }

    /// Sends to each of `windows`, which have one owner, as many floats as it has, in one message, and goes on; `apply` merges them when
    /// they arrive: of the first window before those of the last.
    ///
    /// `apply` is told the window's place in the list. It runs on whichever thread runs then, under the window's lock, and not at all where the
    /// run ends before: what it touches is of this window and this rank alone, or the window's. Under the native clock, where nothing takes
    /// time, a push arrives when `awaitPosted` asks for it. A condition of `Window.pull` does not notice what was posted.
    public func post(
        _ windows: [Window], _ apply: @escaping (_ place: Int, _ x: Vector, _ arrival: Window.Arrival) -> Void
    ) throws(FabricError) {
        let stream = WindowStream(windows)
        if stream.owner != rank { countPushed(stream.byteCount) }
        let isOfThisThread = transport.appliesPostedInTurn
        try call { () throws(FabricError) in
            try transport.post(stream) { [self] place, seconds in
                let window = stream.windows[place]
                let version = window.version
                window.note(updateBy: rank)
                // Before `apply`, which may let the run stand still. On the wall clock another rank's thread may be here.
                if isOfThisThread { note(version: version + 1, of: window) }
                apply(place, window.vector, Window.Arrival(version: version, seconds: seconds))
            }
        }
    }

    /// Waits until at most `count` of the messages that this rank has posted are under way, the oldest arriving first.
    public func awaitPosted(atMost count: Int) throws(FabricError) {
        try call { () throws(FabricError) in try transport.awaitPosted(atMost: count) }
    }
}

/// Windows of one owner that travel in one message.
struct WindowStream {
    let windows: [WindowMemory]
    let owner: Int
    let byteCount: Int

    init(_ windows: [Window]) {
        self.windows = windows.map(\.memory)
        owner = windows[0].owner
        precondition(windows.allSatisfy { [owner] in $0.owner == owner }, "one message to several owners")
        byteCount = windows.reduce(0) { $0 + 4 * $1.count }
    }

    /// The share of the message that has passed when window `place` has.
    func share(until place: Int) -> Double {
        byteCount > 0 ? Double(windows[...place].reduce(0) { $0 + 4 * $1.vector.count }) / Double(byteCount) : 1
    }
}

/// A push on its way to a window.
struct PostedPush {
    let seconds: Double
    let rank: Int
    let apply: (_ seconds: Double) -> Void

    /// The order in which pushes to one window are merged.
    static func < (a: PostedPush, b: PostedPush) -> Bool { (a.seconds, a.rank) < (b.seconds, b.rank) }
}
