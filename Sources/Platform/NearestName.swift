// What somebody may have meant who misspelt a name. Pure; any thread.

extension Sequence where Element: StringProtocol {
    /// The name that is nearest to `text`; nil where none is near: where more than a third of its letters would have to change.
    public func nearest(to text: some StringProtocol) -> Element? {
        let letters = Array(text.lowercased())
        var best: (name: Element, distance: Int)?
        for name in self {
            let distance = editDistance(letters, Array(name.lowercased()))
            if distance <= Swift.max(1, name.count / 3), distance < best?.distance ?? .max { best = (name, distance) }
        }
        return best?.name
    }
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from one text to the other.
private func editDistance(_ a: [Character], _ b: [Character]) -> Int {
    var rows = [[Int]](repeating: [Int](repeating: 0, count: b.count + 1), count: a.count + 1)
    for i in 0...a.count { rows[i][0] = i }
    for j in 0...b.count { rows[0][j] = j }
    for i in a.indices {
        for j in b.indices {
            var least = Swift.min(rows[i][j + 1], rows[i + 1][j]) + 1
            least = Swift.min(least, rows[i][j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { least = Swift.min(least, rows[i - 1][j - 1] + 1) }
            rows[i + 1][j + 1] = least
        }
    }
    return rows[a.count][b.count]
}

extension InputError {
    /// A name that is none of `names`: says which are, and which of them is nearest.
    public init(at place: String, unknown text: some StringProtocol, expected names: [String], as kind: String = "") {
        let nearest = names.nearest(to: text).map { "; did you mean \($0)?" } ?? ""
        let list =
            names.count < 2
            ? names.joined() : names.dropLast().joined(separator: ", ") + " or " + names[names.count - 1]
        self.init(at: place, found: "\"\(text)\"", expected: kind + list + nearest)
    }
}
