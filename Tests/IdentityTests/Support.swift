import Identity
import Logging
import StateStore
import Synchronization
import Testing

/// A clock that stands until it is moved.
final class ManualTime: Sendable {
  private let now: Mutex<Timestamp>

  init(_ start: String = "2026-01-01T00:00:00Z") {
    now = Mutex(Timestamp(start) ?? Timestamp(milliseconds: 0))
  }

  var clock: @Sendable () -> Timestamp { { self.now.withLock { $0 } } }

  func advance(_ duration: Duration) {
    now.withLock { $0 = $0 + duration }
  }
}

/// A service over a store in memory, with passwords that cost next to nothing.
struct Bench {
  let store: any StateStore
  let time = ManualTime()
  let service: IdentityService

  init(
    store: any StateStore = InMemoryStateStore(),
    _ adjust: (inout IdentitySettings) -> Void = { _ in }
  ) {
    var settings = IdentitySettings()
    settings.hashing = .init(memory: 64, passes: 1, lanes: 1)
    adjust(&settings)
    self.store = store
    service = IdentityService(
      store: store, settings: settings, logger: quiet, clock: time.clock)
  }

  func user(_ name: String, password: String? = "correct horse") async throws -> Account {
    try await service.createUser(try accountName(name), password: password)
  }

  func organization(_ name: String, owner: AccountID? = nil) async throws -> Account {
    try await service.createOrganization(try accountName(name), owner: owner)
  }

  func signIn(
    _ name: String, _ secret: String, from address: String? = nil
  ) async throws -> Caller {
    try await service.authenticate(name: name, secret: secret, address: address)
  }
}

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

func accountName(_ text: String) throws -> AccountName {
  try #require(AccountName(text))
}

/// The code of the error that the body throws; nil when it throws none or another's.
func code(_ body: () async throws -> Void) async -> IdentityError.Code? {
  do {
    try await body()
    return nil
  } catch {
    return (error as? IdentityError)?.code
  }
}

/// Numbers from a seed that is printed with a failure: SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  init(seed: UInt64 = 20_260_101) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}
