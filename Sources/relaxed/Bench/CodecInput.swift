// The vectors that `relaxed bench codecs` encodes: drawn from a seed, or recorded. Any thread.

import Datasets
import Kernels
import Platform

/// Where the elements come from.
enum CodecInput {
    /// 1e-3 times Student's t with 3 degrees of freedom: a variance, but no fourth moment.
    case heavyTailed
    /// Standard normal.
    case normal
    /// One element in a hundred standard normal, the others 0.
    case sparse
    /// The numbers of a file, over and over.
    case recorded([Float], path: String)

    init(parsing text: String) throws(InputError) {
        switch text {
        case "heavy-tailed": self = .heavyTailed
        case "normal": self = .normal
        case "sparse": self = .sparse
        default:
            do {
                self = .recorded(try FloatVectorFile.read(text), path: text)
            } catch {
                guard let nearest = ["heavy-tailed", "normal", "sparse"].nearest(to: text) else { throw error }
                throw InputError(
                    at: error.place, found: error.found, expected: error.expected + "; did you mean \(nearest)?")
            }
        }
    }

    var name: String {
        switch self {
        case .heavyTailed: "heavy-tailed"
        case .normal: "normal"
        case .sparse: "sparse"
        case .recorded(_, let path): path
        }
    }

    /// The number of recorded elements.
    var recordedCount: Int? {
        if case .recorded(let values, _) = self { values.count } else { nil }
    }

    /// The first `count` elements; a longer vector begins with a shorter one.
    func fill(_ vector: UnsafeMutablePointer<Float>, count: Int, seed: UInt64) {
        var stream = RandomStream(seed: seed)
        switch self {
        case .heavyTailed:
            for i in 0..<count { unsafe vector[i] = Float(1e-3 * stream.nextStudentT()) }
        case .normal:
            for i in 0..<count { unsafe vector[i] = Float(stream.nextNormal()) }
        case .sparse:
            for i in 0..<count {
                unsafe vector[i] = stream.next(upperBound: 100) == 0 ? Float(stream.nextNormal()) : 0
            }
        case .recorded(let values, _):
            for i in 0..<count { unsafe vector[i] = values[i % values.count] }
        }
    }
}
