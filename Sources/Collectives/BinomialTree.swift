// Reduction and broadcast along a binomial tree with root 0 (section 5). The thread of each rank runs it.
//
// The parent of rank n is n without its lowest one bit; its children are n + 2^j for each j below that bit. ceil(log2 N) rounds of d
// elements up, and as many down.

public import Messaging

extension Communicator {
    /// Leaves the sum of all ranks' vectors in each of them; every rank calls it with equally many elements.
    public func treeAllReduce(_ vector: FloatVector) throws(FabricError) {
        for child in 0..<childCount { try unsafe receiveAdding(into: vector, from: rank + 1 << child) }
        if rank > 0 {
            try unsafe lend(vector, to: rank & (rank - 1))
            try completeAll()
        }
        try unsafe broadcast(vector)
    }

    /// Leaves rank 0's vector in every rank's; every rank calls it with equally many elements.
    public func broadcast(_ vector: FloatVector) throws(FabricError) {
        if rank > 0 { try unsafe receiveCopying(into: vector, from: rank & (rank - 1)) }
        for child in (0..<childCount).reversed() { try unsafe lend(vector, to: rank + 1 << child) }
        try completeAll()
    }

    /// How many children this rank has.
    private var childCount: Int {
        var children = 0
        while rank & (1 << children) == 0, rank + 1 << children < count { children += 1 }
        return children
    }
}
