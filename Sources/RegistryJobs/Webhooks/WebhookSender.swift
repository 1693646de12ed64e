import AsyncHTTPClient
import Crypto
import FoundationEssentials
import Host
import Identity
import NIOCore
import NIOHTTP1
import NIOSSL

/// What an endpoint answered.
package struct WebhookAnswer: Hashable, Sendable {
  /// Nil when it did not.
  package var status: Int?
  package var error: String?
  package var milliseconds: Int64

  /// Whether it took the message.
  package var isSuccess: Bool { status.map { (200..<300).contains($0) } ?? false }
}

/// Signs deliveries as the Standard Webhooks specification 1.0 has it: `webhook-signature: v1,BASE64`
/// with HMAC-SHA-256 over `ID.SECONDS.BODY`.
package enum WebhookSignature {
  /// A secret nobody else has.
  static func newSecret() -> String {
    prefix + SymmetricKey(size: .bits256).withUnsafeBytes { Data($0).base64EncodedString() }
  }

  private static let prefix = "whsec_"

  /// The key: what follows `whsec_` in base64, or a text of another form as it is.
  private static func key(_ secret: String) -> SymmetricKey {
    if secret.hasPrefix(prefix),
      let bytes = Data(base64Encoded: String(secret.dropFirst(prefix.count))), !bytes.isEmpty
    {
      return SymmetricKey(data: bytes)
    }
    return SymmetricKey(data: Array(secret.utf8))
  }

  /// The value of the signature's header.
  package static func sign(
    id: String, seconds: Int64, body: [UInt8], secret: String
  ) -> String {
    let code = HMAC<SHA256>.authenticationCode(
      for: Array("\(id).\(seconds).".utf8) + body, using: key(secret))
    return "v1," + Data(code).base64EncodedString()
  }
}

/// Sends messages to endpoints.
struct WebhookSender: Sendable {
  private static let timeout = TimeAmount.seconds(20)
  private static let drainTimeout = Duration.seconds(2)
  private static let answerLimit = 64 << 10

  let http: HTTPClient

  /// Throws ``JobError`` (`invalidRequest`) unless the endpoint can be one.
  static func check(_ endpoint: String, certificate: String) throws {
    guard endpoint.utf8.count <= 2_048,
      endpoint.hasPrefix("http://") || endpoint.hasPrefix("https://"),
      let url = URL(string: endpoint), let host = url.host(), !host.isEmpty,
      endpoint.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
    else { throw JobError.invalid("endpoint", "the endpoint must be an http or https URL") }
    guard !certificate.isEmpty else { return }
    do {
      guard try !NIOSSLCertificate.fromPEMBytes(Array(certificate.utf8)).isEmpty else {
        throw JobError.invalid("tlsCert", "there is no certificate in it")
      }
    } catch let error where !(error is JobError) {
      throw JobError.invalid("tlsCert", "the certificate is not PEM")
    }
  }

  /// Sends a message. Never throws but for cancellation: what goes wrong is an answer.
  func send(
    _ body: [UInt8], id: String, to endpoint: String, secret: String?, certificate: String,
    skipsVerification: Bool, at time: Timestamp
  ) async throws -> WebhookAnswer {
    var request = HTTPClientRequest(url: endpoint)
    request.method = .POST
    request.headers = [
      "Content-Type": "application/json", "User-Agent": "martlet", "webhook-id": id,
      "webhook-timestamp": "\(time.seconds)",
    ]
    if let secret {
      request.headers.add(
        name: "webhook-signature",
        value: WebhookSignature.sign(id: id, seconds: time.seconds, body: body, secret: secret))
    }
    request.body = .bytes(ByteBuffer(bytes: body))
    let began = ContinuousClock.now
    func answer(_ status: Int?, _ error: String?) -> WebhookAnswer {
      WebhookAnswer(
        status: status, error: error?.shortened(to: 500),
        milliseconds: (ContinuousClock.now - began).milliseconds)
    }
    do {
      request.tlsConfiguration = try tls(certificate, skipsVerification)
      let response = try await http.execute(request, timeout: Self.timeout)
      let status = Int(response.status.code)
      // What it says is of no use. A little that is said at once is read, so that the connection can
      // be used again; whoever talks on is not listened to.
      let length = response.headers.first(name: "Content-Length").flatMap { Int($0) }
      if let length, length <= Self.answerLimit {
        await Self.drain(response.body, within: Self.drainTimeout)
      }
      return answer(status, (200..<300).contains(status) ? nil : "the endpoint answered \(status)")
    } catch {
      if Task.isCancelled { throw CancellationError() }
      return answer(nil, "\(error)")
    }
  }

  private static func drain(
    _ body: HTTPClientResponse.Body, within limit: Duration
  ) async {
    await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { for try await _ in body {} }
      group.addTask { try await Task.sleep(for: limit) }
      // The status was the answer: how the rest of it ends does not matter.
      _ = await group.nextResult()
      group.cancelAll()
    }
  }

  private func tls(_ certificate: String, _ skips: Bool) throws -> TLSConfiguration {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = .tlsv12
    if skips { configuration.certificateVerification = .none }
    if !certificate.isEmpty {
      configuration.additionalTrustRoots.append(
        .certificates(try NIOSSLCertificate.fromPEMBytes(Array(certificate.utf8))))
    }
    return configuration
  }
}
