import BlobStorage
import Identity
import NIOCore
import OCI
import StateStore

extension RegistryService {
  /// Removes what nothing refers to any more, while pushes go on.
  ///
  /// Nothing younger than the grace is removed, and each removal is a transaction that finds out
  /// whether something came to refer to the thing since it was looked at. `progress` hears what is
  /// being done. Stops early when cancelled, without harm.
  package func collectGarbage(
    _ options: GarbageOptions = GarbageOptions(),
    progress: @Sendable (String) async -> Void = { _ in }
  ) async throws -> GarbageReport {
    try await requireWritable()
    let grace = options.grace ?? settings.grace
    var collection = GarbageCollection(
      service: self, options: options, bound: clock().milliseconds - grace.milliseconds)
    if !options.dryRun, settings.uploadPurging == .drops {
      collection.report.uploadsRemoved = try await purgeUploads()
    }
    try await collection.collectRepositories(progress)
    await progress("looking for blobs without a repository")
    try await collection.collectUses()
    try await collection.collectBlobs()
    await progress("looking for files without a record")
    try await collection.collectOrphans()
    return collection.report
  }
}

/// One collection of garbage.
struct GarbageCollection {
  /// How many things one transaction removes.
  private static let batch = 30
  private static let batchesAtOnce = 8

  let service: RegistryService
  let options: GarbageOptions
  /// Content used at this time or later stays, milliseconds since 1970.
  let bound: Int64
  var report = GarbageReport()
  private var living: Set<String> = []

  init(service: RegistryService, options: GarbageOptions, bound: Int64) {
    self.service = service
    self.options = options
    self.bound = bound
  }

  mutating func collectRepositories(_ progress: @Sendable (String) async -> Void) async throws {
    var repositories: [Repository] = []
    try await service.scan(Keys.repositories) { item in
      guard let text = item.key.suffix(after: Keys.repositories) else { return }
      repositories.append(
        try RepositoryRecord(item).repository(
          RepositoryName(text), revision: item.modifyRevision))
    }
    living = Set(repositories.map(\.id))
    for repository in repositories {
      try Task.checkCancellation()
      await progress("looking at \(repository.name)")
      if options.removesUntaggedManifests { try await collectManifests(repository) }
      try await collectLinks(repository)
      report.repositories += 1
    }
  }

  /// The revision of the last push of a manifest, read before looking at manifests: a removal that
  /// finds another one must not happen.
  private func additions(_ repository: Repository) async throws -> Compare? {
    let key = Keys.addition(repository.id)
    guard let item = try await service.read(RangeRequest(.key(key))).items.first else { return nil }
    return .modifyRevision(of: key, is: item.modifyRevision)
  }

  private typealias Manifests = [Digest: (record: ManifestRecord, revision: Revision)]

  private func manifests(_ repository: Repository) async throws -> Manifests {
    var manifests: Manifests = [:]
    let prefix = Keys.manifests.appending(repository.id + "/")
    try await service.scan(prefix) { item in
      guard let digest = item.key.suffix(after: prefix).flatMap({ Digest($0) }) else { return }
      manifests[digest] = (try ManifestRecord(item), item.modifyRevision)
    }
    return manifests
  }

  /// What a manifest cannot do without: from its record, or from itself when there is much.
  private func references(
    _ repository: Repository, _ digest: Digest, _ record: ManifestRecord
  ) async throws -> (blobs: [Digest], children: [Digest]) {
    if let blobs = record.blobs, let children = record.children { return (blobs, children) }
    let manifest = try await service.resolveManifest(repository, .digest(digest))
    let parsed = try ParsedManifest(
      manifest.bytes, declared: manifest.mediaType,
      maximumBytes: service.settings.maximumManifestBytes)
    return (parsed.requiredBlobs, parsed.requiredManifests)
  }

  private mutating func collectManifests(_ repository: Repository) async throws {
    guard let unchanged = try await additions(repository) else { return }
    let manifests = try await manifests(repository)
    var reachable: Set<Digest> = []
    let prefix = Keys.tags.appending(repository.id + "/")
    try await service.scan(prefix) { item in reachable.insert(try StoredTag(item).digest) }
    var pending = Array(reachable)
    // What was pushed lately may get its tag soon, and needs its children then.
    for (digest, manifest) in manifests
    where manifest.record.touched >= bound && reachable.insert(digest).inserted {
      pending.append(digest)
    }
    var referrers: [Digest: [Digest]] = [:]
    for (digest, manifest) in manifests {
      if let subject = manifest.record.subject { referrers[subject, default: []].append(digest) }
    }
    while let digest = pending.popLast() {
      guard let manifest = manifests[digest] else { continue }
      let children = try await references(repository, digest, manifest.record).children
      for next in children + (referrers[digest] ?? []) where reachable.insert(next).inserted {
        pending.append(next)
      }
    }
    for (digest, manifest) in manifests where !reachable.contains(digest) {
      report.manifestsRemoved += 1
      guard !options.dryRun else { continue }
      var event = service.event(.delete, .manifest, repository, by: .system)
      event.digest = digest
      let removed = try await service.commit(
        when: [
          unchanged,
          .modifyRevision(of: Keys.manifest(repository.id, digest), is: manifest.revision),
        ],
        do: service.manifestRemoval(repository, digest, manifest.record) + [
          try service.operation(event)
        ])
      if !removed { report.manifestsRemoved -= 1 }
    }
  }

  private mutating func collectLinks(_ repository: Repository) async throws {
    guard let unchanged = try await additions(repository) else { return }
    var needed: Set<Digest> = []
    for (digest, manifest) in try await manifests(repository) {
      do {
        needed.formUnion(try await references(repository, digest, manifest.record).blobs)
      } catch let error as RegistryError where error.code == .manifestUnknown {
        continue
      }
    }
    var garbage: [(digest: Digest, revision: Revision)] = []
    let prefix = Keys.links.appending(repository.id + "/")
    let bound = bound
    try await service.scan(prefix) { item in
      guard let digest = item.key.suffix(after: prefix).flatMap({ Digest($0) }),
        !needed.contains(digest), try LinkRecord(item).used < bound
      else { return }
      garbage.append((digest, item.modifyRevision))
    }
    if options.dryRun {
      report.linksRemoved += garbage.count
      return
    }
    let service = service
    let removed = try await inBatches(garbage) { part in
      let compares = part.map {
        Compare.modifyRevision(of: Keys.link(repository.id, $0.digest), is: $0.revision)
      }
      let removals = part.flatMap {
        [
          Operation.delete(Keys.link(repository.id, $0.digest)),
          Operation.delete(Keys.blobUse(repository.id, $0.digest)),
        ]
      }
      // When somebody pushes to this repository now, the next collection looks again.
      return try await service.commit(
        when: compares + [unchanged],
        do: removals + [.put(Keys.removal(repository.id), [])]) ? part.count : 0
    }
    report.linksRemoved += removed.reduce(0, +)
  }

  /// Removes what repositories that are gone said they have.
  mutating func collectUses() async throws {
    guard !options.dryRun else { return }
    var stale: [(use: Key, record: Key)] = []
    let living = living
    try await service.scan(Keys.uses, keysOnly: true) { item in
      let parts = item.key.suffix(after: Keys.uses)?.split(separator: "/") ?? []
      guard parts.count == 3, let digest = Digest(String(parts[0])),
        !living.contains(String(parts[1]))
      else { return }
      let id = String(parts[1])
      let record = parts[2] == "m" ? Keys.manifest(id, digest) : Keys.link(id, digest)
      stale.append((item.key, record))
    }
    for start in stride(from: 0, to: stale.count, by: Self.batch) {
      // A repository that was made after the living ones were read has its records.
      let steps = stale[start..<min(start + Self.batch, stale.count)].map {
        Operation.transaction(
          Transaction(when: [.missing($0.record)], do: [.delete($0.use)]))
      }
      _ = try await service.commit(when: [], do: steps)
    }
  }

  /// A blob that nothing was seen to use.
  private struct UnusedBlob: Sendable {
    let digest: Digest
    let record: BlobRecord
    let revision: Revision
  }

  mutating func collectBlobs() async throws {
    var unused: [Digest: UnusedBlob] = [:]
    let bound = bound
    try await service.scan(Keys.blobs) { item in
      guard let digest = item.key.suffix(after: Keys.blobs).flatMap({ Digest($0) }) else { return }
      let record = try BlobRecord(item)
      guard record.used < bound else { return }
      unused[digest] = UnusedBlob(digest: digest, record: record, revision: item.modifyRevision)
    }
    try await service.scan(Keys.uses, keysOnly: true) { item in
      guard let text = item.key.suffix(after: Keys.uses)?.prefix(while: { $0 != "/" }),
        let digest = Digest(String(text))
      else { return }
      unused[digest] = nil
    }
    var removed = Array(unused.values)
    if !options.dryRun {
      let collection = self
      removed = try await inBatches(removed) { part in
        try await collection.removeBlobs(Array(part))
      }.flatMap { $0 }
    }
    report.blobsRemoved += removed.count
    report.bytesFreed += removed.reduce(0) { $0 + $1.record.size }
  }

  /// Removes those of a few blobs that nothing has come to use, and gives them.
  private func removeBlobs(_ blobs: [UnusedBlob]) async throws -> [UnusedBlob] {
    let compares = blobs.flatMap { blob in
      [
        Compare.modifyRevision(of: Keys.blob(blob.digest), is: blob.revision),
        Compare(.prefix(Keys.uses.appending("\(blob.digest)/")), .equal, .createRevision(0)),
      ]
    }
    if try await service.commit(
      when: compares, do: blobs.map { .delete(Keys.blob($0.digest)) })
    {
      for blob in blobs { await service.discard(blob.record.key) }
      return blobs
    }
    // One of them is used now, or has been removed by another collection: each by itself.
    guard blobs.count > 1 else { return [] }
    var removed: [UnusedBlob] = []
    for blob in blobs { removed += try await removeBlobs([blob]) }
    return removed
  }

  /// Has `body` done for a few items at a time, and several times at once: what is committed
  /// together costs the store little more than one of them.
  private func inBatches<Item: Sendable, Value: Sendable>(
    _ items: [Item], _ body: @escaping @Sendable (ArraySlice<Item>) async throws -> Value
  ) async throws -> [Value] {
    try await withThrowingTaskGroup(of: Value.self) { group in
      var values: [Value] = []
      for start in stride(from: 0, to: items.count, by: Self.batch) {
        try Task.checkCancellation()
        if start >= Self.batch * Self.batchesAtOnce, let value = try await group.next() {
          values.append(value)
        }
        group.addTask { try await body(items[start..<min(start + Self.batch, items.count)]) }
      }
      for try await value in group { values.append(value) }
      return values
    }
  }

  /// Removes files that a crash left without a record.
  mutating func collectOrphans() async throws {
    var old: [StorageKey: Int64] = [:]
    // However small the grace: the record of a file is written after the file.
    let bound = min(bound, service.clock().milliseconds - 3_600_000)
    do {
      for try await file in service.storage.keys() where file.storedAt < bound {
        old[file.key] = file.size
      }
    } catch let error as BlobStorageError {
      throw RegistryService.translated(error)
    }
    guard !old.isEmpty else { return }
    // Read after the files: a file older than the grace whose record is not there has none coming.
    try await service.scan(Keys.blobs) { item in old[try BlobRecord(item).key] = nil }
    for (key, size) in old {
      try Task.checkCancellation()
      if !options.dryRun { await service.discard(key) }
      report.orphansRemoved += 1
      report.bytesFreed += size
    }
  }
}
