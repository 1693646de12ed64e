package import Host
package import Logging
package import OCI
package import StateStore

private let notYet = ImageStoreError(.unsupported, "not built yet")

/// The images of one machine: blobs as received, layers unpacked for overlayfs, names, and the
/// client that pulls from and pushes to registries. All errors are ``ImageStoreError``.
package final class ImageStore: Sendable {
  /// Opens nothing yet: call ``recover()`` before anything else.
  package init(
    configuration: ImageStoreConfiguration, state: any StateStore, logger: Logger
  ) {}

  /// Reads the state, sets aside what cannot be read, and removes what was half written. To be
  /// called once, before anything else.
  @discardableResult
  package func recover() async throws -> ImageRecoveryReport { throw notYet }

  /// Takes over what a reload may change: mirrors, insecure registries, certificate folders,
  /// limits and numbers of transfers. Paths stay as they were.
  package func updateConfiguration(_ configuration: ImageStoreConfiguration) {}

  /// Closes connections to registries. Running transfers fail.
  package func shutdown() async {}

  // MARK: - Looking

  /// The image of a name (`busybox`, `busybox:1`, `x@sha256:…`), an id or the beginning of one.
  /// Throws `notFound` ("No such image: x") or `conflict` if the beginning fits several.
  package func resolve(_ reference: String) async throws -> ImageRecord { throw notYet }

  /// All images, newest first. Answers from memory.
  package func list() -> [ImageRecord] { [] }

  /// The steps that made an image, newest first.
  package func history(_ reference: String) async throws -> [ImageHistoryItem] { throw notYet }

  /// The disk that images take.
  package func usage() async throws -> ImageUsage { throw notYet }

  // MARK: - Names and removal

  /// Gives an image one more name; takes the name from the image that had it.
  /// Returns the image.
  @discardableResult
  package func tag(_ source: String, as target: String) async throws -> ImageRecord {
    throw notYet
  }

  /// Removes a name, or an image by its id, with docker's rules. `users` gives the containers made
  /// from an image (by id). With `prune` untagged parents go too. Throws `notFound`, `conflict`.
  package func remove(
    _ reference: String, force: Bool, prune: Bool,
    users: @Sendable (Digest) -> [ImageUse]
  ) async throws -> [ImageRemoval] { throw notYet }

  /// Removes the images that `isWanted` returns false for and no container uses, and returns what
  /// went and the bytes that it freed.
  package func prune(
    where isUnwanted: @Sendable (ImageRecord) -> Bool, users: @Sendable (Digest) -> [ImageUse]
  ) async throws -> (removed: [ImageRemoval], reclaimedBytes: Int64) { throw notYet }

  // MARK: - Registries

  /// Brings an image from its registry; with `allTags` every tag of the repository. Returns the
  /// image (the last one for all tags).
  @discardableResult
  package func pull(
    _ reference: String, platform: Platform? = nil, credentials: RegistryCredentials? = nil,
    allTags: Bool = false, progress: @escaping ProgressHandler
  ) async throws -> ImageRecord { throw notYet }

  /// Brings an image to its registry; with `allTags` every tag of the repository.
  package func push(
    _ reference: String, allTags: Bool = false, credentials: RegistryCredentials? = nil,
    progress: @escaping ProgressHandler
  ) async throws { throw notYet }

  /// Checks credentials with a registry. `server` may be a host, a URL or empty for docker.io.
  package func login(
    server: String, credentials: RegistryCredentials
  ) async throws -> LoginResult { throw notYet }

  /// What the registry has under a name, without pulling it.
  package func distribution(
    _ reference: String, credentials: RegistryCredentials? = nil
  ) async throws -> DistributionInspection { throw notYet }

  // MARK: - Archives

  /// Takes in the images of a Docker archive or OCI layout, plain, gzip or zstd. Returns what was
  /// loaded: the names, or the id of an image without a name.
  @discardableResult
  package func load(
    _ stream: ByteStream, quiet: Bool = false, progress: @escaping ProgressHandler
  ) async throws -> [String] { throw notYet }

  /// An archive of images that both `docker load` and readers of OCI layouts take.
  package func save(_ references: [String]) async throws -> ByteStream { throw notYet }

  /// Makes an image of one layer out of a tar archive (`docker import`) and returns its id.
  package func importImage(
    _ stream: ByteStream, config: ExecutionConfiguration, comment: String? = nil,
    platform: Platform? = nil, tag: String? = nil
  ) async throws -> Digest { throw notYet }

  // MARK: - Containers' root file systems

  /// Makes the writable layer of a container over an image (nil: over nothing).
  package func prepareRootFilesystem(
    containerID: String, imageID: Digest?
  ) async throws -> OverlayPaths { throw notYet }

  /// Mounts a container's root file system and returns where; again while mounted is no error.
  package func mount(containerID: String) async throws -> String { throw notYet }

  /// Unmounts a container's root file system; while not mounted is no error.
  package func unmount(containerID: String) async throws { throw notYet }

  /// Unmounts and removes a container's writable layer; one that is not there is no error.
  package func removeRootFilesystem(containerID: String) async throws { throw notYet }

  /// The folders of a container's root file system.
  package func overlayPaths(containerID: String) async throws -> OverlayPaths { throw notYet }

  /// Containers (ids) that have a writable layer, and whether it is mounted, for recovery.
  package func rootFilesystems() async throws -> [(containerID: String, isMounted: Bool)] {
    throw notYet
  }

  /// What a container changed against its image, sorted by path.
  package func changes(containerID: String) async throws -> [FilesystemChange] { throw notYet }

  /// Bytes of a container's writable layer, and of it with its image.
  package func size(
    containerID: String
  ) async throws -> (writable: Int64, total: Int64) { throw notYet }

  /// The whole root file system of a container as a tar archive (`docker export`).
  package func exportRootFilesystem(containerID: String) async throws -> ByteStream {
    throw notYet
  }

  /// Makes an image of a container's changes and returns its id. `tag` nil makes it dangling.
  package func commit(
    containerID: String, _ request: CommitRequest, tag: String? = nil
  ) async throws -> Digest { throw notYet }
}
