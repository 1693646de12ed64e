/// Why a store refused or failed.
package struct StateStoreError: Error, Sendable {
  /// The kind of an error. More may come; compare with the constants.
  package struct Code: Hashable, Sendable, CustomStringConvertible {
    /// The constant's name.
    package let description: String

    /// A conditional write found another revision than it named.
    package static let conflict = Code(description: "conflict")
    /// The revision asked for has been forgotten; `revision` is the oldest that can be had.
    package static let compacted = Code(description: "compacted")
    /// The revision asked for does not exist yet; `revision` is the newest.
    package static let futureRevision = Code(description: "futureRevision")
    /// A watcher fell too far behind and was cut off; `revision` is the next it would have got.
    package static let watcherFellBehind = Code(description: "watcherFellBehind")
    /// A transaction changes one key twice.
    package static let duplicateKey = Code(description: "duplicateKey")
    /// A put that keeps the value or the lease found no record.
    package static let keyNotFound = Code(description: "keyNotFound")
    /// No such lease, or not any more.
    package static let leaseNotFound = Code(description: "leaseNotFound")
    /// There is a lease of this number already.
    package static let leaseExists = Code(description: "leaseExists")
    /// The request makes no sense: an empty key, a negative limit and so on.
    package static let invalidRequest = Code(description: "invalidRequest")
    /// The transaction has too many steps or too many bytes.
    package static let requestTooLarge = Code(description: "requestTooLarge")
    /// The disk or the quota is full. Reads and deletions may still work.
    package static let storageFull = Code(description: "storageFull")
    /// The store was closed.
    package static let closed = Code(description: "closed")
    /// The store cannot answer; a write may or may not have happened.
    package static let unavailable = Code(description: "unavailable")
    /// The files of the store are damaged.
    package static let corrupt = Code(description: "corrupt")
    /// The files of the store were written by a newer version of this program.
    package static let newerSchema = Code(description: "newerSchema")
  }

  /// The kind of the error.
  package var code: Code
  /// What went wrong, the same text for every error of its sort.
  package var message: String
  /// The facts of this one.
  package var metadata: [String: String]
  /// The revision that `code` speaks of, see there.
  package var revision: Revision?
  /// The error below, if any.
  package var cause: (any Error)?

  /// An error of these parts.
  package init(
    _ code: Code, _ message: String, metadata: [String: String] = [:], revision: Revision? = nil,
    cause: (any Error)? = nil
  ) {
    self.code = code
    self.message = message
    self.metadata = metadata
    self.revision = revision
    self.cause = cause
  }

  /// Whether a watcher must read its records again before it watches on.
  package var requiresResynchronisation: Bool {
    code == .compacted || code == .watcherFellBehind
  }

  /// Whether the same request may succeed when it is made again later.
  package var isRetryable: Bool {
    code == .unavailable || code == .storageFull
  }
}

extension StateStoreError: CustomStringConvertible {
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

extension StateStoreError {
  /// A conditional write of `key` found another revision than `expected`.
  package static func conflict(_ key: Key, expected: Revision) -> StateStoreError {
    StateStoreError(
      .conflict, "the record was changed by someone else",
      metadata: ["key": key.string, "expected": "\(expected)"])
  }

  /// History before `oldest` has been forgotten.
  package static func compacted(_ requested: Revision, oldest: Revision) -> StateStoreError {
    StateStoreError(
      .compacted, "the requested revision has been compacted; read again and watch from there",
      metadata: ["requested": "\(requested)", "oldest": "\(oldest)"], revision: oldest)
  }

  /// Nothing is known of `requested` yet.
  package static func futureRevision(_ requested: Revision, newest: Revision) -> StateStoreError {
    StateStoreError(
      .futureRevision, "the requested revision does not exist yet",
      metadata: ["requested": "\(requested)", "newest": "\(newest)"], revision: newest)
  }

  /// A watcher that should have read `next` was overtaken by too many revisions.
  package static func watcherFellBehind(next: Revision, newest: Revision) -> StateStoreError {
    StateStoreError(
      .watcherFellBehind, "the watcher fell too far behind; read again and watch from there",
      metadata: ["next": "\(next)", "newest": "\(newest)"], revision: next)
  }

  /// There is no lease `id`.
  package static func leaseNotFound(_ id: LeaseID) -> StateStoreError {
    StateStoreError(
      .leaseNotFound, "no such lease", metadata: ["lease": id.description])
  }

  /// The store was closed.
  package static let closed = StateStoreError(.closed, "the store is closed")

  /// The request makes no sense, for this reason.
  package static func invalidRequest(_ message: String) -> StateStoreError {
    StateStoreError(.invalidRequest, message)
  }
}
