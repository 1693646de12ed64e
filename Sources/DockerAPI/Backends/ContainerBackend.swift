package import DockerModel

/// What the door needs of containers. Identifiers are what the client gave: a name, an id or the
/// beginning of one. Errors are `APIError`; anything else is answered with status 500.
package protocol ContainerBackend: Sendable {
  /// Containers that match, newest first.
  func list(_ options: ContainerListOptions) async throws -> [ContainerSummary]

  /// Creates a container; it is durable when this returns. `platform` is `os[/arch[/variant]]`.
  /// Throws `invalidParameter` (settings), `notFound` (image), `conflict` (name).
  func create(
    _ request: ContainerCreateRequest, name: String?, platform: String?
  ) async throws -> ContainerCreateResponse

  /// Everything about one container; `size` also computes what its files occupy.
  func inspect(container: String, size: Bool) async throws -> ContainerInspectResponse

  /// Its processes, from `ps` on the host with `arguments` (`-ef` when the client gave none).
  func top(container: String, arguments: String) async throws -> ContainerTopResponse

  /// Sends recorded output, and what follows, to `sink`; returns when that is complete.
  func logs(container: String, options: LogsOptions, sink: any OutputSink) async throws

  /// What differs from the image.
  func changes(container: String) async throws -> [FilesystemChange]

  /// Sends the whole file system as a tar archive.
  func export(container: String, sink: any ByteSink) async throws

  /// Samples of its use of resources; one or, with `stream`, one each second until it is removed or
  /// the consumer stops. Errors known at the start are thrown by the call.
  func stats(
    container: String, options: StatsOptions
  ) async throws -> any AsyncSequence<ContainerStats, any Error> & Sendable

  /// Resizes its terminal.
  func resize(container: String, to size: TerminalSize) async throws

  /// Starts it. Throws `notModified` when it runs already.
  func start(container: String, detachKeys: DetachKeys?) async throws

  /// Stops it, killing it after the timeout. Throws `notModified` when it does not run.
  func stop(container: String, options: StopOptions) async throws

  func restart(container: String, options: StopOptions) async throws

  /// Sends a signal, by name with or without `SIG`, or number; nil means KILL. Throws `conflict`
  /// when it does not run.
  func kill(container: String, signal: String?) async throws

  /// Changes limits and the restart policy.
  func update(
    container: String, _ request: ContainerUpdateRequest
  ) async throws -> ContainerUpdateResponse

  func rename(container: String, to name: String) async throws

  func pause(container: String) async throws

  func unpause(container: String) async throws

  /// Joins a client to its streams; returns when the client leaves or the streams end.
  func attach(
    container: String, options: AttachOptions, connection: any RawConnection
  ) async throws

  /// Registers a wait. The door answers the head as soon as this returns, and the body when the
  /// returned wait is over.
  func wait(container: String, for condition: WaitCondition) async throws -> PendingWait

  func remove(container: String, options: ContainerRemoveOptions) async throws

  /// Removes stopped containers that match.
  func prune(_ filters: Filters) async throws -> ContainerPruneResponse

  /// What a path in it is, following links the way `cp` does.
  func statPath(container: String, path: String) async throws -> ContainerPathStat

  /// Sends what is at a path as a tar archive.
  func readArchive(container: String, path: String, sink: any ArchiveSink) async throws

  /// Unpacks a tar archive (plain or compressed) into a folder of it.
  func writeArchive(
    container: String, options: ArchiveWriteOptions, archive: ByteStream
  ) async throws

  /// Makes an image of it.
  func commit(
    _ options: CommitOptions, configuration: ContainerConfig?
  ) async throws -> IdResponse
}
