import BlobStorage
import DaemonConfiguration
import Glibc
import Host
import Identity
import Logging
import Registry
import RegistryConfiguration
import StateStore
import StateStoreEtcd
import StateStoreSQLite

/// What a registry is made of, as its configuration says.
struct RegistryParts {
  let store: any StateStore
  let storage: any BlobStorage
  let identity: IdentityService
  let registry: RegistryService
  let secretBox: SecretBox

  /// Opens the stores, which are made if they are not there. Whoever has the parts closes the store.
  init(_ configuration: RegistryConfiguration, log: DaemonLog) async throws {
    try Paths.makeDirectories(configuration.dataRoot, mode: 0o700)
    secretBox = try Self.secretBox(configuration.secretPath)
    store = try await Self.store(configuration, log.logger(label: "martlet.etcd"))
    do {
      storage = try Self.storage(configuration, log.logger(label: "martlet.storage"))
      identity = IdentityService(
        store: store, settings: configuration.identitySettings,
        logger: log.logger(label: "martlet.identity"))
      registry = RegistryService(
        store: store, storage: storage, identity: identity,
        settings: configuration.registrySettings, logger: log.logger(label: "martlet.registry"))
    } catch {
      await store.close()
      throw error
    }
  }

  private static func store(
    _ configuration: RegistryConfiguration, _ logger: Logger
  ) async throws -> any StateStore {
    switch configuration.store {
    case .sqlite:
      let path = configuration.databasePath
      try Paths.makeDirectories(Paths.parent(of: path), mode: 0o700)
      return try await SQLiteStateStore.open(path: path)
    case .etcd(let etcd):
      var settings = EtcdSettings(
        endpoints: etcd.endpoints, prefix: etcd.prefix, username: etcd.username,
        password: etcd.password)
      if etcd.authority != nil || etcd.certificate != nil {
        settings.tls = EtcdSettings.TLS(
          authorityFile: etcd.authority, certificateFile: etcd.certificate, keyFile: etcd.key)
      }
      return try await EtcdStateStore.open(settings: settings, logger: logger)
    }
  }

  private static func storage(
    _ configuration: RegistryConfiguration, _ logger: Logger
  ) throws -> any BlobStorage {
    switch configuration.storage.driver {
    case .filesystem(let root, let threads):
      let pool = threads.map { BlockingPool(threads: $0) } ?? .shared
      return try FilesystemStorage(root: root ?? configuration.dataRoot + "/storage", pool: pool)
    case .s3(let settings): return try S3Storage(settings: settings, logger: logger)
    }
  }

  /// The box of the key that secrets in the store are sealed with, which is made at the first start.
  private static func secretBox(_ path: String) throws -> SecretBox {
    if !Paths.exists(path) {
      var generator = SystemRandomNumberGenerator()
      let key = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
      try DurableFile.publish(key, to: path, mode: 0o600)
    }
    return try SecretBox(key: try Paths.read(path, limit: 4096))
  }

  /// Makes the administrator if there is none; gives the password to print, if one was made up.
  func makeAdministrator(_ configuration: RegistryConfiguration) async throws -> String? {
    guard case .tokens = configuration.authentication,
      let name = AccountName(configuration.administrator.username)
    else { return nil }
    var password = getenv("MARTLET_REGISTRY_ADMIN_PASSWORD").map { String(cString: $0) }
    if password == nil, let path = configuration.administrator.passwordFile {
      let text = String(decoding: try Paths.read(path, limit: 4096), as: UTF8.self)
      password = String(text.prefix { !$0.isNewline })
    }
    return try await identity.ensureAdministrator(name, password: password)
  }

  /// Prints the password that was made up.
  static func announce(_ password: String, _ configuration: RegistryConfiguration) {
    print(
      "The administrator's name is \(configuration.administrator.username), the password \(password)"
    )
    print("It is not shown again.")
    fflush(nil)
  }
}

extension RegistryConfiguration {
  /// How Identity is to work.
  var identitySettings: IdentitySettings {
    var settings = IdentitySettings()
    settings.passwordMinimum = passwordMinimum
    settings.refreshTokenLifetime = tokens.refreshLifetime
    return settings
  }

  /// How Registry is to work.
  var registrySettings: RegistrySettings {
    var settings = RegistrySettings()
    settings.grace = garbageCollection.grace
    settings.uploadLifetime = storage.uploadPurging.age
    let purging = storage.uploadPurging
    settings.uploadPurging = !purging.isEnabled ? .keeps : purging.isDryRun ? .counts : .drops
    settings.manifestCacheBytes = limits.manifestCacheBytes
    settings.maximumManifestBytes = limits.manifestBytes
    settings.maximumReferences = limits.manifestReferences
    settings.allowsDeletion = storage.allowsDeletion
    settings.isReadOnly = storage.isReadOnly
    return settings
  }

  /// The level, form and facts of log lines.
  var daemonLog: DaemonLog {
    DaemonLog(format: log.format == .json ? .json : .text, level: log.level, facts: log.fields)
  }
}
