import Host

/// Where a bucket is: what its URLs begin with.
struct S3Endpoint: Sendable, Equatable {
  /// `http` or `https`.
  let scheme: String
  /// The host with the port where it is not the scheme's own: the `Host` header.
  let host: String
  /// What paths begin with: the bucket's name, or nothing.
  let pathPrefix: String

  var isSecure: Bool { scheme == "https" }

  /// The place of the settings' bucket. Throws ``BlobStorageError`` (`badConfiguration`).
  init(_ settings: S3Settings) throws {
    var text = settings.regionEndpoint ?? Self.amazon(settings.region)
    var scheme = settings.secure ? "https" : "http"
    if let mark = text.firstRange(of: "://") {
      scheme = text[..<mark.lowerBound].lowercased()
      text = String(text[mark.upperBound...])
    }
    if text.hasSuffix("/") { text.removeLast() }
    let port = scheme == "https" ? ":443" : ":80"
    if text.hasSuffix(port) { text.removeLast(port.utf8.count) }
    guard ["http", "https"].contains(scheme), Self.isHost(text) else {
      throw BlobStorageError(
        .badConfiguration, "the S3 service's endpoint is no host or URL of one",
        metadata: ["endpoint": settings.regionEndpoint ?? ""])
    }
    let bucket = settings.bucket
    let takesPath =
      settings.forcePathStyle || Self.isAddress(text)
      || (scheme == "https" && bucket.utf8.contains(UInt8(ascii: ".")))
    self.scheme = scheme
    host = takesPath ? text : "\(bucket).\(text)"
    pathPrefix = takesPath ? "/" + RequestSigner.encoded(bucket) : ""
  }

  /// The path of an object, or of the bucket itself, encoded.
  func path(_ object: String?) -> String {
    guard let object else { return pathPrefix.isEmpty ? "/" : pathPrefix }
    return pathPrefix + "/" + RequestSigner.encoded(object, keepsSlashes: true)
  }

  private static func amazon(_ region: String) -> String {
    "s3.\(region).amazonaws.com" + (region.hasPrefix("cn-") ? ".cn" : "")
  }

  private static func isHost(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 255
      && text.utf8.allSatisfy { byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || ".-:[]_".utf8.contains(byte)
      }
  }

  /// Whether the host is an IP address, before which no bucket's name can stand.
  private static func isAddress(_ host: String) -> Bool {
    if host.hasPrefix("[") { return true }
    let name = host.split(separator: ":").first ?? ""
    return IPAddress(String(name)) != nil
  }
}
