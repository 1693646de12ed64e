import Host
package import Logging
package import StateStore
import Synchronization

/// People, their secrets, organisations and teams. All of it lies in the store under `/identity/`;
/// what is asked often is answered from memory, which a watch keeps true, and which has seen a
/// change of this process's own before the call that made it returns.
///
/// Every method throws `IdentityError` (or `CancellationError`).
package final class IdentityService: Sendable {
  let store: any StateStore
  let settings: IdentitySettings
  let logger: Logger
  let clock: @Sendable () -> Timestamp
  let directory: DirectoryCache
  let hasher: PasswordHasher
  let verified: VerifiedSecrets
  let signIns: Mutex<SignIns>

  /// A service over the store. Nothing is read until the first question.
  package init(
    store: any StateStore, settings: IdentitySettings = IdentitySettings(), logger: Logger,
    clock: @escaping @Sendable () -> Timestamp = { Timestamp.now() }
  ) {
    let verified = VerifiedSecrets()
    self.store = store
    self.settings = settings
    self.logger = logger
    self.clock = clock
    self.hasher = PasswordHasher(settings.hashing)
    self.verified = verified
    self.directory = DirectoryCache(
      store: store, logger: logger, secretsChanged: { verified.drop($0) })
    self.signIns = Mutex(SignIns(throttle: LoginThrottle(settings.throttle)))
  }

  deinit {
    directory.stop()
  }

  /// Ends the watch on the store. What is in memory is still answered, and grows old.
  package func stop() {
    directory.stop()
  }
}

extension IdentityService {
  /// How often something that others change at the same time is tried again.
  static let attemptLimit = 8

  /// Runs a transaction that changes something of Identity when its conditions hold, and waits until
  /// the memory has seen the change. Answers whether the conditions held.
  func commit(_ transaction: Transaction) async throws -> Bool {
    let response = try await storing { try await store.transact(transaction) }
    if response.succeeded { await directory.catchUp(to: response.revision) }
    return response.succeeded
  }

  /// Names the store's errors as Identity's.
  func storing<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
    do {
      return try await body()
    } catch let error as StateStoreError {
      throw IdentityError(.unavailable, "accounts cannot be read or written", cause: error)
    }
  }

  /// A record as it stands in the store now, with the revision that last changed it.
  func stored<Record: Decodable & Sendable>(
    _ type: Record.Type, _ key: Key
  ) async throws -> (record: Record, revision: Revision)? {
    guard let item = try await storing({ try await store.get(key) }) else { return nil }
    return (try RecordCoding.decode(type, item), item.modifyRevision)
  }

  static func newAccountID() -> AccountID {
    AccountID(unchecked: Identifier.hexadecimal(bytes: 16))
  }

  static func newTeamID() -> TeamID {
    TeamID(unchecked: Identifier.hexadecimal(bytes: 16))
  }

  static func checkText(_ text: String, _ field: String, limit: Int = 1_024) throws {
    guard text.utf8.count <= limit, !text.utf8.contains(0) else {
      throw IdentityError(
        .invalidRequest, "the text is too long", metadata: ["field": field, "limit": "\(limit)"])
    }
  }
}
