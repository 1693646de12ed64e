import FoundationEssentials
package import OCI
import StateStore

extension RegistryService {
  /// The manifests that name `subject` as theirs, those in an index that a client put under the
  /// fallback tag among them. OCI distribution specification 1.1, "Listing Referrers".
  package func referrers(
    _ repository: Repository, of subject: Digest, artifactType: String?
  ) async throws -> ReferrersList {
    let prefix = Keys.referrers.appending("\(repository.id)/\(subject)/")
    var entries: [ReferrersList.Referrer] = []
    try await scan(prefix) { item in entries.append(try ReferrerRecord(item).entry) }
    var seen = Set(entries.map(\.digest))
    for entry in try await fallbackReferrers(repository, subject)
    where seen.insert(entry.digest).inserted {
      entries.append(entry)
    }
    guard let artifactType, !artifactType.isEmpty else {
      return ReferrersList(manifests: entries, isFiltered: false)
    }
    return ReferrersList(
      manifests: entries.filter { $0.artifactType == artifactType }, isFiltered: true)
  }

  /// The tag under which clients keep a list of referrers where a registry has none.
  static func fallbackTag(_ subject: Digest) -> String {
    "\(subject.algorithm.rawValue)-\(subject.hex.prefix(64))"
  }

  private struct FallbackIndex: Decodable {
    var manifests: [ReferrersList.Referrer]
  }

  private func fallbackReferrers(
    _ repository: Repository, _ subject: Digest
  ) async throws -> [ReferrersList.Referrer] {
    guard let tag = Tag(Self.fallbackTag(subject)) else { return [] }
    let manifest: StoredManifest
    do {
      manifest = try await resolveManifest(repository, .tag(tag))
    } catch let error as RegistryError where error.code == .manifestUnknown {
      return []
    }
    guard MediaType.isIndex(manifest.mediaType) else { return [] }
    // It was checked when it was pushed; what does not read as referrers is not a list of them.
    let index = try? BoundedJSON.decode(
      FallbackIndex.self, from: manifest.bytes, kind: "referrers index",
      maximumBytes: settings.maximumManifestBytes)
    return index?.manifests ?? []
  }
}
