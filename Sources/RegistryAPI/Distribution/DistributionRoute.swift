package import OCI
package import Registry
import Transport

/// What a path below `/v2/` means (OCI distribution specification 1.1, "Endpoints").
package enum DistributionRoute: Hashable, Sendable {
  /// `/v2/`: whether the API is spoken here, and whether the caller may speak it.
  case base
  /// `/v2/_catalog`
  case catalog
  /// `/v2/NAME/tags/list`
  case tags(DistributionName)
  /// `/v2/NAME/manifests/REFERENCE`
  case manifest(DistributionName, Reference)
  /// `/v2/NAME/blobs/DIGEST`
  case blob(DistributionName, Digest)
  /// `/v2/NAME/blobs/uploads/`
  case uploads(DistributionName)
  /// `/v2/NAME/blobs/uploads/ID`
  case upload(DistributionName, String)
  /// `/v2/NAME/referrers/DIGEST`
  case referrers(DistributionName, Digest)

  /// The repository that the path is about.
  package var name: DistributionName? {
    switch self {
    case .base, .catalog: nil
    case .tags(let name), .manifest(let name, _), .blob(let name, _), .uploads(let name),
      .upload(let name, _), .referrers(let name, _):
      name
    }
  }
}

/// A repository's name, and how the client wrote it: `x` means `library/x` and is answered as `x`.
package struct DistributionName: Hashable, Sendable {
  /// As in the request.
  package let text: String
  /// What it means.
  package let repository: RepositoryName

  /// Throws `RegistryError.nameInvalid`.
  package init(_ text: String) throws {
    repository = try RepositoryName(text)
    self.text = text
  }
}

extension DistributionRoute {
  /// The longest path that is looked at; longer ones name nothing.
  private static let longestPath = 8 * 1024

  /// Reads a path without its query, percent signs still in place. Names may hold slashes, so the
  /// end of the path decides. Nil for a path that is none of the API's; throws `RegistryError` when
  /// a part of it is malformed.
  package init?(path: some StringProtocol) throws {
    guard path.utf8.count <= Self.longestPath, path.hasPrefix("/v2") else { return nil }
    let rest = path.dropFirst(3)
    if rest.isEmpty || rest == "/" {
      self = .base
      return
    }
    guard rest.hasPrefix("/") else { return nil }
    // Nothing in the grammar of names, tags and digests needs a percent sign, but `:` may be
    // written with one.
    let text = rest.dropFirst()
    guard let decoded = PercentCoding.decode(text) else {
      throw RegistryError(.nameInvalid, "invalid repository name")
    }
    if decoded == "_catalog" || decoded == "_catalog/" {
      self = .catalog
      return
    }
    try self.init(parts: decoded.split(separator: "/", omittingEmptySubsequences: false)[...])
  }

  private init?(parts: ArraySlice<Substring>) throws {
    guard parts.count >= 3 else { return nil }
    let last = String(parts[parts.endIndex - 1])
    let kind = parts[parts.endIndex - 2]
    func name(dropping count: Int) throws -> DistributionName {
      try DistributionName(parts.dropLast(count).joined(separator: "/"))
    }
    switch kind {
    case "tags" where last == "list": self = .tags(try name(dropping: 2))
    case "manifests": self = .manifest(try name(dropping: 2), try Reference(last))
    case "referrers": self = .referrers(try name(dropping: 2), try Self.digest(last))
    case "blobs" where last == "uploads": self = .uploads(try name(dropping: 2))
    case "blobs": self = .blob(try name(dropping: 2), try Self.digest(last))
    case "uploads" where parts.count >= 4 && parts[parts.endIndex - 3] == "blobs":
      let name = try name(dropping: 3)
      self = last.isEmpty ? .uploads(name) : .upload(name, last)
    default: return nil
    }
  }

  private static func digest(_ text: String) throws -> Digest {
    guard let digest = Digest(text) else {
      throw RegistryError(
        .digestInvalid, "invalid digest", metadata: ["digest": String(text.prefix(200))])
    }
    return digest
  }
}
