import Identity
import StateStore
import Testing

@Suite("Signing in")
struct AuthenticationTests {
  @Test("the password lets in, another does not, and neither does one for an unknown name")
  func passwords() async throws {
    let bench = Bench()
    let ada = try await bench.user("ada")
    let caller = try await bench.signIn("ada", "correct horse", from: "192.0.2.1")
    #expect(caller.subject == .user(ada))
    #expect(caller.credential == .password)
    #expect(caller.address == "192.0.2.1")
    #expect(caller.name == "ada")
    #expect(await code { _ = try await bench.signIn("ada", "wrong") } == .unauthenticated)
    #expect(await code { _ = try await bench.signIn("eve", "wrong") } == .unauthenticated)
    #expect(await code { _ = try await bench.signIn("Not A Name", "x") } == .unauthenticated)
    let long = String(repeating: "x", count: 5_000)
    #expect(await code { _ = try await bench.signIn("ada", long) } == .unauthenticated)
  }

  @Test("nobody signs in as an organisation or without a password")
  func noPassword() async throws {
    let bench = Bench()
    _ = try await bench.organization("acme")
    _ = try await bench.user("robot", password: nil)
    #expect(await code { _ = try await bench.signIn("acme", "") } == .unauthenticated)
    #expect(await code { _ = try await bench.signIn("robot", "") } == .unauthenticated)
  }

  @Test("an inactive user hears so with the right password only")
  func inactive() async throws {
    let bench = Bench()
    let ada = try await bench.user("ada")
    _ = try await bench.signIn("ada", "correct horse")
    _ = try await bench.service.update(ada.id, AccountChanges(isActive: false))
    #expect(await code { _ = try await bench.signIn("ada", "correct horse") } == .inactive)
    #expect(await code { _ = try await bench.signIn("ada", "wrong") } == .unauthenticated)
    #expect(try await bench.service.caller(for: ada.id) == nil)
  }

  @Test("a secret that was right is remembered until it changes")
  func remembered() async throws {
    let bench = Bench()
    let ada = try await bench.user("ada")
    #expect(
      bench.service.rememberedCaller(name: "ada", secret: "correct horse", address: nil) == nil)
    _ = try await bench.signIn("ada", "correct horse")
    #expect(
      bench.service.rememberedCaller(name: "ada", secret: "correct horse", address: nil) != nil)
    #expect(bench.service.rememberedCaller(name: "ada", secret: "other", address: nil) == nil)
    try await bench.service.setPassword("battery staple", of: ada.id)
    #expect(
      bench.service.rememberedCaller(name: "ada", secret: "correct horse", address: nil) == nil)
    #expect(await code { _ = try await bench.signIn("ada", "correct horse") } == .unauthenticated)
    _ = try await bench.signIn("ada", "battery staple")
    bench.time.advance(.seconds(301))
    #expect(
      bench.service.rememberedCaller(name: "ada", secret: "battery staple", address: nil) == nil)
  }

  @Test("another process's change of the password is heard of")
  func otherProcess() async throws {
    let store = InMemoryStateStore()
    let here = Bench(store: store)
    let there = Bench(store: store)
    let ada = try await here.user("ada")
    _ = try await there.signIn("ada", "correct horse")
    try await here.service.setPassword("battery staple", of: ada.id)
    let deadline = ContinuousClock.now + .seconds(60)
    while there.service.rememberedCaller(name: "ada", secret: "correct horse", address: nil) != nil
    {
      try #require(ContinuousClock.now < deadline)
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  @Test("too many failures lock a name out for a while, but not who is known already")
  func lockOut() async throws {
    let bench = Bench()
    _ = try await bench.user("ada")
    _ = try await bench.signIn("ada", "correct horse", from: "192.0.2.9")
    for number in 0..<6 {
      #expect(
        await code { _ = try await bench.signIn("ada", "guess\(number)") } == .unauthenticated)
    }
    let refused = await #expect(throws: IdentityError.self) {
      _ = try await bench.signIn("ada", "guess again")
    }
    #expect(refused?.code == .throttled)
    #expect(refused?.retryAfter == .seconds(1))
    _ = try await bench.signIn("ada", "correct horse", from: "192.0.2.9")
    bench.time.advance(.seconds(301))
    _ = try await bench.signIn("ada", "correct horse")
  }

  @Test("unknown names are throttled like known ones")
  func unknownLockOut() async throws {
    let bench = Bench()
    for number in 0..<6 {
      #expect(await code { _ = try await bench.signIn("eve", "\(number)") } == .unauthenticated)
    }
    #expect(await code { _ = try await bench.signIn("eve", "more") } == .throttled)
  }

  @Test("many connections with one password are no attack")
  func burst() async throws {
    let bench = Bench()
    _ = try await bench.user("ada")
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<40 {
        group.addTask { _ = try await bench.signIn("ada", "correct horse", from: "192.0.2.1") }
      }
      try await group.waitForAll()
    }
  }

  @Test("a password is hashed anew when the parameters change, and stays right")
  func rehash() async throws {
    let store = InMemoryStateStore()
    let old = Bench(store: store)
    let ada = try await old.user("ada")
    let new = Bench(store: store) { $0.hashing = .init(memory: 128, passes: 1) }
    _ = try await new.signIn("ada", "correct horse")
    let item = try #require(
      try await store.get(Key("/identity/secrets/\(ada.id)/password")))
    #expect(String(decoding: item.value, as: UTF8.self).contains("m=128,t=1,p=1"))
    _ = try await Bench(store: store).signIn("ada", "correct horse")
  }

  @Test("changing the password asks for the old one when told to, and ends refresh tokens")
  func change() async throws {
    let bench = Bench()
    let ada = try await bench.user("ada")
    let refresh = try await bench.service.issueRefreshToken(
      for: ada.id, service: "registry", clientID: "docker")
    let wrong = await code {
      try await bench.service.setPassword("battery staple", of: ada.id, checking: "wrong")
    }
    #expect(wrong == .unauthenticated)
    let short = await code { try await bench.service.setPassword("short", of: ada.id) }
    #expect(short == .invalidPassword)
    try await bench.service.setPassword("battery staple", of: ada.id, checking: "correct horse")
    _ = try await bench.signIn("ada", "battery staple")
    let ended = await code {
      _ = try await bench.service.redeemRefreshToken(refresh, service: "registry")
    }
    #expect(ended == .noSuchToken)
  }
}

@Suite("Tokens that stand in for a password")
struct SecretTokenTests {
  @Test("an access token signs in until it is disabled, expired or deleted")
  func accessTokens() async throws {
    let bench = Bench()
    let ada = try await bench.user("ada")
    let (token, secret) = try await bench.service.createAccessToken(for: ada.id, label: "ci")
    #expect(try await bench.signIn("ada", secret).credential == .accessToken)
    let listed = try await bench.service.accessTokens(of: ada.id)
    #expect(listed.map(\.id) == [token.id])
    #expect(listed.first?.lastUsedAt != nil)
    let disabled = try await bench.service.updateAccessToken(
      token.id, of: ada.id, label: "old", isActive: false)
    #expect(disabled.label == "old")
    #expect(await code { _ = try await bench.signIn("ada", secret) } == .unauthenticated)
    _ = try await bench.service.updateAccessToken(token.id, of: ada.id, isActive: true)
    _ = try await bench.signIn("ada", secret)
    try await bench.service.deleteAccessToken(token.id, of: ada.id)
    #expect(await code { _ = try await bench.signIn("ada", secret) } == .unauthenticated)
    let missing = await code { try await bench.service.deleteAccessToken(token.id, of: ada.id) }
    #expect(missing == .noSuchToken)
  }

  @Test("an access token is not believed beyond its end, also when it is remembered")
  func expiry() async throws {
    let bench = Bench()
    let ada = try await bench.user("ada")
    let end = bench.time.clock() + .seconds(100)
    let (_, secret) = try await bench.service.createAccessToken(
      for: ada.id, label: "", expiresAt: end)
    _ = try await bench.signIn("ada", secret)
    bench.time.advance(.seconds(100))
    #expect(await code { _ = try await bench.signIn("ada", secret) } == .unauthenticated)
  }

  @Test("no secret lies in the store")
  func atRest() async throws {
    let bench = Bench()
    let ada = try await bench.user("ada")
    let (_, secret) = try await bench.service.createAccessToken(for: ada.id, label: "ci")
    let refresh = try await bench.service.issueRefreshToken(
      for: ada.id, service: "registry", clientID: "docker")
    _ = try await bench.signIn("ada", secret)
    let secrets = [secret, String(secret.dropFirst(4)), refresh, "correct horse"]
    for item in try await bench.store.list(prefix: "/").items {
      let text = item.key.string + String(decoding: item.value, as: UTF8.self)
      for secret in secrets { #expect(!text.contains(secret)) }
    }
  }

  @Test("another's access token does not sign in")
  func foreign() async throws {
    let bench = Bench()
    let ada = try await bench.user("ada")
    _ = try await bench.user("eve")
    let (_, secret) = try await bench.service.createAccessToken(for: ada.id, label: "ci")
    #expect(await code { _ = try await bench.signIn("eve", secret) } == .unauthenticated)
  }

  @Test("a refresh token is good for its service, renews itself, ends without use and when revoked")
  func refresh() async throws {
    let bench = Bench()
    let ada = try await bench.user("ada")
    let service = bench.service
    let token = try await service.issueRefreshToken(
      for: ada.id, service: "registry", clientID: "docker")
    #expect(try await service.redeemRefreshToken(token, service: "registry").account == ada)
    for bad in [token + "x", "", ".", "a.b", String(repeating: "x", count: 10_000)] {
      let result = await code { _ = try await service.redeemRefreshToken(bad, service: "registry") }
      #expect(result == .noSuchToken)
    }
    let other = await code { _ = try await service.redeemRefreshToken(token, service: "other") }
    #expect(other == .noSuchToken)
    for _ in 0..<4 {
      bench.time.advance(.seconds(20 * 86_400))
      _ = try await service.redeemRefreshToken(token, service: "registry")
    }
    bench.time.advance(.seconds(30 * 86_400))
    let late = await code { _ = try await service.redeemRefreshToken(token, service: "registry") }
    #expect(late == .noSuchToken)
    let second = try await service.issueRefreshToken(
      for: ada.id, service: "registry", clientID: "docker")
    try await service.revokeRefreshToken(second)
    let revoked = await code {
      _ = try await service.redeemRefreshToken(second, service: "registry")
    }
    #expect(revoked == .noSuchToken)
  }
}
