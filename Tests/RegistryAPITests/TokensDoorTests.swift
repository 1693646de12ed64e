// swift-format-ignore-file: AlwaysUseLowerCamelCase

import Identity
import NIOCore
import NIOHTTP1
import Registry
import Testing

@testable import RegistryAPI

@Suite(.timeLimit(.minutes(3)))
struct TokensDoorTests {
  private struct Token: Decodable {
    var token: String
    var refresh_token: String?
  }

  private static func basic(_ name: String, _ secret: String) -> HTTPHeaders {
    let bytes = Array("\(name):\(secret)".utf8)
    return ["Authorization": "Basic \(base64(bytes))"]
  }

  private static func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    var text = ""
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let part = bytes[start..<min(start + 3, bytes.count)]
      let number = (0..<3).reduce(0) { $0 << 8 | ($1 < part.count ? Int(part[start + $1]) : 0) }
      for index in 0..<4 {
        text.append(index <= part.count ? alphabet[number >> (18 - 6 * index) & 63] : "=")
      }
    }
    return text
  }

  private static func bearer(_ token: String) -> HTTPHeaders {
    ["Authorization": "Bearer \(token)"]
  }

  private static let ann = basic("ann", DoorFixture.password)

  @Test func challengesWhoeverIsNotLoggedIn() async throws {
    try await DoorFixture.run(withTokens: true) { door in
      let answer = try await door.request(.GET, "/v2/")
      #expect(answer.status == 401)
      let challenge = try #require(answer.headers.first(name: "WWW-Authenticate"))
      #expect(
        challenge == "Bearer realm=\"\(door.base)/auth/token\",service=\"test-registry\"")
      #expect(answer.text.contains("\"UNAUTHORIZED\""))
      let push = try await door.request(.POST, "/v2/ann/app/blobs/uploads/")
      #expect(push.status == 401)
      #expect(
        push.headers.first(name: "WWW-Authenticate")?
          .contains("scope=\"repository:ann/app:pull,push\"") == true)
      #expect(try await door.request(.GET, "/v2/", Self.ann).status == 200)
      #expect(try await door.request(.GET, "/v2/", Self.basic("ann", "wrong horse")).status == 401)
      #expect(try await door.request(.GET, "/v2/", Self.bearer("a.b.c")).status == 401)
    }
  }

  @Test func tokensAreCutToWhatTheCallerMay() async throws {
    try await DoorFixture.run(withTokens: true) { door in
      let scope = "scope=repository:ann/app:pull,push"
      let digest = try await push(door, scope)
      // by the task at first, later from memory
      for _ in 0..<3 {
        let own = try await token(door, "/auth/token?\(scope)", Self.ann)
        let answer = try await door.request(
          .GET, "/v2/ann/app/manifests/v1", Self.bearer(own.token))
        #expect(answer.status == 200)
        #expect(answer.headers.first(name: "Docker-Content-Digest") == digest)
      }
      let other = try await token(
        door, "/v2/token?\(scope)", Self.basic("bob", DoorFixture.password))
      let pushed = try await door.request(
        .POST, "/v2/ann/app/blobs/uploads/", Self.bearer(other.token))
      #expect([401, 403].contains(pushed.status))
      // a token for one repository is none for another, whosever it is
      let narrow = try await token(door, "/token?scope=repository:ann/other:pull", Self.ann)
      for path in ["/v2/ann/app/manifests/v1", "/v2/ann/app/tags/list"] {
        let answer = try await door.request(.GET, path, Self.bearer(narrow.token))
        #expect(answer.status == 401, "\(path)")
        #expect(
          answer.headers.first(name: "WWW-Authenticate")?.contains("insufficient_scope") == true)
      }
    }
  }

  /// Private repositories answer as those that do not exist, from memory as well.
  @Test func privateRepositoriesAreNotRevealed() async throws {
    try await DoorFixture.run(withTokens: true) { door in
      _ = try await push(door, "scope=repository:ann/app:pull,push")
      let repository = try await door.registry.createRepository(
        .init("ann/secret"), .init(visibility: .private), by: .system)
      #expect(repository.visibility == .private)
      _ = try await door.pushImage("ann/secret", "v1", Self.ann)
      for _ in 0..<3 {
        #expect(try await door.request(.GET, "/v2/ann/secret/manifests/v1", Self.ann).status == 200)
        let other = Self.basic("bob", DoorFixture.password)
        for path in ["/v2/ann/secret/manifests/v1", "/v2/ann/none/manifests/v1"] {
          #expect(try await door.request(.GET, path, other).status == 404, "\(path)")
          #expect(try await door.request(.GET, path).status == 401, "\(path)")
        }
      }
    }
  }

  @Test func refreshTokens() async throws {
    try await DoorFixture.run(withTokens: true) { door in
      let form: HTTPHeaders = ["Content-Type": "application/x-www-form-urlencoded"]
      let first = try await door.request(
        .POST, "/auth/token", form,
        body: "grant_type=password&username=ann&password=correct+horse&access_type=offline"
          + "&service=test-registry&client_id=test")
      #expect(first.status == 200, "\(first.text)")
      let refresh = try #require(try first.decoded(Token.self).refresh_token)
      let second = try await door.request(
        .POST, "/auth/token", form,
        body: "grant_type=refresh_token&refresh_token=\(refresh)&service=test-registry")
      #expect(second.status == 200, "\(second.text)")
      let token = try second.decoded(Token.self).token
      #expect(try await door.request(.GET, "/v2/", Self.bearer(token)).status == 200)
      for body in [
        "grant_type=refresh_token&refresh_token=x", "grant_type=refresh_token",
        "grant_type=password&username=ann&password=wrong", "grant_type=password",
      ] {
        #expect(
          try await door.request(.POST, "/auth/token", form, body: body).status == 401, "\(body)")
      }
      let odd = try await door.request(.POST, "/auth/token", form, body: "grant_type=magic")
      #expect(odd.status == 400)
    }
  }

  private func token(
    _ door: DoorFixture, _ path: String, _ headers: HTTPHeaders
  ) async throws -> Token {
    let answer = try await door.request(.GET, path, headers)
    #expect(answer.status == 200, "\(answer.text)")
    return try answer.decoded(Token.self)
  }

  private func push(_ door: DoorFixture, _ scope: String) async throws -> String {
    let own = try await token(door, "/auth/token?service=test-registry&\(scope)", Self.ann)
    return try await door.pushImage("ann/app", "v1", Self.bearer(own.token))
  }
}

@Suite(.timeLimit(.minutes(3)))
struct MetaDoorTests {
  @Test func answersMachines() async throws {
    try await DoorFixture.run(withTokens: false) { door in
      #expect(try await door.request(.GET, "/_ping").status == 200)
      let health = try await door.request(.GET, "/health")
      #expect(health.status == 200 && health.text.contains("\"Healthy\":true"))
      let status = try await door.request(.GET, "/nginx_status")
      #expect(status.text.hasPrefix("Active connections: "))
      #expect(status.text.contains("\nserver accepts handled requests\n "))
      let metrics = try await door.request(.GET, "/metrics")
      #expect(metrics.text.contains("\nmartlet_http_requests_total "))
      #expect(try await door.request(.GET, "/ca").status == 404)
      #expect(try await door.request(.POST, "/_ping").status == 405)
    }
  }

  @Test func manifestsFromMemoryAreThoseFromTheStore() async throws {
    try await DoorFixture.run(withTokens: false) { door in
      let digest = try await door.pushImage("suite/app", "v1")
      let path = "/v2/suite/app/manifests/v1"
      let first = try await door.request(.GET, path)
      for _ in 0..<5 {
        let again = try await door.request(.GET, path)
        #expect(again.status == 200 && again.body == first.body)
        #expect(again.headers == first.headers)
        let head = try await door.request(.HEAD, path)
        #expect(head.headers == first.headers && head.body.readableBytes == 0)
      }
      let same = try await door.request(.GET, path, ["If-None-Match": "\"\(digest)\""])
      #expect(same.status == 304)
      #expect(try await door.request(.DELETE, path).status == 202)
      #expect(try await door.request(.GET, path).status == 404)
    }
  }
}
