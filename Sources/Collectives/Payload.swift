// What travels in a collective: floats as they lie, or messages of a codec. The thread of each rank uses it.

internal import Messaging

/// Elements of a vector that travel as one message.
struct Chunk {
    let range: Range<Int>
    /// The place at which a codec compresses them, with draws and a residual of its own; floats have no use for it.
    let site: Int
}

/// What a message becomes where it arrives.
enum Arrival {
    /// The first of several that are added up.
    case firstTerm
    case term
    /// What all ranks end with.
    case result
    /// The same, which goes on to another rank as well.
    case passedResult
}

/// What travels in a collective, and what a rank does with it.
///
/// Each schedule is one function over a payload, in the file of its pattern, and compiled once for each payload.
protocol Payload {
    var communicator: Communicator { get }
    /// How many elements the vector has.
    var elements: Int { get }
    /// Makes a chunk of this rank ready to travel.
    func pack(_ chunk: Chunk) throws
    /// Sends a chunk that was packed, or received as `passedResult`.
    func post(_ chunk: Chunk, to peer: Int) throws -> Communicator.Posted
    /// Receives what `peer` has posted into a chunk.
    func receive(_ chunk: Chunk, from peer: Int, as arrival: Arrival, releasing: Bool) throws
    /// Makes of a chunk that this rank has packed what it becomes for those who receive it.
    func unpack(_ chunk: Chunk, as arrival: Arrival) throws
}

extension Payload {
    /// Chunk `index` of as many as there are `owners`.
    func chunk(_ index: Int, of owners: Int) -> Chunk {
        Chunk(range: elements * index / owners..<elements * (index + 1) / owners, site: index)
    }

    /// All of the vector.
    var whole: Chunk { Chunk(range: 0..<elements, site: 0) }
}

/// Floats as they lie: a message is read by its receiver where the sender has it, unless it is so small that it travels in the mailbox.
///
/// What was posted may be overwritten once `completeAll` has returned.
@safe struct FloatPayload: Payload {
    let vector: FloatVector
    let communicator: Communicator

    init(_ vector: FloatVector, _ communicator: Communicator) {
        unsafe self.vector = vector
        self.communicator = communicator
    }

    var elements: Int { unsafe vector.count }

    private func floats(_ chunk: Chunk) -> FloatVector { unsafe FloatVector(rebasing: vector[chunk.range]) }

    func pack(_ chunk: Chunk) {}
    func unpack(_ chunk: Chunk, as arrival: Arrival) {}

    func post(_ chunk: Chunk, to peer: Int) throws -> Communicator.Posted {
        try unsafe communicator.lend(floats(chunk), to: peer)
    }

    func receive(_ chunk: Chunk, from peer: Int, as arrival: Arrival, releasing: Bool) throws {
        if arrival == .term {
            try unsafe communicator.receiveAdding(into: floats(chunk), from: peer, releasing: releasing)
        } else {
            try unsafe communicator.receiveCopying(into: floats(chunk), from: peer, releasing: releasing)
        }
    }
}
