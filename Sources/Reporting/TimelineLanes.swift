// A timeline as what each port does when: the shared ground of its drawings. Any thread; a value type.

internal import SwitchModel

/// One lane per port, as in the book's figures, each with what happens there in order of time.
struct TimelineLanes {
    enum Kind: String {
        /// A message is posted and waits for the port at its other end.
        case waiting
        /// The latency of the switch. Under `pipelined` the port is free meanwhile, and only receive lanes show it.
        case latency
        /// Bits move.
        case transfer
    }

    struct Segment {
        let kind: Kind
        let start: Double
        let end: Double
        /// The message's place in the timeline.
        let passage: Int
    }

    struct Lane {
        let rank: Int
        let isSending: Bool
        var segments: [Segment] = []

        /// Adds a segment clipped to what is still free of the lane; lanes fill from left to right.
        fileprivate mutating func append(_ kind: Kind, from start: Double, to end: Double, passage: Int) {
            let start = max(start, segments.last?.end ?? -.infinity)
            if start < end { segments.append(Segment(kind: kind, start: start, end: end, passage: passage)) }
        }
    }

    /// The send and the receive lane of each rank, by rank.
    private(set) var lanes: [Lane]

    init(of timeline: Timeline) {
        let cost = timeline.cost
        lanes = (0..<2 * timeline.ranks).map { Lane(rank: $0 / 2, isSending: $0.isMultiple(of: 2)) }
        for (index, passage) in timeline.passages.enumerated() {
            let (send, receive) = (2 * passage.from, 2 * passage.to + 1)
            let arrival = passage.start + cost.latencySeconds
            lanes[send].append(.waiting, from: passage.at, to: passage.start, passage: index)
            switch cost.ports {
            case .occupied:
                for lane in [send, receive] {
                    lanes[lane].append(.latency, from: passage.start, to: arrival, passage: index)
                    lanes[lane].append(.transfer, from: arrival, to: passage.end, passage: index)
                }
            case .pipelined:
                let sent = passage.start + cost.transferSeconds(megabytes: passage.megabytes)
                lanes[send].append(.transfer, from: passage.start, to: sent, passage: index)
                lanes[receive].append(.latency, from: passage.start, to: arrival, passage: index)
                lanes[receive].append(.transfer, from: arrival, to: passage.end, passage: index)
            }
        }
    }
}

/// An axis of seconds: its marks, and the unit in which they are written.
struct TimelineAxis {
    let start: Double
    let end: Double
    let unit: String
    private let secondsPerUnit: Double
    /// In seconds, at round values of the unit.
    let marks: [Double]

    /// At most `count` >= 5 marks, and at least one, between the first posting and the last arrival.
    init(of timeline: Timeline, marks count: Int) {
        start = timeline.firstAt
        end = timeline.lastEnd
        let largest = max(abs(start), abs(end))
        (unit, secondsPerUnit) =
            switch largest {
            case ..<1e-6 where largest > 0: ("ns", 1e-9)
            case ..<1e-3 where largest > 0: ("us", 1e-6)
            case ..<1 where largest > 0: ("ms", 1e-3)
            default: ("s", 1)
            }
        let span = end - start
        guard span > 0 else {
            marks = [start]
            return
        }
        var step = secondsPerUnit
        while step * Double(count) < span { step *= 10 }
        while step / 10 * Double(count) >= span { step /= 10 }
        for factor in [5.0, 2] where step / factor * Double(count) >= span {
            step /= factor
            break
        }
        marks = (Int((start / step).rounded(.up))...Int((end / step * (1 + 1e-12)).rounded(.down))).map {
            Double($0) * step
        }
    }

    /// `seconds` in the axis's unit, without the unit.
    func label(_ seconds: Double) -> String { Quantity.plain(seconds / secondsPerUnit) }
}
