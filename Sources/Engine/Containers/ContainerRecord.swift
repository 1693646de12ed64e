package import DockerModel
package import NodeNetwork

/// All that is durable of a container, one value in the store under `/engine/containers/ID`.
package struct ContainerRecord: Codable, Sendable {
  /// The version of this form; a newer one is refused.
  package var format = 1
  /// 64 hexadecimal digits.
  package let id: String
  /// The name without a slash.
  package var name: String
  /// When it was made.
  package let created: Timestamp
  /// What to run, with the image's part merged in.
  package var config: ContainerConfig
  /// How to run it here.
  package var hostConfig: HostConfig
  /// The image's id, or empty.
  package var imageID: String
  /// The program and its arguments, entry point and command joined.
  package var arguments: [String]
  /// Mounts resolved at creation.
  package var mounts: [MountRecord]
  /// The networks to join at each start, by name, as asked for.
  package var networks: [String: EndpointSettings]
  /// The endpoints it has now; empty unless it runs.
  package var endpoints: [EndpointRecord] = []
  /// What it is doing.
  package var lifecycle = ContainerLifecycle()
  /// What its health checks found.
  package var health: Health?

  /// The id as people see it.
  package var shortID: String { String(id.prefix(12)) }
}

/// One mount of a container, resolved.
package struct MountRecord: Codable, Sendable, Hashable {
  /// What is mounted.
  package enum Kind: String, Codable, Sendable {
    case bind, volume, tmpfs
  }

  /// What is mounted.
  package var kind: Kind
  /// The volume's name, if it is one.
  package var volume: String = ""
  /// Whether the volume was made for this container and has no name of its own.
  package var isAnonymous = false
  /// The path on the host; empty for tmpfs.
  package var source: String = ""
  /// The path in the container.
  package var destination: String
  /// Whether writes are refused.
  package var isReadOnly = false
  /// The mode as clients gave it, as in `ro,z`.
  package var mode: String = ""
  /// How mounts below spread (mount_namespaces(7)); empty for the default.
  package var propagation: String = ""
  /// Whether mounts below the source are left out.
  package var isNonRecursive = false
  /// Whether the image's content is not copied into an empty volume.
  package var isNoCopy = false
  /// The folder in the volume that is mounted.
  package var subpath: String = ""
  /// Options of a tmpfs, as in `size=64m,mode=1777`.
  package var tmpfsOptions: [String] = []

  /// A mount of that kind at a path of the container.
  package init(_ kind: Kind, at destination: String) {
    self.kind = kind
    self.destination = destination
  }
}
