import Synchronization

/// The end of something, which comes at most once and which any number of tasks can wait for.
final class Ending<Value: Sendable>: Sendable {
  private struct State {
    var value: Value?
    var nextToken: UInt64 = 1
    var observers: [UInt64: @Sendable (Value) -> Void] = [:]
  }

  private let state = Mutex(State())

  /// The end, if it has come.
  var value: Value? { state.withLock { $0.value } }

  /// Notes the end and tells the observers; false if it was noted before.
  func finish(_ value: Value) -> Bool {
    let observers: [@Sendable (Value) -> Void]? = state.withLock { state in
      guard state.value == nil else { return nil }
      state.value = value
      defer { state.observers = [:] }
      return Array(state.observers.values)
    }
    guard let observers else { return false }
    for observer in observers { observer(value) }
    return true
  }

  /// Calls `observer` at the end, or at once if it has come. Returns a number for `remove`.
  func observe(_ observer: @escaping @Sendable (Value) -> Void) -> UInt64 {
    let (value, token) = state.withLock { state in
      defer { state.nextToken += 1 }
      if state.value == nil { state.observers[state.nextToken] = observer }
      return (state.value, state.nextToken)
    }
    if let value { observer(value) }
    return token
  }

  /// Forgets an observer.
  func remove(_ token: UInt64) {
    state.withLock { _ = $0.observers.removeValue(forKey: token) }
  }

  /// Waits for the end.
  func wait() async -> Value {
    await withCheckedContinuation { continuation in
      _ = observe { continuation.resume(returning: $0) }
    }
  }
}
