import ArgumentParser
import DaemonConfiguration
import Glibc
import Host
import Logging
import RegistryConfiguration
import StateStore

/// `martlet registry init`: writes a configuration, makes the folders and the administrator.
struct RegistryInitCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init", abstract: "Set up a registry: its configuration, folders, administrator.",
    discussion: """
      Writes a configuration file with comments, makes the folders, and makes the administrator, \
      whose password it prints, once; MARTLET_REGISTRY_ADMIN_PASSWORD sets one instead. \
      A file that is there already is not overwritten: that ends the command with status 73.
      Then start the registry by martlet registry serve --config FILE.
      """)

  @Option(name: .shortAndLong, help: "The configuration file to write.")
  var config = RegistryConfiguration.defaultFile

  @Option(
    name: [.customLong("root"), .customLong("data-root")],
    help: "The folder of everything the registry keeps.")
  var dataRoot = RegistryConfiguration().dataRoot

  @Option(help: "Where blobs lie, if not in the data root: another disk, or NFS.")
  var storageRoot: String?

  @Option(help: "Where to listen, HOST:PORT.")
  var listen = "127.0.0.1:5000"

  @Option(help: "The URL clients reach the registry by, if it is not that of their requests.")
  var publicURL: String?

  @Option(help: "The certificate to show, a PEM file; with it the registry speaks TLS.")
  var tlsCertificate: String?

  @Option(help: "The certificate's key, a PEM file.")
  var tlsKey: String?

  @Option(help: "The administrator's name.")
  var administrator = "admin"

  @Option(help: "The file that holds the process id while the registry runs.")
  var pidfile: String?

  func validate() throws {
    guard (tlsCertificate == nil) == (tlsKey == nil) else {
      throw ValidationError("--tls-certificate and --tls-key go together")
    }
  }

  func run() async throws {
    let text = self.text
    let configuration: RegistryConfiguration
    do {
      configuration = try RegistryConfiguration.resolve(
        file: RegistryConfigurationFile(path: config, contents: Array(text.utf8)),
        environment: Environment.all)
    } catch {
      throw ConfigurationFailure.print("\(error)")
    }
    try write(text)
    do {
      let parts = try await RegistryParts(
        configuration, log: DaemonLog(format: .text, level: .warning))
      let password = try await parts.makeAdministrator(configuration)
      await parts.store.close()
      print("Wrote \(config)")
      if let password { RegistryParts.announce(password, configuration) }
      print("Start the registry by: martlet registry serve --config \(config)")
    } catch {
      unlink(config)
      throw CommandFailure("the registry cannot be set up: \(error)")
    }
  }

  private var text: String {
    var template = RegistryConfigurationTemplate()
    template.dataRoot = dataRoot
    template.storageRoot = storageRoot
    template.address = listen
    template.publicURL = publicURL
    template.administrator = administrator
    template.pidfile = pidfile
    if let tlsCertificate, let tlsKey { template.tls = (tlsCertificate, tlsKey) }
    return template.text
  }

  /// Writes the file, durably, unless there is one.
  private func write(_ text: String) throws {
    let scratch = "\(config).\(getpid())"
    do {
      try Paths.makeDirectories(Paths.parent(of: config))
      // it may hold secrets later on
      try DurableFile.publish(Array(text.utf8), to: scratch, mode: 0o600)
      defer { unlink(scratch) }
      guard link(scratch, config) == 0 else { throw SystemError.last("link", config) }
      try DurableFile.syncDirectory(Paths.parent(of: config))
    } catch let error as SystemError where error.errno == EEXIST {
      throw ConfigurationFailure.print(
        "\(config) is there already, and is not overwritten", status: EX_CANTCREAT)
    } catch {
      throw CommandFailure("\(config) cannot be written: \(error)")
    }
  }
}
