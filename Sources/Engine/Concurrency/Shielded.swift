/// Runs work to its end even if the task that asked for it is cancelled, as when a client hangs up
/// while its container starts: half a start would leave more to repair than a whole one.
func shielded<Value: Sendable>(
  _ work: @escaping @Sendable () async throws -> Value
) async throws -> Value {
  try await Task(operation: work).value
}

/// The steps that undo what a creation of many steps has done so far, in case a later one fails.
struct UndoStack: Sendable {
  private var steps: [@Sendable () async -> Void] = []

  /// Adds the step that undoes what was just done.
  mutating func add(_ step: @escaping @Sendable () async -> Void) { steps.append(step) }

  /// Runs the steps, the newest first.
  mutating func rollBack() async {
    while let step = steps.popLast() { await step() }
  }
}
