package import BlobStorage
package import Identity
package import Logging
package import StateStore

/// The registry: repositories with their tags, manifests and blobs, who may do what with them, what
/// happened to them, and the collection of what nobody needs any more.
///
/// Records live in the state store below `/registry/`, bytes in the blob storage. Several processes
/// may share both. Every method throws ``RegistryError``, or `CancellationError`.
package final class RegistryService: Sendable {
  let store: any StateStore
  let storage: any BlobStorage
  let identity: IdentityService
  package let settings: RegistrySettings
  let logger: Logger
  let clock: @Sendable () -> Timestamp
  let cache: RegistryCache
  let sequencer = EventSequencer()
  let pulls = PullCounter()
  let activeUploads = UploadHolds()

  /// A registry over these stores. Call ``run()`` beside it, which keeps the caches right.
  package init(
    store: any StateStore, storage: any BlobStorage, identity: IdentityService,
    settings: RegistrySettings = RegistrySettings(), logger: Logger,
    clock: @escaping @Sendable () -> Timestamp = { Timestamp.now() }
  ) {
    self.store = store
    self.storage = storage
    self.identity = identity
    self.settings = settings
    self.logger = logger
    self.clock = clock
    self.cache = RegistryCache(byteLimit: settings.manifestCacheBytes)
  }
}
