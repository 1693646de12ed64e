import StateStore
import Testing

@testable import Identity

@Suite("Throttle")
struct ThrottleTests {
  private let start = Timestamp(milliseconds: 1_000_000_000)
  private let subjects = LoginThrottle.Subject.subjects(name: "ada", address: "192.0.2.1")

  private func fail(
    _ throttle: inout LoginThrottle, _ subjects: [LoginThrottle.Subject], at now: Timestamp
  ) -> Bool {
    guard throttle.admit(subjects, now: now) == nil else { return false }
    throttle.finish(subjects, .failure, now: now)
    return true
  }

  @Test("failures beyond the free ones double the wait, up to the longest")
  func backOff() {
    var throttle = LoginThrottle(ThrottlePolicy())
    var now = start
    for _ in 0..<6 { #expect(fail(&throttle, subjects, at: now)) }
    var waits: [Duration] = []
    for _ in 0..<14 {
      let wait = throttle.admit(subjects, now: now) ?? .zero
      waits.append(wait)
      now = now + wait
      #expect(fail(&throttle, subjects, at: now))
    }
    #expect(waits.prefix(5) == [.seconds(1), .seconds(2), .seconds(4), .seconds(8), .seconds(16)])
    #expect(waits.last == .seconds(900))
  }

  @Test("a success clears the name and not the address")
  func success() {
    var policy = ThrottlePolicy()
    policy.freePerAddress = 8
    var throttle = LoginThrottle(policy)
    for _ in 0..<5 { #expect(fail(&throttle, subjects, at: start)) }
    #expect(throttle.admit(subjects, now: start) == nil)
    throttle.finish(subjects, .success, now: start)
    for _ in 0..<4 { #expect(fail(&throttle, subjects, at: start)) }
    #expect(throttle.admit(subjects, now: start) != nil)
    let elsewhere = LoginThrottle.Subject.subjects(name: "ada", address: "192.0.2.2")
    #expect(throttle.admit(elsewhere, now: start) == nil)
  }

  @Test("guesses under way count")
  func pending() {
    var throttle = LoginThrottle(ThrottlePolicy())
    for _ in 0..<5 { #expect(throttle.admit(subjects, now: start) == nil) }
    #expect(throttle.admit(subjects, now: start) != nil)
    for _ in 0..<5 { throttle.finish(subjects, .abandoned, now: start) }
    #expect(throttle.count == 0)
  }

  @Test("failures are forgotten after a time without any")
  func forgetting() {
    var throttle = LoginThrottle(ThrottlePolicy())
    for _ in 0..<6 { #expect(fail(&throttle, subjects, at: start)) }
    let later = start + .seconds(1_801)
    for _ in 0..<5 { #expect(fail(&throttle, subjects, at: later)) }
    #expect(throttle.admit(subjects, now: later) == nil)
  }

  @Test("an IPv6 network is one address")
  func networks() {
    let first = LoginThrottle.Subject.subjects(name: "a", address: "2001:db8:1:2::1")
    let second = LoginThrottle.Subject.subjects(name: "a", address: "2001:db8:1:2:ffff::9")
    let other = LoginThrottle.Subject.subjects(name: "a", address: "2001:db8:1:3::1")
    #expect(first == second)
    #expect(first != other)
  }

  @Test("memory is bounded, and what blocks longest stays")
  func bounded() {
    var policy = ThrottlePolicy()
    policy.capacity = 100
    var throttle = LoginThrottle(policy)
    for _ in 0..<6 { #expect(fail(&throttle, [.name("target")], at: start)) }
    for number in 0..<1_000 {
      _ = fail(&throttle, [.name("noise\(number)")], at: start)
      #expect(throttle.count <= 100)
    }
    #expect(throttle.admit([.name("target")], now: start) != nil)
  }
}

@Suite("Passwords")
struct PasswordTests {
  @Test("a hash is a PHC string that verifies its password only")
  func hashing() async throws {
    let hasher = PasswordHasher(IdentitySettings.HashParameters())
    let hash = try await hasher.hash("secret")
    #expect(hash.hasPrefix("$argon2id$v=19$m=19456,t=2,p=1$"))
    #expect(try await hasher.verify("secret", hash: hash))
    #expect(try await !hasher.verify("Secret", hash: hash))
    #expect(!hasher.isOutdated(hash))
    #expect(PasswordHasher(.init(memory: 64, passes: 1)).isOutdated(hash))
  }

  @Test("two hashes of one password differ")
  func salts() async throws {
    let hasher = PasswordHasher(.init(memory: 64, passes: 1))
    #expect(try await hasher.hash("secret") != hasher.hash("secret"))
  }

  @Test("a hash that is none is an error and no mismatch")
  func damaged() async {
    let hasher = PasswordHasher(.init(memory: 64, passes: 1))
    let result = await code { _ = try await hasher.verify("secret", hash: "$argon2id$nonsense") }
    #expect(result == .unavailable)
  }

  @Test("no more wait than are allowed to")
  func queue() async {
    let hasher = PasswordHasher(.init(memory: 64, passes: 1), queueLimit: 0)
    #expect(await code { _ = try await hasher.hash("secret") } == .throttled)
  }
}
