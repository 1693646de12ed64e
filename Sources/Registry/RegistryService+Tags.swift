package import Identity
package import OCI
import StateStore

extension RegistryService {
  /// Names of tags in bytewise order, from after the text `after` on, which need not be a tag there
  /// is. No limit means all.
  package func tags(
    _ repository: Repository, after: String?, limit: Int?
  ) async throws -> Page<String> {
    if limit == 0 { return Page(items: [], more: false) }
    if let known = cache.tagList(repository.id) { return known.page(after: after, limit: limit) }
    let prefix = Keys.tags.appending(repository.id + "/")
    let start = after.map { Key(bytes: prefix.appending($0).bytes + [0]) } ?? prefix
    let response = try await read(
      RangeRequest(
        KeyRange(start: start, end: KeyRange.prefix(prefix).end), limit: limit ?? 0, keysOnly: true)
    )
    return Page(items: Self.tagNames(response.items, prefix), more: response.more)
  }

  /// The names of all tags. Kept in memory until one changes.
  package func tagList(_ repository: Repository) async throws -> TagList {
    if let known = cache.tagList(repository.id) { return known }
    let prefix = Keys.tags.appending(repository.id + "/")
    let response = try await read(RangeRequest(.prefix(prefix), keysOnly: true))
    let list = TagList(Self.tagNames(response.items, prefix))
    cache.remember(list, of: repository, readAt: response.revision)
    return list
  }

  private static func tagNames(_ items: [KeyValue], _ prefix: Key) -> [String] {
    let length = prefix.bytes.count
    return items.map { String(decoding: $0.key.bytes.dropFirst(length), as: UTF8.self) }
  }

  /// A tag. Throws `tagUnknown`.
  package func tag(_ repository: Repository, _ tag: Tag) async throws -> TagRecord {
    let found = try await fetch(Keys.tag(repository.id, tag.description), as: StoredTag.self)
    guard let found else { throw Self.unknown(tag, repository) }
    return found.record.record(tag)
  }

  /// Tags with when and by whom they were pushed, in bytewise order.
  package func tagRecords(
    _ repository: Repository, after: Tag?, limit: Int
  ) async throws -> Page<TagRecord> {
    let prefix = Keys.tags.appending(repository.id + "/")
    let start = after.map { Key(bytes: prefix.appending($0.description).bytes + [0]) } ?? prefix
    let response = try await read(
      RangeRequest(KeyRange(start: start, end: KeyRange.prefix(prefix).end), limit: limit))
    return Page(
      items: try response.items.compactMap { try Self.tagRecord($0, prefix) }, more: response.more)
  }

  /// The tags that mean a manifest.
  package func tags(_ repository: Repository, on digest: Digest) async throws -> [TagRecord] {
    try await taggings(repository, of: digest).map(\.tag)
  }

  /// Takes away a tag; its manifest stays. Throws `tagUnknown`.
  package func deleteTag(_ repository: Repository, _ tag: Tag, by caller: Caller) async throws {
    try await requireWritable()
    let key = Keys.tag(repository.id, tag.description)
    try await retrying { () -> Void? in
      guard let found = try await fetch(key, as: StoredTag.self) else {
        throw Self.unknown(tag, repository)
      }
      var event = event(.delete, .tag, repository, by: caller)
      event.tag = tag
      event.digest = found.record.digest
      let done = try await commit(
        when: [.modifyRevision(of: key, is: found.revision)],
        do: [.delete(key), try operation(event)])
      return done ? () : nil
    }
  }

  /// Deletes a manifest and every tag on it. Throws `manifestUnknown`, `unsupported`.
  package func deleteManifest(
    _ repository: Repository, _ digest: Digest, by caller: Caller
  ) async throws {
    try await requireWritable()
    try requireDeletion()
    try await retrying { () -> Void? in
      let key = Keys.manifest(repository.id, digest)
      guard let found = try await fetch(key, as: ManifestRecord.self) else {
        throw Self.unknown(.digest(digest), repository)
      }
      var taggings = try await taggings(repository, of: digest)
      // One transaction takes so many; the rest goes before, by itself.
      while taggings.count > Self.tagsAtOnce {
        let part = taggings.suffix(Self.tagsAtOnce)
        guard try await deleteTags(Array(part), repository, caller) else { return nil }
        taggings.removeLast(part.count)
      }
      var compares: [Compare] = [.modifyRevision(of: key, is: found.revision)]
      var operations = try manifestRemoval(repository, digest, found.record)
      try add(taggings, repository, caller, &compares, &operations)
      var event = event(.delete, .manifest, repository, by: caller)
      event.digest = digest
      event.mediaType = found.record.type
      operations.append(try operation(event))
      return try await commit(when: compares, do: operations) ? () : nil
    }
  }

  /// Takes away the tags that were not pushed for the longest time, beyond the repository's limit.
  package func enforceTagLimit(_ repository: Repository, by caller: Caller) async throws {
    guard repository.tagLimit > 0 else { return }
    let prefix = Keys.tags.appending(repository.id + "/")
    let count = try await read(RangeRequest(.prefix(prefix), countOnly: true)).count
    guard count > repository.tagLimit else { return }
    let byAge = try await read(
      RangeRequest(.prefix(prefix), sortOrder: .ascending, sortTarget: .modifyRevision))
    var taggings: [Tagging] = []
    for item in byAge.items {
      guard let tag = try Self.tagRecord(item, prefix), !Self.isAttachment(tag.name) else {
        continue
      }
      taggings.append((tag, item.modifyRevision))
    }
    taggings = Array(taggings.prefix(max(0, taggings.count - repository.tagLimit)))
    for start in stride(from: 0, to: taggings.count, by: Self.tagsAtOnce) {
      // A tag that was pushed meanwhile is new, and the next push looks again.
      _ = try await deleteTags(
        Array(taggings[start..<min(start + Self.tagsAtOnce, taggings.count)]), repository, caller)
    }
  }

  /// Whether clients use a tag of this name to hang something, as a signature, on a manifest.
  package static func isAttachment(_ tag: Tag) -> Bool {
    let parts = tag.description.split(separator: "-", maxSplits: 1)
    guard parts.count == 2, Digest.Algorithm(rawValue: String(parts[0])) != nil else {
      return false
    }
    let hash = parts[1].utf8.prefix(64)
    return hash.count == 64
      && hash.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
  }

  private typealias Tagging = (tag: TagRecord, revision: Revision)

  private static let tagsAtOnce = 40

  /// The steps that take a manifest out of a repository.
  func manifestRemoval(
    _ repository: Repository, _ digest: Digest, _ record: ManifestRecord
  ) throws -> [Operation] {
    var operations: [Operation] = [
      .delete(Keys.manifest(repository.id, digest)),
      .delete(Keys.manifestUse(repository.id, digest)), .put(Keys.removal(repository.id), []),
    ]
    if let subject = record.subject {
      operations.append(.delete(Keys.referrer(repository.id, subject, digest)))
    }
    return operations
  }

  private func deleteTags(
    _ taggings: [Tagging], _ repository: Repository, _ caller: Caller
  ) async throws -> Bool {
    var compares: [Compare] = []
    var operations: [Operation] = []
    try add(taggings, repository, caller, &compares, &operations)
    return try await commit(when: compares, do: operations)
  }

  private func add(
    _ taggings: [Tagging], _ repository: Repository, _ caller: Caller,
    _ compares: inout [Compare], _ operations: inout [Operation]
  ) throws {
    for (tag, revision) in taggings {
      let key = Keys.tag(repository.id, tag.name.description)
      compares.append(.modifyRevision(of: key, is: revision))
      operations.append(.delete(key))
      var event = event(.delete, .tag, repository, by: caller)
      event.tag = tag.name
      event.digest = tag.digest
      operations.append(try operation(event))
    }
  }

  private func taggings(_ repository: Repository, of digest: Digest) async throws -> [Tagging] {
    let prefix = Keys.tags.appending(repository.id + "/")
    var taggings: [Tagging] = []
    try await scan(prefix) { item in
      guard let tag = try Self.tagRecord(item, prefix), tag.digest == digest else { return }
      taggings.append((tag, item.modifyRevision))
    }
    return taggings
  }

  private static func tagRecord(_ item: KeyValue, _ prefix: Key) throws -> TagRecord? {
    guard let text = item.key.suffix(after: prefix), let name = Tag(text) else { return nil }
    return try StoredTag(item).record(name)
  }

  func requireDeletion() throws {
    guard settings.allowsDeletion else {
      throw RegistryError(.unsupported, "deletion is switched off")
    }
  }

  static func unknown(_ tag: Tag, _ repository: Repository) -> RegistryError {
    RegistryError(
      .tagUnknown, "tag unknown",
      metadata: ["tag": tag.description, "name": repository.name.description])
  }
}
