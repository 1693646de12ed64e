import FoundationEssentials
import Host
import OCI

/// Who is logged in where: `registry.json` in the user's configuration folder, which only its owner
/// may read.
struct LoginFile: Codable, Sendable {
  /// A login at one registry.
  struct Login: Codable, Sendable {
    var server: String
    var username: String
    /// A personal access token.
    var token: String
    /// How the registry names the token.
    var tokenID: String
    /// The file of certificates that the login was made with.
    var caFile: String?
    /// Whether the login was made with any certificate.
    var insecure: Bool?
  }

  /// The server of the last login, which commands go to unless told otherwise.
  var current: String?
  var logins: [Login] = []

  /// Where it lies. Throws ``ClientError`` when the environment names no folder.
  static func path() throws -> String {
    let environment = Environment.all
    if let folder = environment["XDG_CONFIG_HOME"], folder.hasPrefix("/") {
      return folder + "/martlet/registry.json"
    }
    guard let home = environment["HOME"], home.hasPrefix("/") else {
      throw ClientError(
        .configuration, "NO_CONFIGURATION_FOLDER", "neither XDG_CONFIG_HOME nor HOME is set")
    }
    return home + "/.config/martlet/registry.json"
  }

  /// What the file says; nothing when there is none. Throws ``ClientError``.
  static func read() throws -> LoginFile {
    let path: String
    do {
      path = try Self.path()
    } catch {
      // Whoever has no home can still say everything by flags.
      return LoginFile()
    }
    guard Paths.exists(path) else { return LoginFile() }
    do {
      let bytes = try Paths.read(path, limit: 1 << 20)
      return try BoundedJSON.decode(
        LoginFile.self, from: Array(bytes), kind: "logins", maximumBytes: 1 << 20)
    } catch let error as OCIError {
      throw ClientError(
        .configuration, "BROKEN_CONFIGURATION",
        "\(path) cannot be used: \(error.metadata["problem"] ?? error.message)")
    } catch {
      throw ClientError(.configuration, "BROKEN_CONFIGURATION", "\(path) cannot be read: \(error)")
    }
  }

  /// Replaces the file, atomically. Throws ``ClientError``.
  func write() throws {
    let path = try Self.path()
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      let bytes = Array(try encoder.encode(self)) + Array("\n".utf8)
      try Paths.makeDirectories(Paths.parent(of: path), mode: 0o700)
      try DurableFile.publish(bytes, to: path, mode: 0o600)
    } catch {
      throw ClientError(
        .configuration, "CONFIGURATION_NOT_WRITTEN", "\(path) cannot be written: \(error)")
    }
  }

  func login(at server: ServerAddress) -> Login? {
    logins.first { $0.server == server.description }
  }

  mutating func forget(_ server: ServerAddress) {
    logins.removeAll { $0.server == server.description }
    if current == server.description { current = logins.last?.server }
  }
}
