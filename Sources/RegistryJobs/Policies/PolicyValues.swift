package import Identity
package import Registry

/// The sorts of policies of a repository.
package enum PolicyKind: String, Hashable, Sendable, Codable, CaseIterable {
  /// Gives pushed tags to another repository of this registry.
  case promotion
  /// Sends pushed tags to a repository elsewhere.
  case pushMirroring
  /// Fetches the tags of a repository elsewhere, again and again.
  case pollMirroring
  /// Deletes tags.
  case pruning
}

/// A rule of a repository that the registry carries out by itself.
package struct Policy: Hashable, Sendable {
  package var id: String
  package var kind: PolicyKind
  /// The repository it belongs to: a promotion's source, the local one of a mirroring.
  package var repository: RepositoryName
  package var repositoryID: String
  /// Conditions, all of which must hold; none means every tag.
  package var rules: [Rule]
  package var tagTemplate: String
  package var isEnabled: Bool
  /// Where promoted tags go.
  package var target: RepositoryName?
  /// What is mirrored with.
  package var remote: RemoteRepository?
  /// Who made it.
  package var author: String
  package var createdAt: Timestamp
  /// When it last did something.
  package var lastRunAt: Timestamp?
  package var lastStatus: PolicyStatus?
}

/// How a policy's last run ended.
package struct PolicyStatus: Hashable, Sendable, Codable {
  /// `SUCCESS`, or what sort of failure.
  package var code: String
  package var detail: String
  package var timestamp: Timestamp
}

/// A repository of another registry, and how to get there. Its password and token stay with the
/// policy, sealed.
package struct RemoteRepository: Hashable, Sendable, Codable {
  /// `host[:port]`, with `http://` or `https://` where that has to be said.
  package var host: String
  package var repository: String
  /// PEM certificates to trust besides the machine's.
  package var certificateAuthority: String
  package var skipsTLSVerification: Bool
  package var username: String

  /// A place of these parts.
  package init(
    host: String, repository: String, certificateAuthority: String, skipsTLSVerification: Bool,
    username: String
  ) {
    self.host = host
    self.repository = repository
    self.certificateAuthority = certificateAuthority
    self.skipsTLSVerification = skipsTLSVerification
    self.username = username
  }
}

/// What a policy is made of, or what of it is changed; nil leaves a value as it is.
package struct PolicyDraft: Sendable {
  package var rules: [Rule]?
  package var tagTemplate: String?
  package var isEnabled: Bool?
  package var target: RepositoryName?
  package var remoteHost: String?
  package var remoteRepository: String?
  package var remoteCertificateAuthority: String?
  package var skipsTLSVerification: Bool?
  package var username: String?
  package var password: String?
  package var token: String?

  /// Nothing.
  package init() {}
}
