// What is to happen at instants of virtual time without a rank that waits for it. The rank that runs uses it.

internal import HeapModule
internal import SwitchModel

/// Actions in the order of (time, rank, first come).
struct ActionQueue {
    struct Action: Comparable {
        let turn: ReadyQueue.Entry
        fileprivate let number: UInt64
        let body: () -> Void

        static func < (a: Action, b: Action) -> Bool {
            a.turn < b.turn || !(b.turn < a.turn) && a.number < b.number
        }

        static func == (a: Action, b: Action) -> Bool { a.number == b.number }
    }

    private var heap = Heap<Action>()
    private var pushed: UInt64 = 0

    var first: Action? { heap.min }

    mutating func push(_ turn: ReadyQueue.Entry, _ body: @escaping () -> Void) {
        heap.insert(Action(turn: turn, number: pushed, body: body))
        pushed += 1
    }

    mutating func popFirst() { _ = heap.popMin() }
}
