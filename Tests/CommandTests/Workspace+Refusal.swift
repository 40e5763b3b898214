import Testing

/// Runs `line`, which is to end with code 2 and one line that holds all of `fragments`, and to leave no file behind.
func expectRefusal(
    _ line: String, in workspace: Workspace, input: String? = nil, _ fragments: [String],
    at location: SourceLocation = #_sourceLocation
) throws {
    let before = try workspace.files()
    let outcome = try workspace.relaxed(line, input: input)
    #expect(outcome.code == 2, "\(line)", sourceLocation: location)
    #expect(outcome.output == "", sourceLocation: location)
    #expect(
        outcome.errorLines.count == 1 && outcome.errors.hasPrefix("error: "), "\(outcome.errors)",
        sourceLocation: location)
    for fragment in fragments {
        #expect(outcome.errors.contains(fragment), "\(outcome.errors)", sourceLocation: location)
    }
    #expect(try workspace.files() == before, sourceLocation: location)
}
