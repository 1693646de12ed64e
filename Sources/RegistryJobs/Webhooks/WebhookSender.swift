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
  static func newSecret() -> String { "whsec_" + Identifier.hexadecimal(bytes: 24) }

  /// The value of the signature's header. The secret's text is the key, as it is.
  package static func sign(
    id: String, seconds: Int64, body: [UInt8], secret: String
  ) -> String {
    let key = SymmetricKey(data: Array(secret.utf8))
    let code = HMAC<SHA256>.authenticationCode(
      for: Array("\(id).\(seconds).".utf8) + body, using: key)
    return "v1," + Data(code).base64EncodedString()
  }
}

/// Sends messages to endpoints.
struct WebhookSender: Sendable {
  private static let timeout = TimeAmount.seconds(20)

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
    } catch is NIOSSLError {
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
        status: status, error: error.map { String($0.prefix(500)) },
        milliseconds: (ContinuousClock.now - began).milliseconds)
    }
    do {
      request.tlsConfiguration = try tls(certificate, skipsVerification)
      let response = try await http.execute(request, timeout: Self.timeout)
      // What it says is of no use; a little is read so that the connection can be used again.
      var read = 0
      for try await piece in response.body {
        read += piece.readableBytes
        if read > 64 << 10 { break }
      }
      let status = Int(response.status.code)
      return answer(status, (200..<300).contains(status) ? nil : "the endpoint answered \(status)")
    } catch {
      if Task.isCancelled { throw CancellationError() }
      return answer(nil, "\(error)")
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
