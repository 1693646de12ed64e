import Crypto
import FoundationEssentials

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
