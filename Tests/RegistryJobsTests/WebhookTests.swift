import Crypto
import FoundationEssentials
import Identity
import NIOCore
import NIOHTTP1
import OCI
import Registry
import StateStore
import Testing

@testable import RegistryJobs

@Suite(.timeLimit(.minutes(5))) struct WebhookTests {
  @Test func pushesAreToldSignedAndWrittenDown() async throws {
    let fixture = try JobsFixture()
    try await HookServer.run { server, address in
      let key = Array((0..<32).map { UInt8($0) })
      let hook = try await fixture.webhook(.tagPush, "ns/a", to: address) {
        $0.secret = "whsec_" + Data(key).base64EncodedString()
      }
      try await fixture.running { _ in
        let digest = try await fixture.push("ns/a", "v1")
        try await until("the delivery") { server.received.count == 1 }
        let request = try #require(server.received.first)
        #expect(request.method == .POST && request.path == "/hook")
        #expect(request.headers.first(name: "Content-Type") == "application/json")
        let message = try JSONDecoder().decode(WebhookPayload.self, from: Data(request.body))
        #expect(message.type == .tagPush && message.location == "/repositories/ns/a/tags/v1")
        #expect(message.contents.namespace == "ns" && message.contents.repository == "a")
        #expect(message.contents.tag == "v1" && message.contents.digest == digest.description)
        #expect(message.contents.imageName == "reg.test/ns/a:v1")
        #expect(message.contents.pushedAt != nil && message.contents.pulledAt == nil)
        let id = try #require(request.headers.first(name: "webhook-id"))
        let time = try #require(request.headers.first(name: "webhook-timestamp"))
        let signature = try #require(request.headers.first(name: "webhook-signature"))
        #expect(signature == Self.signature(id, time, request.body, key))
        #expect(abs((Int64(time) ?? 0) - Timestamp.now().seconds) < 600)

        let delivery = try await eventually("the record") {
          try await fixture.webhooks.deliveries(of: hook.id).first
        }
        #expect(delivery.status == 200 && delivery.isSuccess && delivery.error == nil)
        #expect(try await fixture.webhooks.webhook(hook.id).lastSuccessfulAt == delivery.at)
      }
    }
  }

  /// Standard Webhooks 1.0, signature scheme, worked out by itself.
  private static func signature(
    _ id: String, _ time: String, _ body: [UInt8], _ key: [UInt8]
  ) -> String {
    let code = HMAC<SHA256>.authenticationCode(
      for: Array(id.utf8) + [0x2e] + Array(time.utf8) + [0x2e] + body,
      using: SymmetricKey(data: key))
    return "v1," + Data(code).base64EncodedString()
  }

  @Test func secretsOfEveryFormSign() {
    let body = Array("{}".utf8)
    #expect(
      WebhookSignature.sign(id: "m", seconds: 5, body: body, secret: "a plain old secret")
        == Self.signature("m", "5", body, Array("a plain old secret".utf8)))
    // Not base64: the text itself.
    #expect(
      WebhookSignature.sign(id: "m", seconds: 5, body: body, secret: "whsec_***")
        == Self.signature("m", "5", body, Array("whsec_***".utf8)))
    let made = WebhookSignature.newSecret()
    let key = Data(base64Encoded: String(made.dropFirst(6)))
    #expect(made.hasPrefix("whsec_") && key?.count == 32)
    #expect(made != WebhookSignature.newSecret())
    #expect(
      WebhookSignature.sign(id: "m", seconds: 5, body: body, secret: made)
        == Self.signature("m", "5", body, Array(key ?? Data())))
  }

  /// The example of the specification's libraries.
  @Test func signsAsTheSpecificationsExample() {
    #expect(
      WebhookSignature.sign(
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek", seconds: 1_614_265_330,
        body: Array(#"{"test": 2432232314}"#.utf8),
        secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
  }

  @Test func whatIsNotTakenIsToldAgain() async throws {
    let fixture = try JobsFixture()
    try await HookServer.run(replies: [.init(status: .internalServerError), .init()]) {
      server, address in
      let hook = try await fixture.webhook(.tagPush, "ns/a", to: address)
      try await fixture.running { _ in
        try await fixture.push("ns/a", "v1")
        let deliveries = try await eventually("two deliveries") {
          let all = try await fixture.webhooks.deliveries(of: hook.id)
          return all.count == 2 ? all : nil
        }
        #expect(deliveries.map(\.status) == [200, 500])
        #expect(deliveries.map(\.isSuccess) == [true, false])
        #expect(deliveries[1].error == "the endpoint answered 500")
        // It is known again by its name, and signed anew.
        let requests = server.received
        #expect(requests.map(\.body).count == 2 && requests[0].body == requests[1].body)
        let ids = requests.compactMap { $0.headers.first(name: "webhook-id") }
        #expect(ids.count == 2 && ids[0] == ids[1])
        let first = try await fixture.queue.job(deliveries[1].jobID)
        let second = try await eventually("its end") {
          let job = try await fixture.queue.job(deliveries[0].jobID)
          return job.status.isFinal ? job : nil
        }
        #expect(first.status == .error && second.status == .done)
        #expect(second.retryFromID == first.id)
        #expect(try await fixture.queue.log(first.id, offset: 0, limit: 0).count == 1)
      }
    }
  }

  @Test func switchedOffTheyAreSilent() async throws {
    let fixture = try JobsFixture()
    try await HookServer.run { server, address in
      let hook = try await fixture.webhook(.tagPush, "ns/a", to: address)
      _ = try await fixture.webhooks.update(
        hook.id, isInactive: true, tlsCertificate: nil, skipsTLSVerification: nil)
      try await fixture.running { automation in
        try await fixture.push("ns/a", "v1")
        // One that was made before it was switched off.
        let draft = JobDraft(
          "webhook", ["webhook": hook.id, "type": "TAG_PUSH", "message": "{}"])
        let job = try await automation.queue.submit(draft)
        try await until("it is done") { try await fixture.queue.job(job.id).status == .done }
        _ = try await fixture.webhooks.update(
          hook.id, isInactive: false, tlsCertificate: nil, skipsTLSVerification: nil)
        try await fixture.push("ns/a", "v2")
        try await until("the delivery") { !server.received.isEmpty }
        let message = try JSONDecoder().decode(
          WebhookPayload.self, from: Data(try #require(server.received.first).body))
        #expect(server.received.count == 1 && message.contents.tag == "v2")
        try await fixture.webhooks.delete(hook.id)
        #expect(try await fixture.store.range(RangeRequest(.prefix("/webhooks/"))).items.isEmpty)
      }
    }
  }

  @Test func certificatesAreChecked() async throws {
    let automation = try JobsFixture().automation()
    try await HookServer.run(isSecure: true) { server, address in
      var draft = WebhookDraft(type: .tagPush, endpoint: address)
      let unknown = try await automation.testWebhook(draft)
      #expect(unknown.status == nil && unknown.error != nil && !unknown.isSuccess)
      #expect(server.received.isEmpty)
      draft.tlsCertificate = HookServer.certificate
      #expect(try await automation.testWebhook(draft).status == 200)
      draft.tlsCertificate = ""
      draft.skipsTLSVerification = true
      #expect(try await automation.testWebhook(draft).isSuccess)
      #expect(server.received.count == 2)
    }
  }

  @Test func answersOfEverySort() async throws {
    let automation = try JobsFixture().automation()
    func answer(_ reply: HookServer.Reply) async throws -> (WebhookAnswer, Int) {
      var result = (WebhookAnswer(status: nil, error: nil, milliseconds: 0), 0)
      try await HookServer.run(replies: [reply]) { server, address in
        let draft = WebhookDraft(type: .repositoryEvent, endpoint: address)
        result = (try await automation.testWebhook(draft), server.received.count)
      }
      return result
    }
    #expect(try await answer(.init(status: .noContent, length: 0)).0.isSuccess)
    #expect(try await !answer(.init(status: .badRequest)).0.isSuccess)
    // Nobody is led elsewhere.
    let moved = try await answer(
      .init(status: .temporaryRedirect, headers: ["Location": "/elsewhere"]))
    #expect(moved.0.status == 307 && !moved.0.isSuccess && moved.1 == 1)
    // Whoever does not end what it says, or says much, is not waited for.
    #expect(try await answer(.init(length: 1_000)).0.isSuccess)
    #expect(try await answer(.init(length: 1_000_000_000)).0.isSuccess)
    let closed = WebhookDraft(type: .tagPush, endpoint: "http://127.0.0.1:1/")
    #expect(try await automation.testWebhook(closed).status == nil)
  }

  @Test(arguments: WebhookType.allCases)
  func samplesHaveTheirType(_ type: WebhookType) throws {
    let now = Timestamp(seconds: 1_700_000_000)
    let sample = WebhookPayload.sample(type, host: "reg.test", now: now)
    let bytes = try sample.encoded()
    #expect(try JSONDecoder().decode(WebhookPayload.self, from: Data(bytes)) == sample)
    #expect(String(decoding: bytes, as: UTF8.self).contains(#""type":"\#(type.rawValue)""#))
  }

  @Test(arguments: [
    "", "x", "ftp://a/", "http://", "http:///x", "HTTP://a/", "http://a b/", "http://a/\n",
    "http://\u{e9}/", "http://a/" + String(repeating: "x", count: 2_048), "javascript:x",
  ])
  func endpointsAreChecked(_ endpoint: String) async throws {
    let fixture = try JobsFixture()
    let draft = WebhookDraft(type: .tagPush, endpoint: endpoint)
    #expect(
      await refusal { try await fixture.webhooks.create(draft, repository: nil, by: .system) }
        == .invalidRequest)
  }

  @Test func certificatesAndSecretsAreChecked() async throws {
    let fixture = try JobsFixture()
    var generator = SeededGenerator(seed: 8)
    let good = Array(HookServer.certificate.utf8)
    for round in 0..<60 {
      var bytes = good
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(
          in: 0...127, using: &generator)
      }
      if round % 3 == 0 { bytes.removeLast(Int.random(in: 1..<bytes.count, using: &generator)) }
      let text = round == 0 ? "no certificate" : String(decoding: bytes, as: UTF8.self)
      do {
        try WebhookSender.check("https://a/", certificate: text)
      } catch {
        #expect((error as? JobError)?.code == .invalidRequest)
      }
    }
    for secret in ["", "short", String(repeating: "x", count: 257)] {
      var draft = WebhookDraft(type: .tagPush, endpoint: "http://a/")
      draft.secret = secret
      #expect(
        await refusal { try await fixture.webhooks.create(draft, repository: nil, by: .system) }
          == .invalidRequest)
    }
  }

  @Test func onlyTheLastDeliveriesAreRemembered() async throws {
    let fixture = try JobsFixture()
    let hook = try await fixture.webhook(.tagPush, "ns/a")
    for number in 0..<130 {
      let record = DeliveryRecord(
        job: "\(number)", type: .tagPush, at: Int64(number), status: 200, error: nil, took: 1,
        success: true)
      try await fixture.webhooks.report(record, of: hook.id)
    }
    let deliveries = try await fixture.webhooks.deliveries(of: hook.id)
    #expect(deliveries.map(\.jobID) == (30..<130).reversed().map { "\($0)" })
    let stored = try await fixture.store.range(RangeRequest(.prefix("/webhooks/deliveries/")))
    #expect(stored.items.count <= 101)
    #expect(await refusal { try await fixture.webhooks.deliveries(of: "none") } == .noSuchWebhook)
    #expect(await refusal { try await fixture.webhooks.delete("a/b") } == .noSuchWebhook)
  }

  @Test func secretsAreSealed() async throws {
    let fixture = try JobsFixture()
    let hook = try await fixture.webhook(.tagPush, "ns/a") { $0.secret = "a secret of sixteen" }
    for item in try await fixture.store.range(RangeRequest(.prefix("/"))).items {
      #expect(!String(decoding: item.value, as: UTF8.self).contains("a secret of"))
    }
    let record = try await fixture.webhooks.record(hook.id).record
    #expect(try fixture.webhooks.secret(record) == "a secret of sixteen")
  }
}
