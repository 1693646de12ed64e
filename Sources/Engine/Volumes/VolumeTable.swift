import DockerModel
import FoundationEssentials
import Glibc
import Host
import Logging
import StateStore
import Synchronization

/// The volumes of this daemon: their records, their folders, and which of those that mount something
/// are mounted for whom.
final class VolumeTable: Sendable {
  private struct State {
    var volumes: [String: VolumeRecord] = [:]
    /// Ids of the running containers that use a volume whose options mount something.
    var users: [String: Set<String>] = [:]
  }

  private static let keys: Key = "/volumes/"

  private let root: String
  private let store: any StateStore
  private let logger: Logger
  private let state = Mutex(State())
  /// Serialises what changes volumes; containers that use one read under it, too.
  let operations = AsyncLock()

  init(root: String, store: any StateStore, logger: Logger) {
    self.root = root
    self.store = store
    self.logger = logger
  }

  /// Reads what is stored; what cannot be read is left where it is and reported.
  func recover() async throws {
    try await BlockingPool.shared.run { [root] in try Paths.makeDirectories(root, mode: 0o711) }
    for item in try await store.list(prefix: Self.keys).items {
      do {
        let record = try JSONDecoder().decode(VolumeRecord.self, from: Data(item.value))
        state.withLock { $0.volumes[record.name] = record }
      } catch {
        logger.error(
          "volume record cannot be read",
          metadata: ["key": "\(item.key)", "error": "\(error)"])
      }
    }
  }

  /// All volumes, by name.
  var all: [VolumeRecord] {
    state.withLock { $0.volumes.values.sorted { $0.name < $1.name } }
  }

  /// The volume of that name.
  func volume(_ name: String) -> VolumeRecord? { state.withLock { $0.volumes[name] } }

  /// Where a volume's content lies.
  func mountpoint(_ name: String) -> String { root + "/" + name + "/_data" }

  /// Makes a volume, or answers the one of that name. Call under `operations`.
  /// - Throws: `invalidParameter`, or `conflict` if there is one with other options.
  func create(_ record: VolumeRecord) async throws -> (VolumeRecord, isNew: Bool) {
    if let existing = volume(record.name) {
      if let options = record.options, !options.isEmpty, options != existing.options ?? [:] {
        throw APIError.conflict(
          "create \(record.name): conflict: volume name must be unique, "
            + "and a volume of that name has other options")
      }
      return (existing, false)
    }
    guard Self.isValid(name: record.name) else {
      throw APIError.invalidParameter(
        "create \(record.name): \"\(record.name)\" includes invalid characters for a local volume "
          + "name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host "
          + "directory, use absolute path")
    }
    _ = try VolumeMountOptions(record.options ?? [:])
    let path = mountpoint(record.name)
    try await BlockingPool.shared.run { [root] in
      try Paths.makeDirectories(Paths.parent(of: path), mode: 0o701)
      try Paths.makeDirectories(path, mode: 0o755)
      try DurableFile.syncDirectory(root)
    }
    try await store.put(Self.keys.appending(record.name), Array(JSONEncoder().encode(record)))
    state.withLock { $0.volumes[record.name] = record }
    return (record, true)
  }

  /// Removes a volume that nobody uses. Call under `operations`.
  func remove(_ name: String) async throws {
    let path = root + "/" + name
    let content = mountpoint(name)
    // The record goes first: content without a record is swept at the next start, a record without
    // content would be a volume that lost its data.
    try await store.delete(Self.keys.appending(name))
    state.withLock { $0.volumes[name] = nil }
    try await BlockingPool.shared.run {
      try Mount.unmount(content, lazily: true)
      try TreeRemoval.remove(path)
    }
  }

  /// Makes a volume's content visible for a container that starts. Call under `operations`.
  func acquire(_ name: String, for container: String) async throws {
    guard let record = volume(name), let mount = try VolumeMountOptions(record.options ?? [:])
    else { return }
    let isFirst = state.withLock { state in
      state.users[name, default: []].insert(container)
      return state.users[name]?.count == 1
    }
    guard isFirst else { return }
    let path = mountpoint(name)
    do {
      try await BlockingPool.shared.run {
        if try Mount.table().contains(where: { $0.target == path }) { return }
        try VolumeMounter.mount(mount, at: path)
      }
    } catch {
      state.withLock { _ = $0.users[name]?.remove(container) }
      throw APIError(
        .system, "error while mounting volume '\(path)': \(error)", cause: error)
    }
  }

  /// Ends a container's use of a volume; the last one unmounts it. Call under `operations`.
  func release(_ name: String, for container: String) async throws {
    let isLast = state.withLock { state in
      guard state.users[name]?.remove(container) != nil else { return false }
      return state.users[name]?.isEmpty ?? true
    }
    guard isLast else { return }
    let path = mountpoint(name)
    try await BlockingPool.shared.run { try Mount.unmount(path) }
  }

  /// Notes that a container found running at start uses a volume.
  func adopt(_ name: String, for container: String) {
    guard let options = volume(name)?.options, !options.isEmpty else { return }
    state.withLock { _ = $0.users[name, default: []].insert(container) }
  }

  /// Bytes in a volume; -1 if they cannot be counted. Blocks for as long as the tree is large.
  func size(_ name: String) async -> Int64 {
    let path = mountpoint(name)
    do {
      return try await BlockingPool.shared.run { try DiskUsage.bytes(below: path) }
    } catch {
      logger.warning(
        "volume cannot be measured", metadata: ["volume": "\(name)", "error": "\(error)"])
      return -1
    }
  }

  /// Whether a volume may have that name.
  static func isValid(name: String) -> Bool { ContainerName.isValid(name) }
}
