package import NIOCore
package import NIOHTTP1

/// A whole answer that a handler has at hand, and gives without a task of its own.
package struct ReadyAnswer: Sendable {
  package var status: HTTPResponseStatus
  /// With the body's length, where the status allows a body.
  package var headers: HTTPHeaders
  package var body: ByteBuffer

  /// An answer of these parts; the length is added to the headers where it is missing.
  package init(
    _ status: HTTPResponseStatus = .ok, headers: HTTPHeaders, body: ByteBuffer = ByteBuffer()
  ) {
    self.status = status
    self.headers = headers
    self.body = body
    if status.mayHaveResponseBody, !headers.contains(name: "content-length") {
      self.headers.add(name: "Content-Length", value: String(body.readableBytes))
    }
  }
}

extension HTTPRequestHead {
  /// Whether the request is one that a handler may be asked a ready answer for: a GET or HEAD that
  /// ends with its head and stays with HTTP.
  var mayHaveReadyAnswer: Bool {
    guard method == .GET || method == .HEAD, !wantsUpgrade else { return false }
    return !headers.contains(name: "transfer-encoding") && !headers.contains(name: "content-length")
      && !headers.contains(name: "expect")
  }
}
