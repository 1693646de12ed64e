/// Why the registry refused or failed.
package struct RegistryError: Error, Sendable {
  /// The kinds of refusal; the first group has the distribution specification's meaning.
  package enum Code: String, Sendable, Hashable {
    /// Nobody is logged in, and somebody might be allowed. `UNAUTHORIZED`.
    case unauthorized
    /// The caller may see the thing but not do this with it. `DENIED`.
    case denied
    /// Switched off, or never there. `UNSUPPORTED`.
    case unsupported
    /// Too many requests; `metadata["retryAfter"]` holds seconds. `TOOMANYREQUESTS`.
    case tooManyRequests
    /// The repository's name is not well formed. `NAME_INVALID`.
    case nameInvalid
    /// No such repository, or none the caller may see. `NAME_UNKNOWN`.
    case repositoryUnknown
    /// The digest is malformed or not that of the content. `DIGEST_INVALID`.
    case digestInvalid
    /// The length is not the one announced. `SIZE_INVALID`.
    case sizeInvalid
    /// No such blob in the repository. `BLOB_UNKNOWN`.
    case blobUnknown
    /// No such upload. `BLOB_UPLOAD_UNKNOWN`.
    case uploadUnknown
    /// The upload cannot go on. `BLOB_UPLOAD_INVALID`.
    case uploadInvalid
    /// Another request is writing to the upload.
    case uploadBusy
    /// No such manifest in the repository. `MANIFEST_UNKNOWN`.
    case manifestUnknown
    /// The manifest breaks a rule. `MANIFEST_INVALID`.
    case manifestInvalid
    /// The manifest names content the repository does not have; `metadata["digest"]` is the first.
    /// `MANIFEST_BLOB_UNKNOWN`.
    case manifestBlobUnknown
    /// The manifest is larger than is taken. Status 413.
    case manifestTooLarge
    /// The tag is malformed. `TAG_INVALID`.
    case tagInvalid
    /// The range does not fit. `RANGE_INVALID`.
    case rangeInvalid
    /// The number of entries asked for is none. `PAGINATION_NUMBER_INVALID`.
    case invalidPageSize
    /// The store or the storage does not answer. `UNAVAILABLE`.
    case unavailable

    /// The registry is in read-only mode.
    case readOnly
    /// No such tag in the repository.
    case tagUnknown
    /// The repository's tags cannot be moved.
    case tagImmutable
    /// The namespace has used what it may use.
    case quotaExceeded
    /// There is a repository of this name.
    case repositoryExists
    /// The account that the namespace would belong to does not exist.
    case namespaceUnknown
    /// No such team, or not one of this organization.
    case teamUnknown
    /// The namespace belongs to a user, who has no teams.
    case notAnOrganization
    /// A value in the request is out of range.
    case invalidParameters
    /// Others kept changing the same records.
    case conflict
    /// Stored records cannot be read.
    case corrupt
  }

  /// The kind of the error.
  package var code: Code
  /// What went wrong, the same text for every error of its sort.
  package var message: String
  /// The facts of this one.
  package var metadata: [String: String]
  /// The error below, if any.
  package var cause: (any Error)?

  /// An error of these parts.
  package init(
    _ code: Code, _ message: String, metadata: [String: String] = [:], cause: (any Error)? = nil
  ) {
    self.code = code
    self.message = message
    self.metadata = metadata
    self.cause = cause
  }
}

extension RegistryError: CustomStringConvertible {
  /// The message with the facts.
  package var description: String {
    var text = message
    if !metadata.isEmpty {
      let facts = metadata.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
      text += " (" + facts.joined(separator: ", ") + ")"
    }
    if let cause { text += ": \(cause)" }
    return text
  }
}
