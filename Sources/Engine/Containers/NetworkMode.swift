import DockerModel

/// The network of a container as its host configuration names it.
enum NetworkMode: Equatable, Sendable {
  case none
  case host
  /// The namespace of another container, by name or id.
  case container(String)
  /// A network by name or id; the default bridge is one, too.
  case network(String)

  init(_ text: String) {
    switch text {
    case "none": self = .none
    case "host": self = .host
    case _ where text.hasPrefix("container:"):
      self = .container(String(text.dropFirst("container:".count)))
    default: self = .network(text)
    }
  }

  /// Whether the container has a namespace of its own.
  var isPrivate: Bool {
    switch self {
    case .none, .network: true
    case .host, .container: false
    }
  }
}

/// The container that a mode like `container:NAME` names; nil for other modes.
func containerReference(inMode mode: String) -> String? {
  mode.hasPrefix("container:") ? String(mode.dropFirst("container:".count)) : nil
}
