import Logging
import NIOCore
import NIOHTTP1
import OCI
import Testing

@testable import BlobStorage

@Suite struct S3SettingsTests {
  private func settings(
    _ endpoint: String? = nil, bucket: String = "images", pathStyle: Bool = false,
    secure: Bool = true
  ) -> S3Settings {
    var settings = S3Settings(bucket: bucket, region: "eu-central-1")
    (settings.accessKey, settings.secretKey) = ("access", "secret")
    settings.regionEndpoint = endpoint
    settings.forcePathStyle = pathStyle
    settings.secure = secure
    return settings
  }

  private func url(_ settings: S3Settings) throws -> String {
    let endpoint = try S3Endpoint(settings)
    return "\(endpoint.scheme)://\(endpoint.host)\(endpoint.path("a b/c"))"
  }

  @Test func bucketsAreNamedInTheHostOrInThePath() throws {
    #expect(try url(settings()) == "https://images.s3.eu-central-1.amazonaws.com/a%20b/c")
    #expect(
      try url(settings(pathStyle: true)) == "https://s3.eu-central-1.amazonaws.com/images/a%20b/c")
    #expect(try url(settings("store.example")) == "https://images.store.example/a%20b/c")
    #expect(
      try url(settings("store.example:9000", secure: false))
        == "http://images.store.example:9000/a%20b/c")
    #expect(
      try url(settings("HTTP://store.example:80/", pathStyle: true))
        == "http://store.example/images/a%20b/c")
    #expect(
      try url(settings("http://127.0.0.1:9000")) == "http://127.0.0.1:9000/images/a%20b/c",
      "no name can stand before an address")
    #expect(try url(settings("[::1]:9000")) == "https://[::1]:9000/images/a%20b/c")
    #expect(
      try url(settings("store.example", bucket: "a.b")) == "https://store.example/a.b/a%20b/c",
      "no certificate names two labels")
    var china = settings()
    china.region = "cn-north-1"
    #expect(try url(china).hasPrefix("https://images.s3.cn-north-1.amazonaws.com.cn/"))
  }

  @Test func whatCannotWorkIsToldAtOnce() {
    var cases: [S3Settings] = ["ftp://x", "a b", "https://x/path", "user@x", ""].map {
      settings($0)
    }
    func add(_ change: (inout S3Settings) -> Void) {
      var changed = settings()
      change(&changed)
      cases.append(changed)
    }
    add { $0.bucket = "" }
    add { $0.region = "" }
    add { $0.chunkSize = (5 << 20) - 1 }
    add { $0.presignLifetime = 0 }
    add { $0.presignLifetime = 604_801 }
    add { $0.requestTimeout = .zero }
    add { $0.secretKey = nil }
    add { $0.accessKey = "" }
    for (number, settings) in cases.enumerated() {
      do {
        _ = try S3Storage(settings: settings, logger: Logger(label: "test"))
        Issue.record("nothing was thrown by case \(number)")
      } catch {
        #expect((error as? BlobStorageError)?.code == .badConfiguration, "\(error)")
      }
    }
  }

  @Test func redirectsAreSignedURLsWhereTheyAreWanted() async throws {
    var settings = settings()
    settings.rootDirectory = "/our/images/"
    settings.presignLifetime = 60
    let key = StorageKey.random()
    let storage = try S3Storage(settings: settings, logger: Logger(label: "test"))
    let url = try #require(try await storage.redirect(to: key))
    #expect(
      url.hasPrefix(
        "https://images.s3.eu-central-1.amazonaws.com/our/images/blobs/\(key.description.prefix(2))/\(key)?X-Amz-Algorithm="
      ))
    #expect(url.contains("&X-Amz-Expires=60&"))
    settings.redirects = false
    let quiet = try S3Storage(settings: settings, logger: Logger(label: "test"))
    #expect(try await quiet.redirect(to: key) == nil)
    #expect(quiet.localPath(of: key) == nil)
  }

  @Test func aSuspendedUploadIsWhatItsHeadersSay() throws {
    func read(_ change: (inout HTTPHeaders) -> Void) throws -> SuspendedUpload {
      let state = SuspendedUpload(
        multipart: "upload", parts: 2, stored: 20, mark: "mark", tail: 7)
      var headers = HTTPHeaders(state.headers.map { ($0.name, $0.value) })
      headers.add(name: "Content-Length", value: "7")
      change(&headers)
      return try SuspendedUpload(headers)
    }
    let state = try read { _ in }
    #expect(
      state == SuspendedUpload(multipart: "upload", parts: 2, stored: 20, mark: "mark", tail: 7))
    #expect(state.size == 27)
    let changes: [(String, String?)] = [
      ("parts", "-1"), ("parts", "10001"), ("parts", "x"), ("parts", "0"), ("parts", "3"),
      ("stored", "-20"), ("stored", "9223372036854775807"), ("stored", nil), ("mark", nil),
      ("multipart", nil),
    ]
    for (name, value) in changes {
      #expect(throws: BlobStorageError.self, "\(name) \(value ?? "-")") {
        _ = try read { headers in
          headers.remove(name: "x-amz-meta-martlet-\(name)")
          if let value { headers.add(name: "x-amz-meta-martlet-\(name)", value: value) }
        }
      }
    }
    #expect(throws: BlobStorageError.self) {
      _ = try read { $0.replaceOrAdd(name: "content-length", value: "-7") }
    }
  }
}
