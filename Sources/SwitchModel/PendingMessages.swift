// Messages posted and not yet received, first in first out per ordered pair of ranks. Used by one engine, on its thread.

/// Queues of arrival times by ordered pair, in memory proportional to the messages under way and not to all pairs.
///
/// An open-addressing table with linear probing; a pair leaves it with its last message.
struct PendingMessages {
    private struct Slot {
        /// The pair's number plus one; zero in a free slot.
        var key: UInt64 = 0
        var first: Int32 = 0
        var last: Int32 = 0
    }

    private struct Node {
        var end: Double
        /// The pair's next message, or the next free node; -1 at the end.
        var next: Int32
    }

    private let ranks: Int
    private var slots: [Slot]
    private var usedSlots = 0
    private var nodes: [Node] = []
    private var freeNode: Int32 = -1

    init(ranks: Int) {
        self.ranks = ranks
        slots = Array(repeating: Slot(), count: 64)
    }

    /// Adds a message that has fully arrived at `end`.
    mutating func append(from: Int, to: Int, end: Double) {
        let node = newNode(end: end)
        let key = key(from: from, to: to)
        let slot = slot(of: key)
        if slots[slot].key == key {
            nodes[Int(slots[slot].last)].next = node
            slots[slot].last = node
        } else {
            slots[slot] = Slot(key: key, first: node, last: node)
            usedSlots += 1
            if 2 * usedSlots > slots.count { grow() }
        }
    }

    /// Removes the pair's oldest message; answers when it has fully arrived, or nil where none was posted.
    mutating func takeFirst(from: Int, to: Int) -> Double? {
        let key = key(from: from, to: to)
        let slot = slot(of: key)
        guard slots[slot].key == key else { return nil }
        let index = slots[slot].first
        let node = nodes[Int(index)]
        if node.next < 0 { free(slot: slot) } else { slots[slot].first = node.next }
        nodes[Int(index)].next = freeNode
        freeNode = index
        return node.end
    }

    private mutating func newNode(end: Double) -> Int32 {
        guard freeNode >= 0 else {
            nodes.append(Node(end: end, next: -1))
            return Int32(nodes.count - 1)
        }
        let node = freeNode
        freeNode = nodes[Int(node)].next
        nodes[Int(node)] = Node(end: end, next: -1)
        return node
    }

    private func key(from: Int, to: Int) -> UInt64 { UInt64(from * ranks + to + 1) }

    private func home(of key: UInt64) -> Int {
        Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32) & (slots.count - 1)
    }

    /// Where `key` is, or the free slot where it would go.
    private func slot(of key: UInt64) -> Int {
        var slot = home(of: key)
        while slots[slot].key != 0, slots[slot].key != key { slot = (slot + 1) & (slots.count - 1) }
        return slot
    }

    /// Frees a slot and moves back what collided with it, so that no probe ends too early.
    private mutating func free(slot: Int) {
        let mask = slots.count - 1
        var hole = slot
        var probe = (slot + 1) & mask
        while slots[probe].key != 0 {
            let distance = (probe - home(of: slots[probe].key)) & mask
            if distance >= (probe - hole) & mask {
                slots[hole] = slots[probe]
                hole = probe
            }
            probe = (probe + 1) & mask
        }
        slots[hole] = Slot()
        usedSlots -= 1
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: Slot(), count: 2 * old.count)
        for entry in old where entry.key != 0 { slots[slot(of: entry.key)] = entry }
    }
}
