import CArgon2
import Host
import Synchronization

/// Hashes passwords with Argon2id (RFC 9106) on threads of its own, a few at a time: each takes as
/// much memory as its parameters say.
final class PasswordHasher: Sendable {
  private static let pool = BlockingPool(threads: 2)
  private static let saltLength = 16
  private static let hashLength = 32

  private let parameters: IdentitySettings.HashParameters
  private let queueLimit: Int
  private let queued = Mutex(0)

  init(_ parameters: IdentitySettings.HashParameters, queueLimit: Int = 64) {
    self.parameters = parameters
    self.queueLimit = queueLimit
  }

  /// The hash in PHC string format, with a random salt.
  func hash(_ password: String) async throws -> String {
    try await run { [parameters] in
      let salt = Self.randomBytes(Self.saltLength)
      let secret = Array(password.utf8)
      let length = argon2_encodedlen(
        parameters.passes, parameters.memory, parameters.lanes, UInt32(Self.saltLength),
        UInt32(Self.hashLength), Argon2_id)
      var encoded = [CChar](repeating: 0, count: length)
      let status = argon2id_hash_encoded(
        parameters.passes, parameters.memory, parameters.lanes, secret, secret.count, salt,
        salt.count, Self.hashLength, &encoded, encoded.count)
      try Self.check(status)
      return String(
        decoding: encoded.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
  }

  /// Whether the password has this hash; compared in constant time by the library.
  func verify(_ password: String, hash: String) async throws -> Bool {
    try await run {
      let secret = Array(password.utf8)
      let status = argon2id_verify(hash, secret, secret.count)
      guard status != ARGON2_VERIFY_MISMATCH.rawValue else { return false }
      try Self.check(status)
      return true
    }
  }

  /// Does the work of `verify` for nobody, so that a name that does not exist takes as long as one
  /// that does.
  func verifyNothing(_ password: String) async throws {
    try await run { [parameters] in
      let salt = [UInt8](repeating: 0, count: Self.saltLength)
      let secret = Array(password.utf8)
      var output = [UInt8](repeating: 0, count: Self.hashLength)
      try Self.check(
        argon2id_hash_raw(
          parameters.passes, parameters.memory, parameters.lanes, secret, secret.count, salt,
          salt.count, &output, output.count))
    }
  }

  /// Whether the hash was made with other parameters than are wanted now.
  func isOutdated(_ hash: String) -> Bool {
    let wanted =
      "$argon2id$v=19$m=\(parameters.memory),t=\(parameters.passes),p=\(parameters.lanes)$"
    return !hash.hasPrefix(wanted)
  }

  private func run<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    let isAdmitted = queued.withLock { count in
      guard count < queueLimit else { return false }
      count += 1
      return true
    }
    guard isAdmitted else {
      throw IdentityError(
        .throttled, "too many passwords are being checked at once", retryAfter: .seconds(1))
    }
    defer { queued.withLock { $0 -= 1 } }
    return try await Self.pool.run(body)
  }

  private static func check(_ status: Int32) throws {
    guard status != ARGON2_OK.rawValue else { return }
    throw IdentityError(
      .unavailable, "a password could not be hashed",
      metadata: ["reason": String(cString: argon2_error_message(status))])
  }

  private static func randomBytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
  }
}
