import Crypto
import FoundationEssentials
import Synchronization

/// Remembers for a short time which secrets were right, so that a client that sends its password
/// with each request costs one keyed hash and not one Argon2 each. Only in memory, only as
/// HMAC-SHA256 under a key of this process.
final class VerifiedSecrets: Sendable {
  /// An account and a secret, told apart without knowing either.
  struct Mark: Hashable, Sendable {
    fileprivate let bytes: [UInt8]
  }

  /// What was verified.
  struct Entry: Sendable {
    let account: AccountID
    let credential: Caller.Credential
    let until: Timestamp
  }

  private struct State {
    var entries: [Mark: Entry] = [:]
    var epoch: UInt64 = 0
  }

  private let key = SymmetricKey(size: .bits256)
  private let capacity: Int
  private let state = Mutex(State())

  init(capacity: Int = 10_000) {
    self.capacity = capacity
  }

  /// The mark of a secret that was given for `owner`.
  func mark(owner: String, secret: String) -> Mark {
    var code = HMAC<SHA256>(key: key)
    code.update(data: Array(owner.utf8))
    code.update(data: [0])
    code.update(data: Array(secret.utf8))
    return Mark(bytes: Array(code.finalize()))
  }

  /// What is remembered of the secret.
  func entry(_ mark: Mark, now: Timestamp) -> Entry? {
    state.withLock { state in
      guard let entry = state.entries[mark] else { return nil }
      guard entry.until > now else {
        state.entries[mark] = nil
        return nil
      }
      return entry
    }
  }

  /// Changes with each `drop`: take it before verifying.
  var epoch: UInt64 { state.withLock { $0.epoch } }

  /// Remembers a secret, unless something was dropped since `epoch`: what was verified against may
  /// be what was changed.
  func insert(_ mark: Mark, _ entry: Entry, epoch: UInt64, now: Timestamp) {
    state.withLock { state in
      guard state.epoch == epoch else { return }
      if state.entries.count >= capacity {
        state.entries = state.entries.filter { $0.value.until > now }
      }
      if state.entries.count >= capacity { state.entries.removeAll(keepingCapacity: true) }
      state.entries[mark] = entry
    }
  }

  /// Forgets the secrets of one account, or of all.
  func drop(_ account: AccountID?) {
    state.withLock { state in
      state.epoch &+= 1
      guard let account else {
        state.entries.removeAll()
        return
      }
      state.entries = state.entries.filter { $0.value.account != account }
    }
  }
}
