// Products of row-major float32 matrices through OpenBLAS, one thread for each caller. Worker threads call these concurrently.

internal import COpenBLAS
internal import Glibc
public import Platform

/// OpenBLAS, kept to the calling thread.
public enum MatrixProducts {
    /// The largest width, height or stride: OpenBLAS counts in 32 bits.
    static let maximumExtent = Int(Int32.max)

    /// Sets one thread per call and ends the threads that OpenBLAS has started when it was loaded. To be called before the first product,
    /// by each who will call one, and early: the threads it ends spin. Only the first call does anything.
    ///
    /// Throws where the library is not its pthread build: concurrent calls of the serial one, which has no locks, crash.
    public static func prepare() throws(InputError) {
        if let refusal { throw refusal }
    }

    private static let refusal: InputError? = {
        let kind = openblas_get_parallel()
        guard kind == OPENBLAS_THREAD else {
            return InputError(
                at: "OpenBLAS", found: "its \(kind == OPENBLAS_OPENMP ? "OpenMP" : "serial") build",
                expected: "the pthread build (Debian: libopenblas0-pthread, chosen by update-alternatives)")
        }
        openblas_set_num_threads(1)
        // Its idle threads spin for 80 ms before they sleep. OpenBLAS ends them itself in this way before a fork, and starts them again
        // only for a call with several threads. Not in its header, so looked up: without it they stay, asleep.
        typealias Shutdown = @convention(c) () -> Int32
        if let symbol = unsafe dlsym(nil, "blas_thread_shutdown_") {
            _ = unsafe unsafeBitCast(symbol, to: Shutdown.self)()
        }
        return nil
    }()

    /// C (m x n) = A (m x k) B^T + beta C, with B (n x k).
    @inline(__always) static func timesTransposed(
        _ a: UnsafePointer<Float>, _ aStride: Int, _ b: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>,
        m: Int, n: Int, k: Int, beta: Float
    ) {
        unsafe cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, blasint(m), blasint(n), blasint(k), 1, a, blasint(aStride), b,
            blasint(k), beta, c, blasint(n))
    }

    /// C (m x n) = A^T B + beta C, with A (k x m), B (k x n).
    @inline(__always) static func transposedTimes(
        _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ bStride: Int, into c: UnsafeMutablePointer<Float>,
        m: Int, n: Int, k: Int, beta: Float
    ) {
        unsafe cblas_sgemm(
            CblasRowMajor, CblasTrans, CblasNoTrans, blasint(m), blasint(n), blasint(k), 1, a, blasint(m), b,
            blasint(bStride), beta, c, blasint(n))
    }

    /// C (m x n) = A (m x k) B, with B (k x n).
    @inline(__always) static func times(
        _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, m: Int, n: Int,
        k: Int
    ) {
        unsafe cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasNoTrans, blasint(m), blasint(n), blasint(k), 1, a, blasint(k), b,
            blasint(n), 0, c, blasint(n))
    }
}
