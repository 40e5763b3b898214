// A model file of either kind, told apart by its first bytes. Any thread.

internal import Datasets
public import Platform

/// What `train` saves: LIBLINEAR's text for linear models on sparse rows, safetensors for perceptrons on dense ones.
public enum SavedModel: Sendable {
    case linear(LinearModel)
    case dense(DenseModel)

    /// Reads a model from a file, a pipe or, for `-`, standard input.
    ///
    /// Throws where it is neither, or none that the initialisers of the two accept.
    public init(contentsOf path: String) throws(InputError) {
        let bytes = try TextFile(path, expected: "a model in LIBLINEAR's or the safetensors format").contents()
        let name = path == "-" ? "standard input" : path
        // Behind the length of the header, of which no header needs all bytes, stands the header's brace.
        if bytes.count > 9 && bytes[7] == 0 && bytes[8] == UInt8(ascii: "{") {
            self = .dense(try DenseModel(SafeTensors(parsing: bytes.dropLast(), name: name), name: name))
        } else {
            self = .linear(try LinearModel(text: bytes, name: path))
        }
    }
}
