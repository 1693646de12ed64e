import Crypto
import FoundationEssentials

/// A key pair that signs tokens.
struct SigningKey: Sendable {
  /// The thumbprint of the public key (RFC 7638), which is the `kid`.
  let id: String
  let privateKey: P256.Signing.PrivateKey
  let createdAt: Timestamp

  init(_ privateKey: P256.Signing.PrivateKey, createdAt: Timestamp) {
    self.privateKey = privateKey
    self.createdAt = createdAt
    let (x, y) = Self.coordinates(privateKey.publicKey)
    let canonical = #"{"crv":"P-256","kty":"EC","x":"\#(x)","y":"\#(y)"}"#
    self.id = Base64URL.encode(Array(SHA256.hash(data: Array(canonical.utf8))))
  }

  /// The public half as a JSON Web Key (RFC 7517, RFC 7518 section 6.2).
  var publicJWK: PublicJWK {
    let (x, y) = Self.coordinates(privateKey.publicKey)
    return PublicJWK(kid: id, x: x, y: y)
  }

  private static func coordinates(_ key: P256.Signing.PublicKey) -> (x: String, y: String) {
    let raw = Array(key.rawRepresentation)
    return (Base64URL.encode(raw.prefix(32)), Base64URL.encode(raw.dropFirst(32)))
  }

  /// The pair as it lies in the store.
  func record(sealedWith box: SecretBox?) throws -> SigningKeyRecord {
    let text = Base64URL.encode(Array(privateKey.rawRepresentation))
    return SigningKeyRecord(
      privateKey: try box?.seal(text) ?? text, isSealed: box != nil, createdAt: createdAt)
  }

  /// The pair of a record.
  /// - Throws: `IdentityError` with `damaged` when it cannot be opened.
  init(_ record: SigningKeyRecord, openedWith box: SecretBox?) throws {
    var text = record.privateKey
    if record.isSealed {
      guard let box else {
        throw IdentityError(.damaged, "a signing key is sealed and there is no key to open it")
      }
      text = try box.open(text)
    }
    guard let raw = Base64URL.decode(text.utf8) else {
      throw IdentityError(.damaged, "a signing key cannot be read")
    }
    do {
      self.init(
        try P256.Signing.PrivateKey(rawRepresentation: raw), createdAt: record.createdAt)
    } catch {
      throw IdentityError(.damaged, "a signing key cannot be read", cause: error)
    }
  }
}

/// The public half of a signing key as JSON.
struct PublicJWK: Codable, Hashable {
  var kid: String
  var x: String
  var y: String
  var kty = "EC"
  var crv = "P-256"
  var use = "sig"
  var alg = "ES256"
}

/// Keys by id, and which of them signs. Decides when the next one is due and which are over.
struct SigningKeyRing: Sendable {
  private(set) var keys: [String: SigningKey] = [:]
  /// How long a key signs.
  let rotation: Duration
  /// How long a token of an old key may still be in use.
  let retention: Duration

  init(_ keys: [SigningKey] = [], rotation: Duration, retention: Duration) {
    self.rotation = rotation
    self.retention = retention
    for key in keys { self.keys[key.id] = key }
  }

  /// The keys, oldest first.
  var ordered: [SigningKey] {
    keys.values.sorted { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }
  }

  /// The key that signs now; nil when a new one is due.
  func current(now: Timestamp) -> SigningKey? {
    guard let newest = keys.values.max(by: { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }),
      now - newest.createdAt < rotation
    else { return nil }
    return newest
  }

  /// The keys of which every token has expired: their successors have signed long enough.
  func outlived(now: Timestamp) -> [SigningKey] {
    let ordered = ordered
    return zip(ordered, ordered.dropFirst()).filter { now - $1.createdAt > retention }.map(\.0)
  }
}
