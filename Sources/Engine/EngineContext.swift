import ContainerRuntime
import DockerModel
import FoundationEssentials
import ImageStore
import Logging
import NodeNetwork
import StateStore
import Synchronization

/// What the parts of the engine share.
final class EngineContext: Sendable {
  let store: any StateStore
  let images: ImageStore
  let runtime: ContainerRuntime
  let network: NodeNetwork
  let events = EventBus()
  let containers = ContainerTable()
  let execs = ExecTable()
  let volumes: VolumeTable
  let logger: Logger
  private let settings: Mutex<EngineConfiguration>

  init(
    configuration: EngineConfiguration, store: any StateStore, images: ImageStore,
    runtime: ContainerRuntime, network: NodeNetwork, logger: Logger
  ) {
    settings = Mutex(configuration)
    self.store = store
    self.images = images
    self.runtime = runtime
    self.network = network
    self.logger = logger
    volumes = VolumeTable(
      root: configuration.dataRoot + "/volumes", store: store, logger: logger)
  }

  /// The configuration in force.
  var configuration: EngineConfiguration { settings.withLock { $0 } }

  /// Takes over a reloaded configuration.
  func reconfigure(_ configuration: EngineConfiguration) {
    settings.withLock { $0 = configuration }
  }

  /// Where a container's network namespace is bound.
  func sandboxPath(_ id: String) -> String { configuration.executionRoot + "/netns/" + id }

  // MARK: - Durable records of containers

  static let containerKeys: Key = "/engine/containers/"

  private static func key(_ id: String) -> Key { containerKeys.appending(id) }

  /// Makes a container's record durable.
  func save(_ container: Container) async throws {
    try await save(container.record)
  }

  /// Makes a record durable.
  func save(_ record: ContainerRecord) async throws {
    try await store.put(Self.key(record.id), Array(JSONEncoder().encode(record)))
  }

  /// Forgets a container's record.
  func forget(_ container: Container) async throws {
    try await store.delete(Self.key(container.id))
  }

  /// Publishes an event about a container with the attributes clients expect.
  func publish(
    _ action: String, _ record: ContainerRecord, _ attributes: [String: String] = [:]
  ) {
    var all = record.config.labels ?? [:]
    all["image"] = record.config.image
    all["name"] = record.name
    all.merge(attributes) { _, new in new }
    events.publish("container", action, id: record.id, all)
  }
}
