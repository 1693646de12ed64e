import DequeModule
package import DockerModel
import Synchronization

/// What happened, for those who listen and, for a while, for those who ask later.
package final class EventBus: Sendable {
  private struct State {
    var recent: Deque<EventMessage> = []
    var nextListener = 0
    var listeners: [Int: AsyncThrowingStream<EventMessage, any Error>.Continuation] = [:]
  }

  /// How many events are remembered.
  private static let memory = 1024
  /// How many events a listener may lag behind before it is cut off.
  private static let patience = 4096

  private let state = Mutex(State())

  /// A bus that remembers nothing yet.
  package init() {}

  /// How many listen.
  package var listenerCount: Int { state.withLock { $0.listeners.count } }

  /// Tells an event to all who listen.
  package func publish(
    _ type: String, _ action: String, id: String, _ attributes: [String: String] = [:]
  ) {
    var event = EventMessage()
    event.type = type
    event.action = action
    event.actor.id = id
    event.actor.attributes = attributes
    let now = Timestamp.now
    event.time = now.seconds
    event.timeNano = now.nanosecondsSinceEpoch
    if type == "container" || type == "image" {
      // The members that clients of API 1.21 and below read.
      event.status = action
      event.id = id
      if type == "container" { event.from = attributes["image"] ?? "" }
    }
    deliver(event)
  }

  private func deliver(_ event: EventMessage) {
    let lagging = state.withLock { state in
      state.recent.append(event)
      if state.recent.count > Self.memory { state.recent.removeFirst() }
      var lagging: [AsyncThrowingStream<EventMessage, any Error>.Continuation] = []
      for (number, listener) in state.listeners {
        if case .dropped = listener.yield(event) {
          lagging.append(listener)
          state.listeners[number] = nil
        }
      }
      return lagging
    }
    for listener in lagging {
      listener.finish(throwing: APIError(.unavailable, "the listener fell too far behind"))
    }
  }

  /// Listens from now on, after the remembered events since `since`.
  package func listen(since: Timestamp?) -> AsyncThrowingStream<EventMessage, any Error> {
    let (stream, listener) = AsyncThrowingStream.makeStream(
      of: EventMessage.self, bufferingPolicy: .bufferingOldest(Self.patience))
    let number = state.withLock { state in
      if let since {
        for event in state.recent where event.timeNano >= since.nanosecondsSinceEpoch {
          listener.yield(event)
        }
      }
      defer { state.nextListener += 1 }
      state.listeners[state.nextListener] = listener
      return state.nextListener
    }
    listener.onTermination = { [weak self] _ in
      guard let self else { return }
      self.state.withLock { $0.listeners[number] = nil }
    }
    return stream
  }
}
