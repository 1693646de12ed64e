import ArgumentParser
import Glibc
import RegistryConfiguration

/// What every command that opens a registry is told: the file, and flags over it.
struct RegistryOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: """
      The configuration file (default: \(RegistryConfiguration.defaultFile), if it is there).
      """)
  var config: String?

  @Option(help: "The folder of everything the registry keeps.")
  var dataRoot: String?

  @Option(help: "Where blobs lie, if not in the data root: another disk, or NFS.")
  var storageRoot: String?

  @Option(help: "Where to listen, HOST:PORT.")
  var listen: String?

  @Option(help: "Who may do what: token (accounts and rules), or none (everybody everything).")
  var auth: String?

  @Option(help: "The URL clients reach the registry by, if it is not that of their requests.")
  var publicURL: String?

  @Option(help: "The certificate to show, a PEM file; with it the registry speaks TLS.")
  var tlsCertificate: String?

  @Option(help: "The certificate's key, a PEM file.")
  var tlsKey: String?

  @Option(help: "The administrator's name.")
  var administrator: String?

  @Option(help: "The file that holds the process id while the registry runs.")
  var pidfile: String?

  @Option(help: "From which level on to write log lines: debug, info, warn, error.")
  var logLevel: String?

  @Option(
    help: """
      Seconds that content which nothing refers to is kept, so that a push under way finds it.
      """)
  var grace: Int?

  /// The flags that were given, as settings.
  private var flags: [RegistryFlag] {
    let all: [(name: String, key: String, text: String?)] = [
      ("--data-root", "martlet.dataroot", dataRoot),
      ("--storage-root", "storage.filesystem.rootdirectory", storageRoot),
      ("--listen", "http.addr", listen),
      ("--auth", "auth", auth),
      ("--public-url", "http.host", publicURL),
      ("--tls-certificate", "http.tls.certificate", tlsCertificate),
      ("--tls-key", "http.tls.key", tlsKey),
      ("--administrator", "martlet.admin.username", administrator),
      ("--pidfile", "martlet.pidfile", pidfile),
      ("--log-level", "log.level", logLevel),
      ("--grace", "martlet.garbagecollection.grace", grace.map { "\($0)s" }),
    ]
    return all.compactMap { flag in
      flag.text.map { RegistryFlag(flag.name, key: flag.key, text: $0) }
    }
  }

  /// What file, variables and flags say together. Blocks for the file. Ends the process as a
  /// configuration error does when something is wrong, after everything that is was printed.
  func configuration() throws -> RegistryConfiguration {
    do {
      return try RegistryConfiguration.load(
        file: config, environment: Environment.all, flags: flags)
    } catch {
      throw ConfigurationFailure.print("\(error)")
    }
  }
}

/// The process's environment.
enum Environment {
  /// All variables, by name.
  static var all: [String: String] {
    var result: [String: String] = [:]
    var entry = environ
    while let text = entry.pointee {
      let line = String(cString: text)
      if let sign = line.firstIndex(of: "=") {
        result[String(line[..<sign])] = String(line[line.index(after: sign)...])
      }
      entry += 1
    }
    return result
  }
}

/// Ends a command because of its settings: `EX_CONFIG`, which tells supervisors that another try is
/// of no use.
enum ConfigurationFailure {
  /// Prints the reasons; gives what is to be thrown.
  static func print(_ reasons: String, status: Int32 = EX_CONFIG) -> ExitCode {
    var text = reasons + "\n"
    text.withUTF8 { bytes in _ = Glibc.write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
    return ExitCode(status)
  }
}
