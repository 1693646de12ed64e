/// Names some content: its type, digest and size in bytes.
package struct ContentDescriptor: Hashable, Sendable, Codable {
  package var mediaType: String
  package var digest: Digest
  /// Size of the content in bytes.
  package var size: Int64
  package var urls: [String]?
  package var annotations: [String: String]?
  package var platform: Platform?
  package var artifactType: String?

  package init(
    mediaType: String, digest: Digest, size: Int64, urls: [String]? = nil,
    annotations: [String: String]? = nil, platform: Platform? = nil
  ) {
    self.mediaType = mediaType
    self.digest = digest
    self.size = size
    self.urls = urls
    self.annotations = annotations
    self.platform = platform
  }
}
