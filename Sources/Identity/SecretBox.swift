import Crypto
import FoundationEssentials
import Glibc
import Host

/// Keeps small secrets at rest: mirror credentials, webhook secrets, signing keys. AES-256-GCM with a
/// random 96-bit nonce for each (NIST SP 800-38D, section 8.2.2).
package struct SecretBox: Sendable {
  /// How many bytes the key has.
  package static let keyLength = 32
  private static let prefix = "v1."
  private let key: SymmetricKey

  /// A box that this key opens.
  /// - Throws: `IdentityError` with `invalidRequest` when the key has not 32 bytes.
  package init(key: [UInt8]) throws {
    guard key.count == Self.keyLength else {
      throw IdentityError(
        .invalidRequest, "the key of the secret box must have 32 bytes",
        metadata: ["bytes": "\(key.count)"])
    }
    self.key = SymmetricKey(data: key)
  }

  /// Seals text. The answer is ASCII, different each time.
  package func seal(_ secret: String) throws -> String {
    do {
      let box = try AES.GCM.seal(Array(secret.utf8), using: key)
      let sealed = Array(box.nonce) + Array(box.ciphertext) + Array(box.tag)
      return Self.prefix + Base64URL.encode(sealed)
    } catch {
      throw IdentityError(.unavailable, "a secret could not be sealed", cause: error)
    }
  }

  /// Opens what `seal` answered.
  /// - Throws: `IdentityError` with `damaged` when it was sealed with another key or was changed.
  package func open(_ sealed: String) throws -> String {
    guard sealed.hasPrefix(Self.prefix),
      let bytes = Base64URL.decode(sealed.utf8.dropFirst(Self.prefix.utf8.count))
    else { throw Self.damaged(nil) }
    do {
      let opened = try AES.GCM.open(AES.GCM.SealedBox(combined: bytes), using: key)
      return String(decoding: opened, as: UTF8.self)
    } catch {
      throw Self.damaged(error)
    }
  }

  private static func damaged(_ cause: (any Error)?) -> IdentityError {
    IdentityError(
      .damaged, "a sealed secret cannot be opened with this key", cause: cause)
  }
}

extension SecretBox {
  /// A box whose key lies in a file of 64 hexadecimal digits, which is made, readable for its owner
  /// only, when it is missing.
  /// - Throws: `IdentityError` with `invalidRequest` when others may read the file or it holds
  ///   something else, `unavailable` when it cannot be read or made.
  package static func load(keyFile path: String) async throws -> SecretBox {
    do {
      return try await BlockingPool.shared.run { try loadBlocking(path) }
    } catch let error as SystemError {
      throw IdentityError(
        .unavailable, "the key file cannot be read or made", metadata: ["path": path],
        cause: error)
    }
  }

  private static func loadBlocking(_ path: String) throws -> SecretBox {
    if !Paths.exists(path) {
      let text = Identifier.hexadecimal(bytes: keyLength) + "\n"
      try DurableFile.publish(Array(text.utf8), to: path, mode: 0o600)
    }
    var status = stat()
    try checked("stat", path, stat(path, &status))
    guard status.st_mode & 0o077 == 0 else {
      throw IdentityError(
        .invalidRequest, "the key file must be readable for its owner only (mode 0600)",
        metadata: ["path": path])
    }
    let text = try Paths.read(path, limit: 4_096)
    let digits = text.filter { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
    let nibbles = digits.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
    guard digits.count == keyLength * 2, nibbles.count == digits.count else {
      throw IdentityError(
        .invalidRequest, "the key file must hold 64 hexadecimal digits",
        metadata: ["path": path])
    }
    return try SecretBox(
      key: (0..<keyLength).map { UInt8(nibbles[2 * $0] << 4 | nibbles[2 * $0 + 1]) })
  }
}
