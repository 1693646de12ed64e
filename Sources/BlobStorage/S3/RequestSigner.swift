import Crypto
import FoundationEssentials
import OCI

/// Signs requests as AWS Signature Version 4 has it, in the variant of S3: paths are encoded once,
/// and never normalised.
struct RequestSigner: Sendable {
  /// Names and values, in the order they are sent in.
  typealias Pairs = [(name: String, value: String)]

  /// Stands for the hash of a body that the signature does not cover.
  static let unsignedPayload = "UNSIGNED-PAYLOAD"
  /// The hash of no body.
  static let emptyPayload = hash(EmptyCollection<UInt8>())

  let accessKey: String
  let secretKey: String
  var sessionToken: String?
  let region: String
  var service = "s3"

  /// The headers that sign a request: those given, and with them the time, the body's hash and the
  /// signature.
  /// - Parameters:
  ///   - path: the path as it is sent, encoded.
  ///   - query: names and values, not encoded.
  ///   - headers: all that are to be signed, `host` among them.
  ///   - payload: the body's hash in hexadecimal, or ``unsignedPayload``.
  func signed(
    _ method: String, path: String, query: Pairs, headers: Pairs, payload: String, at time: S3Time
  ) -> Pairs {
    var headers = headers
    headers.append(("x-amz-date", time.basic))
    headers.append(("x-amz-content-sha256", payload))
    if let sessionToken { headers.append(("x-amz-security-token", sessionToken)) }
    let authorization = authorization(
      method, path: path, query: query, headers: headers, payload: payload, at: time)
    headers.append(("authorization", authorization))
    return headers
  }

  /// The `Authorization` header over exactly these headers.
  func authorization(
    _ method: String, path: String, query: Pairs, headers: Pairs, payload: String, at time: S3Time
  ) -> String {
    let (canonical, names) = Self.canonical(headers)
    let signature = signature(
      [method, path, Self.queryText(query), canonical, names, payload], at: time)
    return
      "AWS4-HMAC-SHA256 Credential=\(accessKey)/\(scope(time)),SignedHeaders=\(names),Signature=\(signature)"
  }

  /// The query of a URL that anybody may use for so many seconds.
  func presigned(
    _ method: String, path: String, query: Pairs = [], host: String, lifetime: Int, at time: S3Time
  ) -> String {
    var query = query
    query.append(("X-Amz-Algorithm", "AWS4-HMAC-SHA256"))
    query.append(("X-Amz-Credential", "\(accessKey)/\(scope(time))"))
    query.append(("X-Amz-Date", time.basic))
    query.append(("X-Amz-Expires", String(lifetime)))
    query.append(("X-Amz-SignedHeaders", "host"))
    if let sessionToken { query.append(("X-Amz-Security-Token", sessionToken)) }
    let text = Self.queryText(query)
    let (canonical, names) = Self.canonical([("host", host)])
    let signature = signature(
      [method, path, text, canonical, names, Self.unsignedPayload], at: time)
    return "\(text)&X-Amz-Signature=\(signature)"
  }

  // MARK: - Canonical forms

  /// A query as it is signed and sent: encoded, and sorted by name.
  static func queryText(_ query: Pairs) -> String {
    let pairs = query.map { pair -> (name: String, value: String) in
      (name: encoded(pair.name), value: encoded(pair.value))
    }
    let sorted = pairs.sorted { left, right in
      left.name == right.name ? left.value < right.value : left.name < right.name
    }
    return sorted.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
  }

  /// Percent-encodes everything but unreserved characters (RFC 3986, 2.3), and slashes if asked.
  static func encoded(_ text: String, keepsSlashes: Bool = false) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var result: [UInt8] = []
    result.reserveCapacity(text.utf8.count)
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"), UInt8(ascii: "~"):
        result.append(byte)
      case UInt8(ascii: "/") where keepsSlashes:
        result.append(byte)
      default:
        result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// The hash of a body, in hexadecimal.
  static func hash(_ bytes: some Sequence<UInt8>) -> String { Digest.sha256(of: bytes).hex }

  private static func canonical(_ headers: Pairs) -> (headers: String, names: String) {
    let pairs = headers.map { pair -> (name: String, value: String) in
      (name: pair.name.lowercased(), value: trimmed(pair.value))
    }
    let sorted = pairs.sorted { $0.name < $1.name }
    let lines = sorted.map { "\($0.name):\($0.value)\n" }
    return (lines.joined(), sorted.map(\.name).joined(separator: ";"))
  }

  /// Without spaces around, and with single ones within.
  private static func trimmed(_ text: String) -> String {
    text.split(separator: " ").joined(separator: " ")
  }

  private func scope(_ time: S3Time) -> String {
    "\(time.day)/\(region)/\(service)/aws4_request"
  }

  private func signature(_ canonical: [String], at time: S3Time) -> String {
    let hash = Self.hash(Array(canonical.joined(separator: "\n").utf8))
    let text = "AWS4-HMAC-SHA256\n\(time.basic)\n\(scope(time))\n\(hash)"
    var key = SymmetricKey(data: Array("AWS4\(secretKey)".utf8))
    for part in [time.day, region, service, "aws4_request"] {
      key = SymmetricKey(
        data: HMAC<SHA256>.authenticationCode(for: Array(part.utf8), using: key))
    }
    return Self.hexadecimal(
      HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key))
  }

  private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(64)
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}
