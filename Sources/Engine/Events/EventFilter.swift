import DockerModel

/// Which events a client asked for (`GET /events?filters=`).
struct EventFilter: Sendable {
  private let filters: Filters

  private static let known: Set<String> = [
    "config", "container", "daemon", "event", "image", "label", "network", "node", "plugin",
    "scope", "secret", "service", "type", "volume",
  ]

  /// - Throws: `invalidParameter` for a filter that there is not.
  init(_ filters: Filters) throws {
    try filters.validate(accepting: Self.known)
    self.filters = filters
  }

  /// Whether an event is among those asked for.
  func matches(_ event: EventMessage) -> Bool {
    filters.matchesExactly("type", event.type) && filters.matchesExactly("scope", event.scope)
      && matchesAction(event.action) && filters.matchesLabels("label", event.actor.attributes)
      && matchesActor("container", event) && matchesActor("image", event)
      && matchesActor("volume", event) && matchesActor("network", event)
      && matchesActor("daemon", event) && matchesActor("plugin", event)
  }

  /// `exec_create: sh` also answers to `exec_create`, and `health_status: healthy` to its first
  /// part.
  private func matchesAction(_ action: String) -> Bool {
    let head = action.split(separator: ":", maxSplits: 1).first.map(String.init) ?? action
    return filters.matchesExactly("event", action) || filters.matchesExactly("event", head)
  }

  private func matchesActor(_ type: String, _ event: EventMessage) -> Bool {
    let wanted = filters[type]
    guard !wanted.isEmpty else { return true }
    if type == "image" && event.type == "container" {
      return wanted.contains { Self.isImage($0, event.actor.attributes["image"] ?? "") }
    }
    guard event.type == type else { return false }
    let name = event.actor.attributes["name"] ?? ""
    return wanted.contains { value in
      if type == "image" && (Self.isImage(value, name) || Self.isImage(value, event.actor.id)) {
        return true
      }
      return value == event.actor.id || value == name || event.actor.id.hasPrefix(value)
    }
  }

  /// Whether a name asked for means an image: with its tag, or without.
  private static func isImage(_ wanted: String, _ name: String) -> Bool {
    if wanted == name { return true }
    let lastSlash = name.lastIndex(of: "/") ?? name.startIndex
    guard let colon = name[lastSlash...].lastIndex(of: ":") else { return false }
    return wanted == name[..<colon]
  }
}
