import Crypto
import FoundationEssentials

/// The compact form of a signed token (RFC 7515, section 7.1), taken apart but not yet believed.
///
/// Our own over swift-crypto, because a token here has one algorithm, one shape and one issuer: the
/// packages for all of JOSE bring X.509 and the whole of Foundation with ICU into the binary.
struct JSONWebToken {
  /// The most bytes of a token; more would not fit into a request's headers anyway.
  static let sizeLimit = 16_384
  private static let headerLimit = 1_024
  private static let keyIDLimit = 128
  private static let signatureLength = 64

  /// The `kid`.
  let keyID: String
  /// What the signature is over.
  let signed: [UInt8]
  let payload: [UInt8]
  /// The two halves of the signature, r and s.
  let signature: [UInt8]

  private struct Header: Codable {
    var alg: String
    var kid: String
    var typ: String?
    var crit: [String]?
  }

  /// Takes a token apart. Only ES256 is known (RFC 8725, section 3.1); extensions that must be
  /// understood are not.
  /// - Throws: `IdentityError` with `invalidToken`.
  init(_ text: String) throws {
    let bytes = Array(text.utf8)
    guard bytes.count <= Self.sizeLimit else { throw IdentityError.invalidToken("too long") }
    let parts = bytes.split(
      separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].count <= Self.headerLimit,
      let headerBytes = Base64URL.decode(parts[0]), let payload = Base64URL.decode(parts[1]),
      let signature = Base64URL.decode(parts[2]), signature.count == Self.signatureLength
    else { throw IdentityError.invalidToken("malformed") }
    let header: Header
    do {
      header = try JSONDecoder().decode(Header.self, from: Data(headerBytes))
    } catch {
      throw IdentityError.invalidToken("malformed header")
    }
    guard header.alg == "ES256" else { throw IdentityError.invalidToken("algorithm") }
    guard header.typ == nil || header.typ?.lowercased() == "jwt", header.crit == nil,
      header.kid.utf8.count <= Self.keyIDLimit
    else { throw IdentityError.invalidToken("header") }
    self.keyID = header.kid
    self.signed = Array(bytes[..<parts[1].endIndex])
    self.payload = payload
    self.signature = signature
  }

  /// Whether the key made the signature.
  func isSigned(by key: P256.Signing.PublicKey) -> Bool {
    guard let signature = try? P256.Signing.ECDSASignature(rawRepresentation: signature)
    // Numbers that are no signature at all are a wrong signature.
    else { return false }
    return key.isValidSignature(signature, for: signed)
  }

  /// The compact form of the payload, signed with the key.
  static func sign(
    _ payload: [UInt8], keyID: String, key: P256.Signing.PrivateKey
  ) throws -> String {
    let header = Header(alg: "ES256", kid: keyID, typ: "JWT", crit: nil)
    let signed =
      Base64URL.encode(try RecordCoding.encode(header)) + "." + Base64URL.encode(payload)
    do {
      let signature = try key.signature(for: Array(signed.utf8))
      return signed + "." + Base64URL.encode(Array(signature.rawRepresentation))
    } catch {
      throw IdentityError(.unavailable, "a token could not be signed", cause: error)
    }
  }
}

/// The claims of a registry's token (RFC 7519, section 4.1) as JSON.
struct TokenPayload: Codable, Hashable {
  var iss: String
  var sub: String
  var aud: Audience
  var exp: Int64
  var nbf: Int64?
  var iat: Int64?
  var jti: String?
  /// The account's id: ours.
  var uid: AccountID?
  var access: [TokenGrant]?

  /// One audience or several: RFC 7519 allows both spellings.
  struct Audience: Codable, Hashable {
    var names: [String]

    init(_ names: [String]) { self.names = names }

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let name = try? container.decode(String.self) {
        names = [name]
      } else {
        // Not one string; then it must be a list, or this throws.
        names = try container.decode([String].self)
      }
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      if names.count == 1 { try container.encode(names[0]) } else { try container.encode(names) }
    }
  }

  /// The payload of bytes whose signature was right.
  init(_ bytes: [UInt8]) throws {
    do {
      self = try JSONDecoder().decode(TokenPayload.self, from: Data(bytes))
    } catch {
      throw IdentityError.invalidToken("malformed claims")
    }
  }

  init(_ claims: TokenClaims) {
    iss = claims.issuer
    sub = claims.subject
    aud = Audience(claims.audience)
    exp = claims.expiresAt.seconds
    nbf = claims.issuedAt.seconds
    iat = claims.issuedAt.seconds
    jti = claims.id
    uid = claims.accountID
    access = claims.grants
  }

  /// The claims in our own types.
  var claims: TokenClaims {
    TokenClaims(
      issuer: iss, subject: sub, accountID: uid, audience: aud.names, id: jti ?? "",
      issuedAt: Timestamp(seconds: iat ?? nbf ?? 0), notBefore: Timestamp(seconds: nbf ?? 0),
      expiresAt: Timestamp(seconds: exp), grants: access ?? [])
  }
}
