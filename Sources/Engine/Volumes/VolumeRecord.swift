import DockerModel

/// What is durable of a volume, under `/volumes/NAME` in the store.
struct VolumeRecord: Codable, Sendable {
  /// The version of this form.
  var format = 1
  let name: String
  let createdAt: Timestamp
  var labels: [String: String]?
  /// The options of the local driver: `type`, `o`, `device`.
  var options: [String: String]?
  /// Whether it was made for one container without a name.
  var isAnonymous = false
}

/// The options of the local driver, checked: what is mounted where the volume's content lies.
struct VolumeMountOptions: Sendable, Equatable {
  /// The kind of file system.
  var type: String
  /// What is mounted.
  var device: String
  /// The options of mount(8), as in `addr=10.0.0.1,rw`.
  var options: [String]

  /// The mount that options ask for; nil when they ask for none.
  /// - Throws: `invalidParameter`.
  init?(_ options: [String: String]) throws {
    guard !options.isEmpty else { return nil }
    for key in options.keys.sorted() where !["type", "o", "device"].contains(key) {
      throw APIError.invalidParameter("invalid option: \"\(key)\"")
    }
    let device = options["device"] ?? ""
    let type = options["type"] ?? ""
    if device.isEmpty { throw APIError.invalidParameter("missing required option: \"device\"") }
    if type.isEmpty { throw APIError.invalidParameter("missing required option: \"type\"") }
    self.device = device
    self.type = type
    self.options = (options["o"] ?? "").split(separator: ",").map(String.init)
  }

  /// Whether an existing folder is made visible.
  var isBind: Bool { type == "none" || options.contains("bind") || options.contains("rbind") }
}
