import Glibc
import Identity
import NIOHTTP1
import Transport

/// Writes a line in the Combined Log Format for each request, on standard output. How many bytes an
/// answer had is not told: the kernel sends most of them.
struct AccessLog<Handler: HTTPHandler>: HTTPHandler {
  private let handler: Handler

  init(_ handler: Handler) { self.handler = handler }

  func handle(_ exchange: Exchange) async throws {
    defer {
      Self.write(exchange.request, exchange.peer, status: exchange.status.map { Int($0.code) })
    }
    try await handler.handle(exchange)
  }

  func readyAnswer(to request: HTTPRequestHead, from peer: ConnectionPeer) -> ReadyAnswer? {
    guard let answer = handler.readyAnswer(to: request, from: peer) else { return nil }
    Self.write(request, peer, status: Int(answer.status.code))
    return answer
  }

  /// One call for one line, so that lines of several threads do not mix.
  private static func write(_ request: HTTPRequestHead, _ peer: ConnectionPeer, status: Int?) {
    var line = Self.line(
      request, address: peer.address ?? "-", status: status, at: Timestamp.now())
    line.withUTF8 { bytes in _ = Glibc.write(STDOUT_FILENO, bytes.baseAddress, bytes.count) }
  }

  static func line(
    _ request: HTTPRequestHead, address: String, status: Int?, at moment: Timestamp
  ) -> String {
    let agent = clean(request.headers.first(name: "user-agent") ?? "-")
    let referrer = clean(request.headers.first(name: "referer") ?? "-")
    let asked =
      "\(request.method) \(clean(request.uri)) HTTP/\(request.version.major).\(request.version.minor)"
    return "\(address) - - [\(date(moment))] \"\(asked)\" \(status.map(String.init) ?? "-") - "
      + "\"\(referrer)\" \"\(agent)\"\n"
  }

  private static func date(_ moment: Timestamp) -> String {
    let fields = CalendarFields(moment)
    let months = [
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(two(fields.day))/\(months[Int(fields.month) - 1])/\(fields.year):"
      + "\(two(fields.hour)):\(two(fields.minute)):\(two(fields.second)) +0000"
  }

  /// What a client said, so that it cannot end its quotes or its line.
  private static func clean(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      let isPlain = scalar.value >= 0x20 && scalar.value != 0x7F && scalar != "\"" && scalar != "\\"
      if isPlain {
        result.unicodeScalars.append(scalar)
      } else {
        result += "\\u{\(String(scalar.value, radix: 16))}"
      }
    }
    return result
  }
}
