import Identity
import NIOCore
package import OCI
import StateStore

extension RegistryService {
  /// Tags with their manifests, in bytewise order.
  package func tagDetails(
    _ repository: Repository, after: Tag?, limit: Int
  ) async throws -> Page<TagDetails> {
    let tags = try await tagRecords(repository, after: after, limit: limit)
    var details: [TagDetails] = []
    for tag in tags.items {
      let found = try await fetch(
        Keys.manifest(repository.id, tag.digest), as: ManifestRecord.self)
      // A manifest that was deleted since the tags were read took its tags with it.
      guard let found else { continue }
      details.append(TagDetails(tag: tag, manifest: found.record.summary(tag.digest)))
    }
    return Page(items: details, more: tags.more)
  }

  /// What is known of a manifest. Throws `manifestUnknown`.
  package func manifestSummary(
    _ repository: Repository, _ digest: Digest
  ) async throws -> ManifestSummary {
    let found = try await fetch(Keys.manifest(repository.id, digest), as: ManifestRecord.self)
    guard let found else { throw Self.unknown(.digest(digest), repository) }
    return found.record.summary(digest)
  }

  /// The manifests of a repository, by digest.
  package func manifestSummaries(
    _ repository: Repository, after: Digest?, limit: Int
  ) async throws -> Page<ManifestSummary> {
    let prefix = Keys.manifests.appending(repository.id + "/")
    let start = after.map { Key(bytes: prefix.appending($0.description).bytes + [0]) } ?? prefix
    let response = try await read(
      RangeRequest(KeyRange(start: start, end: KeyRange.prefix(prefix).end), limit: limit))
    let items = try response.items.compactMap { item -> ManifestSummary? in
      guard let digest = item.key.suffix(after: prefix).flatMap({ Digest($0) }) else { return nil }
      return try ManifestRecord(item).summary(digest)
    }
    return Page(items: items, more: response.more)
  }

  /// The history of an image, oldest first, joined with the layers it made; empty for an index and
  /// where there is no configuration that says it.
  package func history(
    _ repository: Repository, _ digest: Digest
  ) async throws -> [HistoryLine] {
    let manifest = try await resolveManifest(repository, .digest(digest))
    let parsed = try ParsedManifest(
      manifest.bytes, declared: manifest.mediaType, maximumBytes: settings.maximumManifestBytes)
    guard let configuration = try await configuration(parsed) else { return [] }
    var layers = parsed.layers[...]
    return (configuration.history ?? []).map { entry in
      let isEmpty = entry.emptyLayer ?? false
      let layer = isEmpty ? nil : layers.popFirst()
      return HistoryLine(
        line: entry.createdBy ?? "", layerDigest: layer?.digest, size: layer?.size ?? 0,
        isEmpty: isEmpty, mediaType: layer?.mediaType, urls: layer?.urls ?? [])
    }
  }

  /// What an image's configuration says of where it runs; nothing where there is none that says it.
  func imageFacts(_ repository: Repository, _ parsed: ParsedManifest) async throws -> ImageFacts {
    guard let config = parsed.config,
      try await existing([Keys.link(repository.id, config.digest)]).count == 1,
      let configuration = try await configuration(parsed)
    else { return ImageFacts() }
    return ImageFacts(
      os: configuration.os, osVersion: configuration.osVersion,
      architecture: configuration.architecture)
  }

  private func configuration(_ parsed: ParsedManifest) async throws -> ImageConfiguration? {
    guard let config = parsed.config,
      config.mediaType == MediaType.ociConfiguration
        || config.mediaType == MediaType.dockerConfiguration,
      let blob = try await fetch(Keys.blob(config.digest), as: BlobRecord.self),
      blob.record.size <= ImageConfiguration.maximumBytes
    else { return nil }
    let content = try await readAll(blob.record.key, limit: ImageConfiguration.maximumBytes)
    // Clients may push what they like as a configuration; it is theirs to read.
    return try? ImageConfiguration(parsing: Array(content.readableBytesView))
  }
}
