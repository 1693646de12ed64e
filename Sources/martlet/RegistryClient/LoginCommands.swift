import ArgumentParser
import Glibc
import Host
import NIOHTTP1

/// `martlet registry login`: keeps a token, so that commands need no password.
struct RegistryLoginCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "login", abstract: "Log in at a registry, once for all further commands.",
    discussion: """
      Checks the password, makes a personal access token that is labelled with this machine's name, \
      and keeps that (not the password), with --ca-file and --insecure, in ~/.config/martlet/registry.json, or under \
      $XDG_CONFIG_HOME; only its owner may read the file. Further commands go to this registry \
      unless --server says otherwise.

      EXAMPLES
        martlet registry login -u admin
        martlet registry login registry.example.com -u ci --password-stdin < password
        martlet registry logout
      """)

  @Argument(help: "The registry: HOST[:PORT] or a URL.")
  var registry: String?

  @OptionGroup var options: ClientOptions

  func run() async throws {
    try await ClientError.reporting {
      var file = try LoginFile.read()
      let address = try options.address(file, given: registry)
      let client = try options.client(address, try await credentials(file, address))
      do {
        try await logIn(client, address, &file)
      } catch {
        await client.close()
        throw error
      }
      await client.close()
    }
  }

  /// Unlike for other commands, an earlier login is no way in: it is about to be replaced.
  private func credentials(
    _ file: LoginFile, _ address: ServerAddress
  ) async throws -> (username: String, password: String) {
    var named = options
    if named.username == nil, Environment.all["MARTLET_REGISTRY_USERNAME"] ?? "" == "" {
      guard isatty(STDIN_FILENO) == 1, !options.passwordStdin else {
        throw ClientError.usage("--username is missing")
      }
      Terminal.prompt("Username: ")
      named.username = try await StandardInput.line("username")
    }
    guard let found = try await named.credentials(LoginFile(), at: address) else {
      throw ClientError.usage("--username is missing")
    }
    return found
  }

  private func logIn(
    _ client: RegistryClient, _ address: ServerAddress, _ file: inout LoginFile
  ) async throws {
    var form = Form()
    form.set("tokenLabel", "martlet on \(Self.machine)")
    let made = try await client.submit(.POST, "/api/v0/api_tokens", form.document)
    guard let token = made["token"].string, let id = made["hashedToken"].string,
      let username = client.username
    else { throw ClientError(.refused, "NO_TOKEN", "the server answers without a token") }
    let before = file.login(at: address)
    file.forget(address)
    file.logins.append(
      .init(
        server: address.description, username: username, token: token, tokenID: id,
        caFile: try options.caFile.map(Self.absolute), insecure: options.insecure ? true : nil))
    file.current = address.description
    do {
      try file.write()
    } catch {
      // a token that nobody has is of no use
      _ = try? await client.send(.DELETE, RegistryClient.path("/api/v0/api_tokens", id))
      throw error
    }
    if let before, before.username == username {
      // it may be gone, or the server may refuse: the new login stands all the same
      _ = try? await client.send(.DELETE, RegistryClient.path("/api/v0/api_tokens", before.tokenID))
    }
    try options.out.did(
      "logged in at \(address) as \(username)",
      ["server": .string(address.description), "username": .string(username)], id: username)
  }

  /// The path as it is meant from any folder.
  private static func absolute(_ path: String) throws -> String {
    guard let text = realpath(path, nil) else {
      throw ClientError.usage("\(path) cannot be found")
    }
    defer { free(text) }
    return String(cString: text)
  }

  /// The name of this machine.
  private static var machine: String {
    var bytes = [CChar](repeating: 0, count: 256)
    guard gethostname(&bytes, bytes.count - 1) == 0 else { return "this machine" }
    return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// `martlet registry logout`: forgets a login, here and at the registry.
struct RegistryLogoutCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logout", abstract: "Delete the token of a login, here and at the registry.",
    discussion: """
      When the registry cannot be reached nothing is forgotten, for the token still works there; \
      --local forgets it anyway.
      """)

  @Argument(help: "The registry; that of the last login unless given.")
  var registry: String?

  @Flag(help: "Forget the login here only.")
  var local = false

  @OptionGroup var options: ClientOptions

  func run() async throws {
    try await ClientError.reporting {
      var file = try LoginFile.read()
      let address = try options.address(file, given: registry)
      guard let login = file.login(at: address) else {
        throw ClientError(.notFound, "NOT_LOGGED_IN", "nobody is logged in at \(address)")
      }
      if !local {
        let client = try options.client(
          address, (login.username, login.token), login: login)
        do {
          try await client.send(
            .DELETE, RegistryClient.path("/api/v0/api_tokens", login.tokenID))
        } catch let error as ClientError where [.notAllowed, .notFound].contains(error.status) {
          // the token is dead already
        } catch {
          await client.close()
          throw error
        }
        await client.close()
      }
      file.forget(address)
      try file.write()
      try options.out.did("logged out at \(address)", id: login.username)
    }
  }
}
