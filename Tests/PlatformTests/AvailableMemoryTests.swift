import Platform
import Testing

/// What is free on machines that are described by files.
@Suite struct AvailableMemoryTests {
    private let mebibyte = 1 << 20

    private func machine(availableKilobytes: Int = 16 << 20) throws -> DescribedMachine {
        let machine = try DescribedMachine()
        try machine.write("proc/meminfo", "MemTotal: 33554432 kB\nMemAvailable:   \(availableKilobytes) kB")
        return machine
    }

    @Test func `without limits it is what the machine has available`() throws {
        let (machine, silent) = (try machine(), try DescribedMachine())
        #expect(availableMemoryBytes(machineRoot: machine.root) == 16 << 30)
        #expect(availableMemoryBytes(machineRoot: silent.root) == nil)
        #expect(try #require(availableMemoryBytes()) > 0)
    }

    @Test func `what a control group holds is not free, but for the files that it could drop`() throws {
        let machine = try machine()
        try machine.write("proc/mounts", "none /cg cgroup2 rw 0 0")
        try machine.write("proc/self/cgroup", "0::/jobs/one")
        try machine.write("cg/jobs/memory.max", "max")
        try machine.write("cg/jobs/one/memory.max", "\(1_000 * mebibyte)")
        #expect(availableMemoryBytes(machineRoot: machine.root) == 1_000 * mebibyte)
        try machine.write("cg/jobs/one/memory.current", "\(700 * mebibyte)")
        #expect(availableMemoryBytes(machineRoot: machine.root) == 300 * mebibyte)
        try machine.write(
            "cg/jobs/one/memory.stat",
            """
            anon \(350 * mebibyte)
            file \(340 * mebibyte)
            shmem \(40 * mebibyte)
            inactive_file \(200 * mebibyte)
            active_file \(100 * mebibyte)
            slab_reclaimable \(10 * mebibyte)
            """)
        #expect(availableMemoryBytes(machineRoot: machine.root) == 610 * mebibyte)
        // A parent that is nearly full leaves less than the group's own limit.
        try machine.write("cg/jobs/memory.max", "\(2_000 * mebibyte)")
        try machine.write("cg/jobs/memory.current", "\(1_900 * mebibyte)")
        #expect(availableMemoryBytes(machineRoot: machine.root) == 100 * mebibyte)
        try machine.write("cg/jobs/memory.current", "\(2_100 * mebibyte)")
        #expect(availableMemoryBytes(machineRoot: machine.root) == 0)
    }

    @Test func `groups of version 1 count with those below them`() throws {
        let machine = try machine()
        try machine.write("proc/mounts", "cgroup /cg/memory cgroup rw,memory 0 0")
        try machine.write("proc/self/cgroup", "5:memory:/box")
        try machine.write("cg/memory/memory.limit_in_bytes", "9223372036854771712")
        try machine.write("cg/memory/box/memory.limit_in_bytes", "\(1_000 * mebibyte)")
        try machine.write("cg/memory/box/memory.usage_in_bytes", "\(900 * mebibyte)")
        try machine.write(
            "cg/memory/box/memory.stat",
            "inactive_file 1\ntotal_inactive_file \(300 * mebibyte)\ntotal_active_file \(50 * mebibyte)")
        #expect(availableMemoryBytes(machineRoot: machine.root) == 450 * mebibyte)
    }

    @Test func `limits of the process count less what it has taken`() throws {
        let machine = try machine()
        let limits = """
            Limit                     Soft Limit           Hard Limit           Units
            Max data size             unlimited            unlimited            bytes
            Max address space         4294967296           unlimited            bytes
            """
        try machine.write("proc/self/limits", limits)
        try machine.write("proc/self/status", "Name: x\nVmSize:\t 1048576 kB\nVmData:\t  524288 kB")
        #expect(availableMemoryBytes(machineRoot: machine.root) == 3 << 30)
        try machine.write(
            "proc/self/limits",
            limits.replacing("Max data size             unlimited ", with: "Max data size             1073741824"))
        #expect(availableMemoryBytes(machineRoot: machine.root) == 1 << 29)
    }

    @Test func `numbers that cannot be are not heeded`() throws {
        let machine = try machine()
        try machine.write("proc/mounts", "none /cg cgroup2 rw 0 0")
        try machine.write("proc/self/cgroup", "0::/")
        try machine.write("cg/memory.max", "18446744073709551615")
        try machine.write("proc/self/limits", "Max data size             18446744073709551615  unlimited bytes")
        #expect(availableMemoryBytes(machineRoot: machine.root) == 16 << 30)
        try machine.write("cg/memory.max", "\(mebibyte)")
        try machine.write("cg/memory.current", "-9223372036854775808")
        try machine.write("cg/memory.stat", "active_file 9223372036854775807\ninactive_file 9223372036854775807")
        #expect(availableMemoryBytes(machineRoot: machine.root) == mebibyte)
    }
}
