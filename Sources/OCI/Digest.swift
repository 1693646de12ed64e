import Crypto

/// The name of some content: an algorithm and the hash of the bytes, `sha256:ab…`.
package struct Digest: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
  /// The hash functions that registries use.
  package enum Algorithm: String, Sendable, CaseIterable {
    case sha256
    case sha512

    /// How many hexadecimal characters a hash of this kind has.
    package var hexLength: Int { self == .sha256 ? 64 : 128 }
  }

  package let algorithm: Algorithm
  /// Lower-case hexadecimal text of the hash.
  package let hex: String

  /// A digest from its text; nil unless the algorithm is known and the hash is well formed.
  package init?(_ text: String) {
    guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")),
      let algorithm = Algorithm(rawValue: String(text[..<colon]))
    else { return nil }
    let hash = text[text.utf8.index(after: colon)...]
    guard hash.utf8.count == algorithm.hexLength, hash.utf8.allSatisfy(Self.isLowerHex)
    else { return nil }
    self.algorithm = algorithm
    self.hex = String(hash)
  }

  /// A digest from its text; throws ``OCIError`` (`invalidDigest`).
  package init(parsing text: String) throws {
    guard let digest = Digest(text) else {
      throw OCIError(
        .invalidDigest, "invalid digest format", metadata: ["digest": String(text.prefix(200))])
    }
    self = digest
  }

  /// A SHA-256 digest from 64 lower-case hexadecimal characters; nil if they are not.
  package init?(sha256Hex hex: String) {
    guard hex.utf8.count == 64, hex.utf8.allSatisfy(Self.isLowerHex) else { return nil }
    self.algorithm = .sha256
    self.hex = hex
  }

  /// The digest of these bytes.
  package static func sha256(of bytes: some Sequence<UInt8>) -> Digest {
    var hasher = DigestHasher()
    let whole: Void? = bytes.withContiguousStorageIfAvailable { buffer in
      hasher.update(UnsafeRawBufferPointer(buffer))
    }
    if whole == nil {
      Array(bytes).withUnsafeBytes { hasher.update($0) }
    }
    return hasher.finalize()
  }

  package init(from decoder: any Decoder) throws {
    self = try Digest(parsing: decoder.singleValueContainer().decode(String.self))
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }

  package var description: String { "\(algorithm.rawValue):\(hex)" }

  /// The first twelve characters of the hash, as docker shows ids.
  package var short: String { String(hex.prefix(12)) }

  package static func < (left: Digest, right: Digest) -> Bool {
    left.description < right.description
  }

  private static func isLowerHex(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
  }
}

/// Hashes bytes as they stream by.
package struct DigestHasher {
  // Two optionals, not an enum: taking a payload out of an enum to change it copies the state.
  private var sha256: SHA256?
  private var sha512: SHA512?

  /// A hasher for digests of this algorithm.
  package init(_ algorithm: Digest.Algorithm = .sha256) {
    switch algorithm {
    case .sha256: sha256 = SHA256()
    case .sha512: sha512 = SHA512()
    }
  }

  /// Takes in the next bytes.
  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    sha256?.update(bufferPointer: bytes)
    sha512?.update(bufferPointer: bytes)
  }

  /// The digest of everything taken in so far.
  package func finalize() -> Digest {
    let text: String
    if let sha512 {
      text = "sha512:" + Self.hex(sha512.finalize())
    } else {
      text = "sha256:" + Self.hex((sha256 ?? SHA256()).finalize())
    }
    guard let digest = Digest(text) else { preconditionFailure("a hash is always well formed") }
    return digest
  }

  private static func hex(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(128)
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}
