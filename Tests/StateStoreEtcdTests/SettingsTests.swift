import GRPCCore
import StateStore
import Testing

@testable import StateStoreEtcd

@Suite("etcd's endpoints and errors")
struct SettingsTests {
  @Test(
    "endpoints are read",
    arguments: [
      ("host", "http://host:2379"), ("host:1", "http://host:1"),
      ("http://10.0.0.1:65535", "http://10.0.0.1:65535"),
      ("https://e.example/", "https://e.example:2379"),
      ("[::1]:23", "http://[::1]:23"), ("https://[fe80::1]", "https://[fe80::1]:2379"),
    ])
  func reads(text: String, expected: String) {
    #expect(EtcdEndpoint(text, secureByDefault: false)?.description == expected)
  }

  @Test(
    "what names no member is refused",
    arguments: [
      "", ":1", "host:", "host:0", "host:65536", "host:-1", "host:+1", "host:x", "::1", "[::1",
      "[::1]x", "a/b", "http://", "ftp://host", "h st", "user@host", "host?x", "höst", "a:b:c",
    ])
  func refuses(text: String) {
    #expect(EtcdEndpoint(text, secureByDefault: false) == nil)
  }

  @Test("connections are secured when there is something to secure them with")
  func secure() {
    #expect(EtcdEndpoint("host", secureByDefault: true)?.isSecure == true)
    #expect(EtcdEndpoint("http://host", secureByDefault: true)?.isSecure == false)
  }

  @Test("settings that make no sense are refused")
  func senseless() async {
    let settings: [EtcdSettings] = [
      EtcdSettings(endpoints: []), EtcdSettings(endpoints: ["a", "b:c"]),
      EtcdSettings(endpoints: ["a"], username: "user"),
      EtcdSettings(endpoints: ["a"], password: "secret"),
      EtcdSettings(
        endpoints: ["a"], tls: EtcdSettings.TLS(authorityFile: "/nonexistent/ca.pem")),
    ]
    for settings in settings {
      let error = await failure {
        try await EtcdStateStore.open(settings: settings, logger: quietLogger)
      }
      #expect(error?.code == .invalidRequest)
      #expect(error?.description.contains("secret") == false)
    }
  }

  private enum Meaning: Equatable {
    case final(StateStoreError.Code)
    case staleToken, refused, unknown
  }

  private func meaning(
    _ code: RPCError.Code, _ message: String, wasSent: Bool = true
  ) -> Meaning {
    switch EtcdFailure(RPCError(code: code, message: message), wasSent: wasSent) {
    case .final(let error): .final(error.code)
    case .staleToken: .staleToken
    case .refused: .refused
    case .unknown: .unknown
    }
  }

  @Test("errors of calls mean what they say")
  func errors() {
    let compacted = "etcdserver: mvcc: required revision has been compacted"
    #expect(meaning(.outOfRange, compacted) == .final(.compacted))
    #expect(
      meaning(.resourceExhausted, "etcdserver: mvcc: database space exceeded")
        == .final(.storageFull))
    #expect(meaning(.resourceExhausted, "etcdserver: too many requests") == .refused)
    #expect(meaning(.unauthenticated, "etcdserver: invalid auth token") == .staleToken)
    #expect(
      meaning(
        .unavailable,
        "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token") == .staleToken)
    #expect(meaning(.permissionDenied, "etcdserver: permission denied") == .final(.unavailable))
    #expect(meaning(.unavailable, "etcdserver: no leader") == .refused)
    #expect(meaning(.unavailable, "etcdserver: request timed out") == .unknown)
    #expect(meaning(.unavailable, "connection refused", wasSent: false) == .refused)
    #expect(meaning(.unavailable, "stream closed") == .unknown)
    #expect(meaning(.deadlineExceeded, "late", wasSent: false) == .refused)
    #expect(meaning(.deadlineExceeded, "late") == .unknown)
    #expect(meaning(.invalidArgument, "etcdserver: something new") == .final(.unavailable))
    #expect(meaning(.unimplemented, "no such call") == .final(.unavailable))
  }

  @Test("waits grow to two seconds and not beyond")
  func backoff() {
    var backoff = Backoff()
    let waits = (0..<20).map { _ in backoff.step() }
    #expect(waits[0] <= .milliseconds(50))
    #expect(waits.allSatisfy { $0 >= .milliseconds(25) && $0 <= .seconds(2) })
    #expect(waits[10...].allSatisfy { $0 >= .seconds(1) })
  }
}
