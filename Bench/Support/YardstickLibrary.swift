// C functions outside the project that do the same work, built here and called in this process, on the same memory. Any thread.

import Foundation

/// C sources compiled as a shared library from the folder of `Yardstick`, where that exists.
@safe public struct YardstickLibrary: @unchecked Sendable {
    // Sendable: the handle of a library that is never closed.
    private let handle: UnsafeMutableRawPointer

    /// Compiles and loads `sources`; nil, with one line that says why, where they are missing or the compiler or loader refuses.
    public init?(_ name: String, sources: [String], options: [String], scratch: String) {
        let library = Yardstick.compile(
            name + ".so", compiler: "gcc", sources: sources, options: options + ["-shared", "-fPIC"], scratch: scratch)
        guard let library else { return nil }
        guard let handle = unsafe dlopen(library.path, RTLD_NOW | RTLD_LOCAL) else {
            print("yardstick \(name) does not load here: \(unsafe String(cString: dlerror()))")
            return nil
        }
        unsafe self.handle = unsafe handle
    }

    /// The function of that name, whose C type must be `Function`.
    public func function<Function>(_ name: String, as: Function.Type) throws -> Function {
        guard let symbol = unsafe dlsym(handle, name) else { throw WrongResult("the C yardstick has no \(name)") }
        return unsafe unsafeBitCast(symbol, to: Function.self)
    }
}
