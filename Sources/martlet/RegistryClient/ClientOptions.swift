import ArgumentParser
import Glibc
import Host
import NIOCore
import RegistryJobs

/// What every command that speaks with a registry can be told.
struct ClientOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The registry: HOST[:PORT] or a URL. Else $MARTLET_REGISTRY_SERVER, else the one of the last login, else \(ServerAddress.standard).",
      valueName: "server"))
  var server: String?

  @Option(
    name: .shortAndLong,
    help: "Who asks. Else $MARTLET_REGISTRY_USERNAME, else whoever is logged in.")
  var username: String?

  @Flag(
    help: "Read the password or token from standard input. Else $MARTLET_REGISTRY_PASSWORD.")
  var passwordStdin = false

  @Option(help: "PEM certificates that the registry's may be signed by, besides the machine's.")
  var caFile: String?

  @Flag(help: "Take any certificate, and speak plain HTTP where the URL says http://.")
  var insecure = false

  @Option(help: "How long an answer may take, such as 30s or 5m.")
  var timeout = "60s"

  @Option(name: .shortAndLong, help: "How results are shown.")
  var output = OutputFormat.table

  @Flag(name: .shortAndLong, help: "Print names or ids only.")
  var quiet = false

  var out: Output { Output(format: output, isQuiet: quiet) }

  /// The registry that is meant. Throws ``ClientError``.
  func address(_ file: LoginFile, given: String? = nil) throws -> ServerAddress {
    let text =
      given ?? server ?? Environment.all["MARTLET_REGISTRY_SERVER"].flatMap {
        $0.isEmpty ? nil : $0
      }
      ?? file.current ?? ServerAddress.standard
    // a login said yes to it before
    let isKnown = file.logins.contains { $0.server == text && $0.insecure ?? false }
    return try ServerAddress(text, isInsecure: insecure || isKnown)
  }

  /// Who asks, and by what; nil for nobody. Throws ``ClientError``.
  func credentials(
    _ file: LoginFile, at address: ServerAddress
  ) async throws -> (username: String, password: String)? {
    let environment = Environment.all
    func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
    let login = file.login(at: address)
    guard let name = username ?? variable("MARTLET_REGISTRY_USERNAME") ?? login?.username else {
      if passwordStdin { throw ClientError.usage("--password-stdin needs --username") }
      return nil
    }
    if passwordStdin { return (name, try await StandardInput.line("password")) }
    if let password = variable("MARTLET_REGISTRY_PASSWORD") { return (name, password) }
    if let login, login.username == name { return (name, login.token) }
    return (
      name,
      try await StandardInput.secret("Password", piped: false, flag: "--password-stdin")
    )
  }

  /// A client for this registry. Throws ``ClientError``.
  func client(
    _ address: ServerAddress, _ credentials: (username: String, password: String)?,
    login: LoginFile.Login? = nil
  ) throws -> RegistryClient {
    guard let limit = Durations.parse(timeout), limit > .zero else {
      throw ClientError.usage("--timeout must be a duration such as 30s, not \(timeout)")
    }
    return try RegistryClient(
      server: address, username: credentials?.username, password: credentials?.password,
      certificateAuthority: caFile ?? login?.caFile,
      isInsecure: insecure || (caFile == nil && login?.insecure ?? false),
      timeout: TimeAmount(limit))
  }

  /// A client for the registry that is meant, as whoever is meant. Throws ``ClientError``.
  func client() async throws -> RegistryClient {
    let file = try LoginFile.read()
    let address = try address(file)
    return try client(
      address, try await credentials(file, at: address), login: file.login(at: address))
  }
}

/// Lengths of time on the command line: Go's, and days.
enum Durations {
  /// `90s`, `1h30m`, `30d`; nil when it is none.
  static func parse(_ text: String) -> Duration? {
    if text.hasSuffix("d"), let days = Int64(text.dropLast()), (0...36_500).contains(days) {
      return .seconds(days * 86_400)
    }
    return GoDuration.parse(text)
  }
}

/// How much of a list is wanted.
struct ListOptions: ParsableArguments {
  @Option(help: "Show at most so many; everything unless given.")
  var limit: Int?

  func validate() throws {
    guard limit ?? 1 > 0 else { throw ValidationError("--limit must be 1 or more") }
  }
}

/// A command that speaks with a registry.
protocol RegistryClientCommand: AsyncParsableCommand {
  var options: ClientOptions { get }
  /// Does it. Throws ``ClientError``.
  func perform(_ client: RegistryClient, _ out: Output) async throws
}

extension RegistryClientCommand {
  mutating func run() async throws {
    try await ClientError.reporting {
      let client = try await options.client()
      do {
        try await perform(client, options.out)
      } catch {
        await client.close()
        throw error
      }
      await client.close()
    }
  }
}

extension ClientError {
  /// Runs a command, says why it failed, and ends the process by the status of that.
  static func reporting(_ body: () async throws -> Void) async throws {
    // a server that goes away is an error of that request
    signal(SIGPIPE, SIG_IGN)
    do {
      try await body()
      Terminal.flush()
    } catch let error as ClientError {
      throw error.report()
    } catch let error as CancellationError {
      throw error
    } catch let error as ExitCode {
      throw error
    } catch {
      throw ClientError(.refused, "INTERNAL_ERROR", "\(error)").report()
    }
  }
}

/// A repository as an argument.
struct RepositoryPath: ExpressibleByArgument, Sendable, CustomStringConvertible {
  let namespace: String
  let name: String

  init?(argument: String) {
    let parts = argument.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
    namespace = String(parts[0])
    name = String(parts[1])
  }

  var description: String { "\(namespace)/\(name)" }

  /// Its path in the API.
  var path: String { RegistryClient.path("/api/v0/repositories", namespace, name) }
}

/// `KEY=VALUE` as an argument.
struct KeyValue: ExpressibleByArgument, Sendable {
  let key: String
  let value: String

  init?(argument: String) {
    guard let sign = argument.firstIndex(of: "="), sign != argument.startIndex else { return nil }
    key = String(argument[..<sign])
    value = String(argument[argument.index(after: sign)...])
  }

  /// The members of an object of texts.
  static func object(_ pairs: [KeyValue]) -> JSONValue {
    .object(Dictionary(pairs.map { ($0.key, .string($0.value)) }) { $1 })
  }
}
