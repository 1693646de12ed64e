import Crypto
import FoundationEssentials
import Glibc
import StateStore
import Testing

@testable import Identity

@Suite("Bearer tokens")
struct TokenAuthorityTests {
  private let store = InMemoryStateStore()
  private let time = ManualTime()

  private func authority(
    issuer: String = "https://registry.example", box: SecretBox? = nil
  ) -> TokenAuthority {
    TokenAuthority(
      store: store, secretBox: box, settings: TokenSettings(issuer: issuer), logger: quiet,
      clock: time.clock)
  }

  private let grants = [
    TokenGrant(type: "repository", name: "acme/app", actions: ["pull", "push"])
  ]

  private func sign(_ authority: TokenAuthority) async throws -> SignedToken {
    try await authority.sign(subject: "ada", audience: "registry", grants: grants)
  }

  @Test("say what was signed, to every process on the store")
  func roundTrip() async throws {
    let signer = authority()
    let token = try await signer.sign(
      subject: "ada", accountID: AccountID("0a1b"), audience: "registry", grants: grants)
    #expect(token.lifetimeSeconds == 300)
    for verifier in [signer, authority()] {
      #expect(verifier.rememberedClaims(token.token, audience: "registry") == nil)
      let claims = try await verifier.verify(token.token, audience: "registry")
      #expect(claims.subject == "ada")
      #expect(claims.accountID == AccountID("0a1b"))
      #expect(claims.grants == grants)
      #expect(claims.id == token.id)
      #expect(claims.expiresAt == token.expiresAt)
      #expect(verifier.rememberedClaims(token.token, audience: "registry") == claims)
      #expect(verifier.rememberedClaims(token.token, audience: "notary") == nil)
    }
  }

  @Test("are for one audience, of one issuer and for a time")
  func claims() async throws {
    let signer = authority()
    let token = try await sign(signer).token
    let audience = await code { _ = try await signer.verify(token, audience: "notary") }
    #expect(audience == .invalidToken)
    let foreign = await code {
      _ = try await authority(issuer: "other").verify(token, audience: "registry")
    }
    #expect(foreign == .invalidToken)
    time.advance(.seconds(359))
    _ = try await signer.verify(token, audience: "registry")
    time.advance(.seconds(1))
    let late = await code { _ = try await signer.verify(token, audience: "registry") }
    #expect(late == .invalidToken)
    let fresh = try await sign(signer).token
    time.advance(.seconds(-61))
    let early = await code { _ = try await authority().verify(fresh, audience: "registry") }
    #expect(early == .invalidToken)
  }

  @Test("are signed by a new key in time, and old ones verify on")
  func rotation() async throws {
    let signer = authority()
    let old = try await sign(signer).token
    let key = try JSONWebToken(old).keyID
    time.advance(.seconds(30 * 86_400))
    let fresh = try await signer.sign(
      subject: "ada", audience: "registry", grants: [], lifetime: .seconds(86_400)
    ).token
    #expect(try JSONWebToken(fresh).keyID != key)
    #expect(try await keyIDs(signer).count == 2)
    time.advance(.seconds(86_000))
    _ = try await authority().verify(fresh, audience: "registry")
    time.advance(.seconds(30 * 86_400))
    _ = try await sign(signer)
    let ids = try await keyIDs(signer)
    #expect(ids.count == 2)
    #expect(!ids.contains(key))
  }

  private func keyIDs(_ authority: TokenAuthority) async throws -> [String] {
    let set = try JSONDecoder().decode(
      [String: [PublicJWK]].self, from: Data(try await authority.keySet()))
    return set["keys"]?.map(\.kid) ?? []
  }

  @Test("the key set verifies what was signed")
  func keySet() async throws {
    let signer = authority()
    let token = try JSONWebToken(try await sign(signer).token)
    let set = try JSONDecoder().decode(
      [String: [PublicJWK]].self, from: Data(try await signer.keySet()))
    let key = try #require(set["keys"]?.first { $0.kid == token.keyID })
    let x = try #require(Base64URL.decode(key.x.utf8))
    let y = try #require(Base64URL.decode(key.y.utf8))
    let publicKey = try P256.Signing.PublicKey(rawRepresentation: x + y)
    #expect(token.isSigned(by: publicKey))
    #expect(key.use == "sig" && key.alg == "ES256" && key.crv == "P-256")
  }

  @Test("two processes that begin at once end up with one key")
  func concurrentStart() async throws {
    let authorities = (0..<8).map { _ in authority() }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for authority in authorities { group.addTask { _ = try await authority.keySet() } }
      try await group.waitForAll()
    }
    #expect(try await store.list(prefix: "/identity/signing-keys/").items.count == 1)
  }

  @Test("sealed keys open with their box; without it new ones take over")
  func sealed() async throws {
    let box = try SecretBox(key: Array(repeating: 7, count: 32))
    let token = try await sign(authority(box: box)).token
    _ = try await authority(box: box).verify(token, audience: "registry")
    let other = authority(box: try SecretBox(key: Array(repeating: 8, count: 32)))
    let refused = await code { _ = try await other.verify(token, audience: "registry") }
    #expect(refused == .invalidToken)
    _ = try await other.verify(try await sign(other).token, audience: "registry")
  }

  @Test("other algorithms, headers and shapes are refused, rightly signed or not")
  func strict() async throws {
    let signer = authority()
    let good = try await sign(signer).token
    let parts = good.split(separator: ".").map(String.init)
    let keyID = try JSONWebToken(good).keyID
    let headers = [
      #"{"alg":"none","kid":"\#(keyID)"}"#, #"{"alg":"HS256","kid":"\#(keyID)"}"#,
      #"{"alg":"es256","kid":"\#(keyID)"}"#, #"{"alg":"ES256"}"#, "[]", "",
      #"{"alg":"ES256","kid":"\#(keyID)","crit":["b64"]}"#,
      #"{"alg":"ES256","kid":"\#(keyID)","typ":"at+jwt"}"#,
      #"{"alg":"ES256","kid":"\#(String(repeating: "k", count: 200))"}"#,
    ].map { Base64URL.encode(Array($0.utf8)) + "." + parts[1] + "." + parts[2] }
    let shapes = [
      "", ".", "..", "...", good + ".", good + ".x", parts[0] + "." + parts[1] + ".",
      parts[0] + "." + parts[1], good + "=", " " + good,
      good + String(repeating: "a", count: 20_000),
    ]
    for bad in headers + shapes {
      let result = await code { _ = try await signer.verify(bad, audience: "registry") }
      #expect(result == .invalidToken, "\(bad.prefix(80))")
    }
  }

  @Test("a token changed in any place is refused")
  func fuzz() async throws {
    let signer = authority()
    let good = Array(try await sign(signer).token.utf8)
    var generator = SeededGenerator()
    for _ in 0..<3_000 {
      var bytes = good
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes.remove(at: index)
        case 1: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: index)
        case 2: bytes.swapAt(index, Int.random(in: 0..<bytes.count, using: &generator))
        default: bytes[index] = UInt8.random(in: 33...126, using: &generator)
        }
      }
      guard bytes != good else { continue }
      let text = String(decoding: bytes, as: UTF8.self)
      let result = await code { _ = try await signer.verify(text, audience: "registry") }
      #expect(result == .invalidToken, "\(text)")
    }
  }

  @Test("make callers that are limited to their grants")
  func callers() async throws {
    let bench = Bench(store: store)
    let ada = try await bench.user("ada")
    let signer = authority()
    let signed = try await signer.sign(
      subject: "ada", accountID: ada.id, audience: "registry", grants: grants)
    let claims = try await signer.verify(signed.token, audience: "registry")
    let caller = try #require(try await bench.service.caller(for: claims, address: "192.0.2.1"))
    #expect(caller.account == ada)
    #expect(caller.grants == grants)
    #expect(caller.credential == .bearer)
    #expect(bench.service.rememberedCaller(for: claims, address: "192.0.2.1") == caller)
    try await bench.service.deleteAccount(ada.id)
    _ = try await bench.user("ada")
    #expect(try await bench.service.caller(for: claims) == nil)
    let nobody = try await signer.sign(subject: "", audience: "registry", grants: grants)
    let anonymous = try await bench.service.caller(
      for: try await signer.verify(nobody.token, audience: "registry"))
    #expect(anonymous?.isAnonymous == true)
    #expect(anonymous?.grants == grants)
  }
}

@Suite("Secrets at rest")
struct SecretBoxTests {
  @Test("open with their key only, unchanged only, and look different each time")
  func box() throws {
    let box = try SecretBox(key: Array(0..<32))
    let sealed = try box.seal("hunter2 ü")
    #expect(try box.open(sealed) == "hunter2 ü")
    #expect(try box.seal("hunter2 ü") != sealed)
    #expect(try box.open(try box.seal("")) == "")
    let other = try SecretBox(key: Array(1..<33))
    #expect(throws: IdentityError.self) { try other.open(sealed) }
    #expect(throws: IdentityError.self) { try SecretBox(key: [1, 2, 3]) }
    var generator = SeededGenerator()
    for _ in 0..<500 {
      var bytes = Array(sealed.utf8)
      let index = Int.random(in: 0..<bytes.count, using: &generator)
      bytes[index] = bytes[index] == 65 ? 66 : 65
      let text = String(decoding: bytes, as: UTF8.self)
      #expect(throws: IdentityError.self) { try box.open(text) }
    }
    for text in ["", "v1.", "v2.AAAA", "v1.AAAA"] {
      #expect(throws: IdentityError.self) { try box.open(text) }
    }
  }

  @Test("a key file is made once, for its owner only, and refused when others may read it")
  func keyFile() async throws {
    let path = FileManager.default.temporaryDirectory.path + "/key-\(UUID().uuidString)"
    defer { unlink(path) }
    let sealed = try await SecretBox.load(keyFile: path).seal("hunter2")
    #expect(try await SecretBox.load(keyFile: path).open(sealed) == "hunter2")
    chmod(path, 0o644)
    #expect(await code { _ = try await SecretBox.load(keyFile: path) } == .invalidRequest)
    chmod(path, 0o600)
    truncate(path, 20)
    #expect(await code { _ = try await SecretBox.load(keyFile: path) } == .invalidRequest)
    let nowhere = await code { _ = try await SecretBox.load(keyFile: "/nonexistent/folder/key") }
    #expect(nowhere == .unavailable)
  }

  @Test("base64url has one spelling for each run of bytes")
  func base64() {
    var generator = SeededGenerator()
    for _ in 0..<2_000 {
      let count = Int.random(in: 0...40, using: &generator)
      let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
      let text = Base64URL.encode(bytes)
      #expect(Base64URL.decode(text.utf8) == bytes)
    }
    for text in ["A", "AB", "AAB", "AA=", "A+", "A/", "AAAAA"] {
      #expect(Base64URL.decode(text.utf8) == nil, "\(text)")
    }
  }
}
