package import BlobStorage
package import Identity
package import NIOCore
package import OCI

func unwritten() -> RegistryError { RegistryError(.unavailable, "not written yet") }

extension RegistryService {
  /// Keeps the caches right and writes counters, until cancelled.
  package func run() async throws { throw unwritten() }

  // who may
  package func authorize(_ caller: Caller, _ action: RepositoryAction, on name: RepositoryName) async throws -> Repository { throw unwritten() }
  /// As authorize(push), making the repository where the settings let it.
  package func authorizePush(_ caller: Caller, to name: RepositoryName) async throws -> Repository { throw unwritten() }
  package func access(of caller: Caller, to name: RepositoryName) async throws -> AccessLevel { throw unwritten() }
  package func grantedActions(_ caller: Caller, on name: RepositoryName, asked: [String]) async throws -> [String] { throw unwritten() }
  package func namespaceAccess(of caller: Caller, to namespace: String) async throws -> AccessLevel { throw unwritten() }

  // distribution
  package func cachedManifest(_ repositoryName: String, _ reference: String) -> StoredManifest? { nil }
  package func resolveManifest(_ repository: Repository, _ reference: Reference) async throws -> StoredManifest { throw unwritten() }
  package func putManifest(_ repository: Repository, _ reference: Reference, mediaType: String?, content: ByteBuffer, by caller: Caller) async throws -> PushedManifest { throw unwritten() }
  package func deleteManifest(_ repository: Repository, _ digest: Digest, by caller: Caller) async throws { throw unwritten() }
  package func deleteTag(_ repository: Repository, _ tag: Tag, by caller: Caller) async throws { throw unwritten() }
  package func tags(_ repository: Repository, after: String?, limit: Int?) async throws -> Page<String> { throw unwritten() }
  package func catalog(_ caller: Caller, after: String?, limit: Int) async throws -> Page<RepositoryName> { throw unwritten() }
  package func referrers(_ repository: Repository, of subject: Digest, artifactType: String?) async throws -> ReferrersList { throw unwritten() }
  package func recordPull(_ repository: Repository, _ reference: Reference, digest: Digest, by caller: Caller) { }
  package func blob(_ repository: Repository, _ digest: Digest) async throws -> StoredBlob { throw unwritten() }
  package func readBlob(_ blob: StoredBlob, range: Range<Int64>?) async throws -> BlobBody { throw unwritten() }
  package func deleteBlob(_ repository: Repository, _ digest: Digest, by caller: Caller) async throws { throw unwritten() }
  package func mount(_ repository: Repository, _ digest: Digest, from: RepositoryName?, by caller: Caller) async throws -> Bool { throw unwritten() }
  package func beginUpload(_ repository: Repository, by caller: Caller) async throws -> UploadSession { throw unwritten() }
  package func uploadSession(_ repository: Repository, id: String) async throws -> UploadSession { throw unwritten() }
  package func uploadSize(_ repository: Repository, id: String) async throws -> Int64 { throw unwritten() }
  package func uploads(_ repository: Repository?) async throws -> [UploadDescription] { throw unwritten() }
  package func purgeUploads() async throws -> Int { throw unwritten() }

  // governance
  package func repository(_ name: RepositoryName) async throws -> Repository? { throw unwritten() }
  package func repositories(visibleTo caller: Caller, namespace: String?, after: RepositoryName?, limit: Int) async throws -> Page<Repository> { throw unwritten() }
  package func createRepository(_ name: RepositoryName, _ draft: RepositoryDraft, by caller: Caller) async throws -> Repository { throw unwritten() }
  package func updateRepository(_ name: RepositoryName, _ changes: RepositoryChanges, by caller: Caller) async throws -> Repository { throw unwritten() }
  package func deleteRepository(_ name: RepositoryName, by caller: Caller) async throws { throw unwritten() }
  package func counters(of repository: Repository) async throws -> RepositoryCounters { throw unwritten() }
  package func teamAccess(on repository: Repository) async throws -> [TeamAccess] { throw unwritten() }
  package func setTeamAccess(_ level: AccessLevel, for team: TeamID, on repository: Repository, by caller: Caller) async throws { throw unwritten() }
  package func teamAccess(onNamespace namespace: String) async throws -> [TeamAccess] { throw unwritten() }
  package func setTeamAccess(_ level: AccessLevel, for team: TeamID, onNamespace namespace: String, by caller: Caller) async throws { throw unwritten() }
  package func quota(of namespace: String) async throws -> NamespaceQuota? { throw unwritten() }
  package func setQuota(_ quota: NamespaceQuota?, of namespace: String, by caller: Caller) async throws { throw unwritten() }
  package func usage(of namespace: String) async throws -> NamespaceUsage { throw unwritten() }
  package func governance() async throws -> GovernanceSettings { throw unwritten() }
  package func setGovernance(_ settings: GovernanceSettings, by caller: Caller) async throws { throw unwritten() }

  // REST views
  package func tagDetails(_ repository: Repository, after: Tag?, limit: Int) async throws -> Page<TagDetails> { throw unwritten() }
  package func tag(_ repository: Repository, _ tag: Tag) async throws -> TagRecord { throw unwritten() }
  package func manifestSummary(_ repository: Repository, _ digest: Digest) async throws -> ManifestSummary { throw unwritten() }
  package func manifestSummaries(_ repository: Repository, after: Digest?, limit: Int) async throws -> Page<ManifestSummary> { throw unwritten() }
  package func tags(_ repository: Repository, on digest: Digest) async throws -> [TagRecord] { throw unwritten() }
  package func history(_ repository: Repository, _ digest: Digest) async throws -> [HistoryLine] { throw unwritten() }

  // events
  package func events(_ filter: EventFilter, limit: Int) async throws -> Page<RegistryEvent> { throw unwritten() }
  package func record(_ event: RegistryEvent) async throws { throw unwritten() }
  /// An event with a sequence and time of now; give it to record(_:).
  package func event(_ kind: RegistryEvent.Kind, _ object: RegistryEvent.Object, _ repository: Repository?, by caller: Caller) -> RegistryEvent { fatalError() }
  package func watchEvents(from revision: Int64?) async throws -> AsyncThrowingStream<(revision: Int64, event: RegistryEvent), any Error> { throw unwritten() }
  package func purgeEvents(before: Timestamp?, keeping: Int?) async throws -> Int { throw unwritten() }

  // garbage
  package func collectGarbage(_ options: GarbageOptions, progress: @Sendable (String) async -> Void) async throws -> GarbageReport { throw unwritten() }
}

/// An upload under way, held by one request at a time; end with suspend, finish or cancel.
package final class UploadSession: Sendable {
  package let id: String
  package var size: Int64 { get async { 0 } }
  package func append(_ bytes: ByteBuffer) async throws { throw unwritten() }
  package func suspend() async throws { throw unwritten() }
  package func finish(_ expected: Digest, by caller: Caller) async throws -> StoredBlob { throw unwritten() }
  package func cancel() async throws { throw unwritten() }
  init(id: String) { self.id = id }
}
