import GRPCCore
import StateStore

/// What a failed call means.
enum EtcdFailure {
  /// Nothing will change that; the request had no effect.
  case final(StateStoreError)
  /// The token of the user is not known any more; the request had no effect.
  case staleToken
  /// It may work later, or with another member. The request had no effect.
  case refused
  /// It may work later, or with another member. What the request did is not known.
  case unknown

  /// What the error of a call means whose request may have left this process or not.
  init(_ error: RPCError, wasSent: Bool) {
    if let known = EtcdFailure.known(error) {
      self = known
      return
    }
    switch error.code {
    case .unavailable, .deadlineExceeded, .cancelled, .unknown, .internalError, .aborted:
      self = wasSent ? .unknown : .refused
    case .resourceExhausted where error.message.hasPrefix("Message has exceeded"):
      self = .final(EtcdFailure.refusal("the answer of etcd is too large", error))
    default:
      self = .final(EtcdFailure.refusal("etcd refuses the request", error))
    }
  }

  /// The meaning of the texts that etcd's servers are known to send; nil for others.
  private static func known(_ error: RPCError) -> EtcdFailure? {
    guard let text = EtcdFailure.text(of: error.message) else { return nil }
    if let code = codes[text] {
      return .final(StateStoreError(code, "etcd refuses the request", metadata: ["etcd": text]))
    }
    switch text {
    case "invalid auth token", "revision of auth store is old": return .staleToken
    case "no leader", "too many requests", "rpc not supported for learner", "not capable":
      return .refused
    case "authentication failed, invalid user ID or password", "user name is empty",
      "permission denied", "authentication is not enabled":
      return .final(refusal("etcd refuses the user", error))
    default: return nil
    }
  }

  /// What an error text says after etcd's own prefixes, and, in the reason of a cancelled watch,
  /// those of gRPC.
  static func text(of message: String) -> String? {
    var message = message[...]
    if message.hasPrefix("rpc error: "), let description = message.firstRange(of: " desc = ") {
      message = message[description.upperBound...]
    }
    guard message.hasPrefix("etcdserver: ") else { return nil }
    let text = message.dropFirst("etcdserver: ".count)
    return String(text.hasPrefix("mvcc: ") ? text.dropFirst("mvcc: ".count) : text)
  }

  private static let codes: [String: StateStoreError.Code] = [
    "required revision has been compacted": .compacted,
    "required revision is a future revision": .futureRevision,
    "database space exceeded": .storageFull,
    "key is not provided": .invalidRequest,
    "key not found": .keyNotFound,
    "value is provided": .invalidRequest,
    "lease is provided": .invalidRequest,
    "duplicate key given in txn request": .duplicateKey,
    "too many operations in txn request": .requestTooLarge,
    "request is too large": .requestTooLarge,
    "requested lease not found": .leaseNotFound,
    "lease already exists": .leaseExists,
    "too large lease TTL": .invalidRequest,
    "corrupt cluster": .corrupt,
  ]

  private static func refusal(_ message: String, _ error: RPCError) -> StateStoreError {
    StateStoreError(.unavailable, message, metadata: facts(error))
  }

  private static func facts(_ error: RPCError) -> [String: String] {
    ["code": "\(error.code)", "etcd": String(error.message.prefix(400))]
  }

  /// A change was asked for, and no answer came.
  static func outcomeUnknown(_ error: RPCError) -> StateStoreError {
    StateStoreError(
      .unavailable, "etcd did not answer; it is not known whether the change was made",
      metadata: facts(error).merging(["outcome": "unknown"]) { $1 }, cause: error)
  }

  /// No member could be asked, or none answered a question.
  static func unreachable(_ error: RPCError) -> StateStoreError {
    StateStoreError(
      .unavailable, "no member of the etcd cluster answers in time",
      metadata: facts(error).merging(["outcome": "none"]) { $1 }, cause: error)
  }

  /// An answer that no request of ours has.
  static func malformed(_ what: String) -> StateStoreError {
    StateStoreError(
      .unavailable, "etcd answers something senseless", metadata: ["reason": what])
  }
}
