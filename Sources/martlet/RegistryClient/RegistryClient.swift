import AsyncHTTPClient
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Transport

/// Speaks with the REST API of a registry.
struct RegistryClient: Sendable {
  /// The largest answer that is taken, in bytes.
  private static let answerLimit = 64 << 20
  /// How many entries are asked for at once.
  static let pageSize = 500

  /// What is to be done with a resource.
  // swift-format-ignore: AlwaysUseLowerCamelCase
  enum Method: String, Sendable { case GET, POST, PUT, PATCH, DELETE }

  /// An answer that is no refusal.
  struct Reply: Sendable {
    var document: JSONValue?
    /// Where the next page begins.
    var next: String?
  }

  let server: ServerAddress
  let username: String?
  private let password: String?
  private let timeout: TimeAmount
  private let http: HTTPClient

  init(
    server: ServerAddress, username: String?, password: String?, certificateAuthority: String?,
    isInsecure: Bool, timeout: TimeAmount
  ) throws {
    var options = HTTPClient.Configuration()
    options.redirectConfiguration = .disallow
    options.httpVersion = .http1Only
    options.timeout = .init(connect: .seconds(15))
    // people wait: what is refused now is said now
    options.connectionPool.retryConnectionEstablishment = false
    var tls = TLSConfiguration.makeClientConfiguration()
    if isInsecure { tls.certificateVerification = .none }
    if let certificateAuthority {
      do {
        tls.additionalTrustRoots.append(
          .certificates(try NIOSSLCertificate.fromPEMFile(certificateAuthority)))
      } catch {
        throw ClientError.usage("\(certificateAuthority) cannot be used as certificates: \(error)")
      }
    }
    options.tlsConfiguration = tls
    self.server = server
    self.username = username
    self.password = password
    self.timeout = timeout
    http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: options)
  }

  /// Closes the connections.
  func close() async {
    // the process ends right after: what cannot be closed is closed by the kernel
    try? await http.shutdown()
  }

  /// The path of these segments, each escaped.
  static func path(_ root: String, _ segments: String...) -> String {
    root + segments.map { "/" + PercentCoding.encode($0) }.joined()
  }

  /// Asks, and gives the answer unless it is a refusal. Throws ``ClientError``.
  @discardableResult
  func send(
    _ method: Method, _ path: String, query: [(String, String)] = [], _ body: JSONValue? = nil
  ) async throws -> Reply {
    let (status, reply) = try await exchange(method, path, query: query, body)
    guard (200..<300).contains(status) else {
      throw ClientError(httpStatus: status, document: reply.document)
    }
    return reply
  }

  /// Asks, and gives the answer's document. Throws ``ClientError``, also when there is none.
  func get(_ path: String, query: [(String, String)] = []) async throws -> JSONValue {
    try Self.document(try await send(.GET, path, query: query))
  }

  /// Sends a document and gives the one that is answered.
  func submit(
    _ method: Method, _ path: String, query: [(String, String)] = [], _ body: JSONValue
  ) async throws -> JSONValue {
    try Self.document(try await send(method, path, query: query, body))
  }

  private static func document(_ reply: Reply) throws -> JSONValue {
    guard let document = reply.document else {
      throw ClientError(.refused, "NO_DOCUMENT", "the server answers without a document")
    }
    return document
  }

  /// Asks, and gives whatever is answered. Throws ``ClientError`` when nothing is.
  func exchange(
    _ method: Method, _ path: String, query: [(String, String)] = [], _ body: JSONValue? = nil
  ) async throws -> (status: UInt, reply: Reply) {
    var url = server.description + path
    if !query.isEmpty {
      url += "?"
      url += query.map { "\(PercentCoding.encode($0.0))=\(PercentCoding.encode($0.1))" }
        .joined(separator: "&")
    }
    var request = HTTPClientRequest(url: url)
    request.method = HTTPMethod(rawValue: method.rawValue)
    request.headers.add(name: "User-Agent", value: "martlet/\(Version.text)")
    request.headers.add(name: "Accept", value: "application/json")
    if let username, let password {
      request.setBasicAuth(username: username, password: password)
    }
    if let body {
      request.headers.add(name: "Content-Type", value: "application/json")
      request.body = .bytes(try body.compact())
    }
    do {
      let response = try await http.execute(request, timeout: timeout)
      let bytes = try await response.body.collect(upTo: Self.answerLimit)
      let document = try Self.parse(response, Array(bytes.readableBytesView))
      return (
        response.status.code,
        Reply(document: document, next: response.headers.first(name: "X-Next-Page-Start"))
      )
    } catch {
      throw failure(error)
    }
  }

  /// The answer's document, if it is one. That of a refusal need not be understood.
  private static func parse(_ response: HTTPClientResponse, _ bytes: [UInt8]) throws -> JSONValue? {
    guard !bytes.isEmpty, response.headers.first(name: "Content-Type")?.contains("json") ?? false
    else { return nil }
    guard response.status.code < 300 else { return try? JSONValue.parse(bytes, kind: "answer") }
    do {
      return try JSONValue.parse(bytes, kind: "answer")
    } catch {
      throw ClientError(.refused, "BROKEN_ANSWER", "the server's answer cannot be understood")
    }
  }

  /// The system's words for an error, where it is one of the system.
  private static func reason(_ error: any Error) -> String {
    guard let error = error as? IOError else { return "\(error)" }
    return String(cString: strerror(error.errnoCode))
  }

  private func failure(_ error: any Error) -> ClientError {
    func unreachable(_ reason: String) -> ClientError {
      ClientError(.unreachable, "UNREACHABLE", "\(server) cannot be reached: \(reason)")
    }
    switch error {
    case let error as ClientError: return error
    case let error as HTTPClientError where error == .deadlineExceeded || error == .readTimeout:
      return unreachable("it does not answer in time")
    case let error as HTTPClientError where error == .connectTimeout:
      return unreachable("it cannot be connected to in time")
    case is NIOTooManyBytesError:
      return ClientError(.refused, "ANSWER_TOO_LARGE", "the server's answer is too large")
    case let error as NIOConnectionError:
      let reason =
        error.connectionErrors.first.map { Self.reason($0.error) }
        ?? error.dnsAError.map { "\($0)" } ?? "its name is not known"
      return unreachable(reason)
    case let error as IOError: return unreachable(Self.reason(error))
    case let error as NIOSSLError: return unreachable("TLS: \(error)")
    default: return unreachable("\(error)")
    }
  }
}

/// How the entries of a list come in pages.
enum Paging: Sendable {
  /// All at once.
  case whole
  /// By `pageSize` and `pageStart`, the next one in a header.
  case header
  /// By `limit` and `start`, the next one in the document.
  case start
  /// By `limit` and a count to leave out.
  case offset
}

extension RegistryClient {
  /// A list of which every page was read: the document as if it had come in one page.
  struct Listing: Sendable {
    var document: JSONValue
    var rows: [JSONValue]
  }

  /// Reads a list to its end, or `limit` entries of it. `key` names the entries within the document;
  /// nil when the document is the entries. Throws ``ClientError``.
  func list(
    _ path: String, key: String?, _ paging: Paging, query: [(String, String)] = [],
    limit: Int? = nil
  ) async throws -> Listing {
    var rows: [JSONValue] = []
    var document = JSONValue.null
    var next: String?
    repeat {
      let wanted = min(Self.pageSize, (limit ?? .max) - rows.count)
      var parameters = query
      switch paging {
      case .whole: break
      case .header:
        parameters.append(("pageSize", "\(wanted)"))
        if let next { parameters.append(("pageStart", next)) }
      case .start:
        parameters.append(("limit", "\(wanted)"))
        if let next { parameters.append(("start", next)) }
      case .offset: parameters += [("limit", "\(wanted)"), ("start", "\(rows.count)")]
      }
      let reply = try await send(.GET, path, query: parameters)
      document = reply.document ?? .null
      let page = key.map { document[$0] } ?? document
      rows += page.elements
      let following: String? =
        switch paging {
        case .whole: nil
        case .header: reply.next
        case .start: document["nextPageStart"].string
        case .offset: page.elements.count < wanted ? nil : "\(rows.count)"
        }
      guard following == nil || following != next else {
        throw ClientError(.refused, "ENDLESS_LIST", "the server answers one page again and again")
      }
      next = following.flatMap { $0.isEmpty ? nil : $0 }
    } while next != nil && rows.count < limit ?? .max
    if let limit, rows.count > limit { rows.removeLast(rows.count - limit) }
    guard let key else { return Listing(document: .array(rows), rows: rows) }
    document[key] = .array(rows)
    if paging == .start { document["nextPageStart"] = .string(next ?? "") }
    return Listing(document: document, rows: rows)
  }
}
