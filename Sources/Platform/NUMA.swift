// What libnuma says about memory nodes and does to the calling thread; everything here does nothing without NUMA.

internal import CNUMA

/// The kernel's memory policy, through libnuma.
public enum NUMA {
    /// Whether libnuma finds NUMA support here; where it does not, memory lies where the kernel puts it.
    public static let isAvailable = numa_available() >= 0

    /// Makes the kernel prefer `node` for pages the calling thread touches first.
    static func preferCallingThread(node: Int) {
        guard isAvailable, node <= Int(numa_max_node()) else { return }
        numa_set_preferred(Int32(node))
    }

    /// Bytes of a node's memory, or nil where libnuma cannot say.
    static func bytes(ofNode node: Int) -> Int? {
        guard isAvailable else { return nil }
        let bytes = numa_node_size64(Int32(node), nil)
        return bytes >= 0 ? Int(bytes) : nil
    }

    /// The distance of two nodes as the firmware gives it (10 is local), or nil where libnuma cannot say.
    static func distance(_ from: Int, _ to: Int) -> Int? {
        guard isAvailable else { return nil }
        let distance = Int(numa_distance(Int32(from), Int32(to)))
        return distance > 0 ? distance : nil
    }

    /// The nodes on which this process may allocate, ascending, or nil where libnuma cannot say.
    static func allowedNodes() -> [Int]? {
        guard isAvailable, let mask = unsafe numa_get_mems_allowed() else { return nil }
        defer { unsafe numa_bitmask_free(mask) }
        return (0...Int(numa_max_node())).filter { unsafe numa_bitmask_isbitset(mask, UInt32($0)) != 0 }
    }
}
