import FoundationEssentials
package import Identity
import NIOCore
import NIOHTTP1
import OCI
package import Registry
package import RegistryJobs
import Transport

/// What the operations of the REST API work with.
package struct RESTServices: Sendable {
  package let registry: RegistryService
  package let identity: IdentityService
  package let automation: RegistryAutomation
  /// The registry's name in the names of images, `host[:port]`.
  package let host: String
  /// The product's version.
  package let version: String
  /// The name of this process among those that share the registry.
  package let replica: String

  /// These services.
  package init(
    registry: RegistryService, identity: IdentityService, automation: RegistryAutomation,
    host: String, version: String, replica: String
  ) {
    self.registry = registry
    self.identity = identity
    self.automation = automation
    self.host = host
    self.version = version
    self.replica = replica
  }
}

/// A request to the REST API.
struct RESTRequest: Sendable {
  /// The largest document that is taken, in bytes.
  private static let bodyLimit = 1 << 20
  /// The most entries of one page, whatever is asked for.
  private static let pageLimit = 100_000

  let exchange: Exchange
  let caller: Caller
  let services: RESTServices
  let captures: [String: String]
  let query: QueryParameters

  var registry: RegistryService { services.registry }
  var identity: IdentityService { services.identity }
  var automation: RegistryAutomation { services.automation }

  // MARK: What is asked

  /// What fills a hole of the path.
  func path(_ name: String) -> String { captures[name] ?? "" }

  /// A flag of the query. Throws ``RESTError``.
  func flag(_ name: String, default value: Bool = false) throws -> Bool {
    switch query[name] {
    case nil, "": value
    case "true", "1": true
    case "false", "0": false
    default: throw RESTError.invalidParameters("\(name) must be true or false")
    }
  }

  /// A number of the query that is not negative. Throws ``RESTError``.
  func number(_ name: String, default value: Int) throws -> Int {
    guard let text = query[name], !text.isEmpty else { return value }
    guard let number = Int(text), number >= 0 else {
      throw RESTError.invalidParameters("\(name) must be a number")
    }
    return number
  }

  /// How many entries a page has.
  func pageSize() throws -> Int {
    min(max(try number("pageSize", default: 10), 1), Self.pageLimit)
  }

  /// Where the page begins; nil at the beginning.
  var pageStart: String? { query["pageStart"].flatMap { $0.isEmpty ? nil : $0 } }

  /// The body's document. Throws ``RESTError``.
  func document<Body: Decodable>(_ type: Body.Type) async throws -> Body {
    let bytes = Array(try await exchange.collectBody(upTo: Self.bodyLimit).readableBytesView)
    do {
      return try BoundedJSON.decode(
        type, from: bytes.isEmpty ? Array("{}".utf8) : bytes, kind: "request",
        maximumBytes: Self.bodyLimit)
    } catch let error as OCIError {
      throw RESTError(
        .badRequest, "INVALID_JSON", "the request's document cannot be used",
        detail: error.metadata)
    }
  }

  // MARK: Who asks

  /// The logged-in user. Throws ``RESTError``.
  func user() throws -> Account {
    guard let account = caller.account else { throw RESTError.notAuthenticated }
    return account
  }

  /// Throws ``RESTError`` unless the caller administers the registry.
  func requireAdministrator() throws {
    guard caller.isAdmin else {
      throw caller.isAnonymous ? RESTError.notAuthenticated : RESTError.notAuthorized
    }
  }

  /// The repository that the path names, if the caller may do this with it.
  func repository(_ action: RepositoryAction) async throws -> Repository {
    let name: RepositoryName
    do {
      name = try RepositoryName(
        namespace: path("namespace"), name: path("repository"))
    } catch {
      throw Self.noSuchRepository(path("namespace") + "/" + path("repository"))
    }
    return try await registry.authorize(caller, action, on: name)
  }

  static func noSuchRepository(_ name: String) -> RESTError {
    RESTError(
      .notFound, "NO_SUCH_REPOSITORY", "there is no such repository",
      detail: ["repository": String(name.prefix(256))])
  }

  /// The account of a name or an id.
  func account(_ nameOrID: String) async throws -> Account {
    do {
      return try await identity.account(nameOrID: nameOrID)
    } catch let error as IdentityError where error.code == .noSuchAccount {
      throw RESTError.noSuchAccount(nameOrID)
    }
  }

  /// The organization that the path names.
  func organization() async throws -> Account {
    let account = try await account(path("organization"))
    guard account.isOrganization else { throw RESTError.noSuchAccount(path("organization")) }
    return account
  }

  /// Throws ``RESTError`` unless the caller owns the organization or administers the registry.
  func requireOwner(of organization: Account) throws {
    guard caller.isAdmin || caller.organizations[organization.id] == .owner else {
      throw caller.isAnonymous ? RESTError.notAuthenticated : RESTError.notAuthorized
    }
  }

  /// Throws ``RESTError`` unless the caller is that user or administers the registry.
  func requireSelf(_ account: Account) throws {
    guard caller.isAdmin || caller.account?.id == account.id else {
      throw caller.isAnonymous ? RESTError.notAuthenticated : RESTError.notAuthorized
    }
  }

  // MARK: The answer

  func respond<Value>(_ status: HTTPResponseStatus, _ answer: RESTAnswer<Value>) async throws {
    var headers = answer.headers
    if let next = answer.nextPageStart { headers.add(name: "X-Next-Page-Start", value: next) }
    if let count = answer.count { headers.add(name: "X-Resource-Count", value: "\(count)") }
    headers.add(name: "Cache-Control", value: "no-store")
    guard !(answer.value is Nothing) else {
      return try await exchange.respond(status, headers: headers)
    }
    headers.add(name: "Content-Type", value: "application/json")
    try await exchange.respond(status, headers: headers, body: try Self.json(answer.value))
  }

  static func json(_ value: some Encodable) throws -> ByteBuffer {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      var body = ByteBuffer(bytes: try encoder.encode(value))
      body.writeStaticString("\n")
      return body
    } catch {
      throw RESTError(.internalServerError, "INTERNAL_ERROR", "the answer cannot be written")
    }
  }
}
