import ArgumentParser
import DaemonConfiguration
import Glibc
import Host
import Identity
import RegistryAPI
import Transport

/// `martlet registry serve`: runs the registry.
struct RegistryServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Run the registry.",
    discussion: """
      Keeps everything in one folder. At its first start it makes the administrator and prints a \
      password for it, once; MARTLET_REGISTRY_ADMIN_PASSWORD sets one instead.
      Ends at SIGTERM or SIGINT, when the requests under way are done.
      """)

  @Option(help: "The folder of everything the registry keeps.")
  var dataRoot = "/var/lib/martlet/registry"

  @Option(help: "Where blobs lie, if not in the data root: another disk, or NFS.")
  var storageRoot: String?

  @Option(help: "Where to listen, HOST:PORT.")
  var listen = "127.0.0.1:5000"

  @Option(help: "Who may do what: token (accounts and rules), or none (everybody everything).")
  var auth = Authentication.token

  @Option(help: "The URL clients reach the registry by, if it is not that of their requests.")
  var publicURL: String?

  @Option(help: "The certificate to show, a PEM file; with it the registry speaks TLS.")
  var tlsCertificate: String?

  @Option(help: "The certificate's key, a PEM file.")
  var tlsKey: String?

  @Option(help: "The administrator's name.")
  var administrator = "admin"

  @Option(help: "From which level on to write log lines: debug, info, warning, error.")
  var logLevel = LogLevel.info

  @Option(
    help: """
      Seconds that content which nothing refers to is kept, so that a push under way finds it.
      """)
  var grace = 24 * 3600

  /// Who may do what.
  enum Authentication: String, ExpressibleByArgument, CaseIterable { case none, token }

  /// From which level on log lines are written.
  enum LogLevel: String, ExpressibleByArgument, CaseIterable { case debug, info, warning, error }

  func validate() throws {
    guard (tlsCertificate == nil) == (tlsKey == nil) else {
      throw ValidationError("--tls-certificate and --tls-key go together")
    }
    guard AccountName(administrator) != nil else {
      throw ValidationError("\(administrator) cannot be an account's name")
    }
    guard grace >= 0 else { throw ValidationError("--grace cannot be negative") }
  }

  func run() async throws {
    // A client that goes away is an error of that write, not the end of the registry.
    signal(SIGPIPE, SIG_IGN)
    MemoryAllocator.keepSmall()
    try await RegistryServer(command: self).run()
  }

  /// The listeners. Throws `CommandFailure`.
  func listener() throws -> ListenerConfiguration {
    do {
      var tls: TLSSettings?
      if let tlsCertificate, let tlsKey {
        tls = TLSSettings(certificatePath: tlsCertificate, keyPath: tlsKey)
      }
      let address = listen.hasPrefix(":") ? "0.0.0.0" + listen : listen
      return ListenerConfiguration(
        try ListenAddress(address, tls: tls != nil), tls: tls, allowsPlainTCP: true)
    } catch {
      throw CommandFailure("\(error)")
    }
  }
}
