package import BlobStorage
package import Logging
package import RegistryJobs

/// Everything a registry can be told at its start, with what holds when it is told nothing.
///
/// Keys that the reference registry's `config.yml` has too mean what they mean there; those that
/// only this registry has lie below `martlet`. Values have been checked: addresses, URLs and names
/// are well-formed where they are kept as text.
package struct RegistryConfiguration: Equatable, Sendable {
  /// The file that is read when no other is named; it may be missing.
  package static let defaultFile = "/etc/martlet/registry.yml"
  /// The version of the file's format that is understood. Key `version`.
  package static let version = "0.1"

  /// What is written about what happens. Key `log`.
  package var log = Log()
  /// Where contents are kept. Key `storage`.
  package var storage = Storage()
  /// Where clients are served. Key `http`.
  package var http = HTTP()
  /// Who may do what. Key `auth`.
  package var authentication = Authentication.tokens(TokenService())
  /// The registry whose contents are handed on and kept, if any. Key `proxy`.
  package var proxy: Proxy?

  /// The folder of all durable data that has no other place, absolute. Key `martlet.dataroot`.
  package var dataRoot = "/var/lib/martlet/registry"
  /// The file that holds the process id while the registry runs. Key `martlet.pidfile`.
  package var pidfile: String?
  /// The file of the key that secrets in the store are sealed with, which replicas have to share;
  /// nil for one in the data root. Key `martlet.secretfile`.
  package var secretFile: String?
  /// Where records are kept. Key `martlet.store`.
  package var store = Store.sqlite(path: nil)
  /// The first administrator. Key `martlet.admin`.
  package var administrator = Administrator()
  /// What tokens are good for. Key `martlet.tokens`.
  package var tokens = Tokens()
  /// The fewest characters of a new password. Key `martlet.passwords.minimumlength`.
  package var passwordMinimum = 8
  /// What one request may take. Key `martlet.limits`.
  package var limits = Limits()
  /// How many jobs of a kind run at once, by action; what is missing has the usual number. Key
  /// `martlet.jobs.capacities`.
  package var jobCapacities: [String: Int] = [:]
  /// When what nobody needs is thrown away. Key `martlet.garbagecollection`.
  package var garbageCollection = GarbageCollection()

  /// The defaults.
  package init() {}

  /// The file of the embedded store, or of the one in the data root.
  package var databasePath: String {
    if case .sqlite(let path?) = store { return path }
    return dataRoot + "/registry.db"
  }

  /// The file of the key that secrets are sealed with.
  package var secretPath: String { secretFile ?? dataRoot + "/secret.key" }
}

extension RegistryConfiguration {
  /// What is written about what happens.
  package struct Log: Equatable, Sendable {
    /// How lines look.
    package enum Format: String, Sendable, CaseIterable { case text, json }

    /// From which level on. Key `log.level`.
    package var level = Logger.Level.info
    /// Key `log.formatter`.
    package var format = Format.text
    /// Facts that every line carries. Key `log.fields`.
    package var fields: [String: String] = [:]
    /// Whether a line in the Combined Log Format is written for each request, on standard output.
    /// Key `log.accesslog.disabled`, turned around.
    package var hasAccessLog = false

    /// The defaults.
    package init() {}
  }

  /// Where contents are kept, and what may be done with them.
  package struct Storage: Equatable, Sendable {
    /// What holds the bytes.
    package enum Driver: Equatable, Sendable {
      /// Files below a folder, nil for the one in the data root; with so many threads of their own,
      /// nil for those that all share.
      case filesystem(root: String?, threads: Int?)
      case s3(S3Settings)
    }

    /// Key `storage.filesystem` or `storage.s3`.
    package var driver = Driver.filesystem(root: nil, threads: nil)
    /// Whether clients may delete. Key `storage.delete.enabled`.
    package var allowsDeletion = true
    /// Whether clients are sent to the storage itself for blobs, where it can be reached by URLs.
    /// Key `storage.redirect.disable`, turned around.
    package var redirects = true
    /// Key `storage.maintenance.uploadpurging`.
    package var uploadPurging = UploadPurging()
    /// Whether every change is refused. Key `storage.maintenance.readonly.enabled`.
    package var isReadOnly = false

    /// The defaults.
    package init() {}
  }

  /// When uploads that nobody goes on with are dropped.
  package struct UploadPurging: Equatable, Sendable {
    package var isEnabled = true
    /// How long an upload may rest.
    package var age: Duration = .seconds(168 * 3_600)
    /// How often is looked for such uploads.
    package var interval: Duration = .seconds(24 * 3_600)
    /// Whether what would be dropped is only told.
    package var isDryRun = false

    /// The defaults.
    package init() {}
  }

  /// Where clients are served.
  package struct HTTP: Equatable, Sendable {
    /// Where connections are accepted.
    package enum Address: Equatable, Sendable {
      /// The host is empty for all of the machine's addresses.
      case tcp(host: String, port: Int)
      case unix(path: String)
    }

    /// Key `http.addr`, and `http.net`.
    package var address = Address.tcp(host: "127.0.0.1", port: 5000)
    /// The URL that clients reach the registry by, without a slash at the end; nil takes it from
    /// each request. Key `http.host`.
    package var publicURL: String?
    /// Key `http.relativeurls`.
    package var hasRelativeURLs = false
    /// Key `http.tls`.
    package var tls: TLS?
    /// Headers of every answer, by name. Key `http.headers`.
    package var headers: [String: [String]] = [:]
    /// How long requests under way may last when the registry is told to end. Key
    /// `http.draintimeout`.
    package var drainTimeout: Duration = .seconds(5)

    /// The defaults.
    package init() {}
  }

  /// How clients are spoken to in secret.
  package struct TLS: Equatable, Sendable {
    /// The oldest version that is spoken.
    package enum Version: String, Sendable, CaseIterable {
      case tls12 = "tls1.2"
      case tls13 = "tls1.3"
    }

    package var certificate: String
    package var key: String
    /// The authorities whose clients are let in; empty lets everybody in.
    package var clientAuthorities: [String] = []
    package var minimumVersion = Version.tls12
  }

  /// Who may do what.
  package enum Authentication: Equatable, Sendable {
    /// Everybody everything.
    case none
    /// Accounts and rules, by tokens of the registry's own token service.
    case tokens(TokenService)
  }

  /// What tokens say, and where they are to be had.
  package struct TokenService: Equatable, Sendable {
    /// The URL of the token service; nil for this registry as the client reaches it.
    package var realm: String?
    package var service = "martlet-registry"
    package var issuer = "martlet"
  }

  /// The registry whose contents are handed on and kept.
  package struct Proxy: Equatable, Sendable {
    package var remoteURL = ""
    package var username: String?
    package var password: String?
    /// How long what was fetched is kept; zero for ever.
    package var timeToLive: Duration = .seconds(168 * 3_600)
  }

  /// Where records are kept.
  package enum Store: Equatable, Sendable {
    /// A file, nil for the one in the data root.
    case sqlite(path: String?)
    case etcd(Etcd)
  }

  /// A cluster of etcd.
  package struct Etcd: Equatable, Sendable {
    /// `http://HOST:PORT` or `https://HOST:PORT`, of one or more members.
    package var endpoints: [String] = []
    /// What all keys begin with.
    package var prefix = "/martlet/"
    package var certificate: String?
    package var key: String?
    package var authority: String?
    package var username: String?
    package var password: String?
  }

  /// The administrator that the first start makes.
  package struct Administrator: Equatable, Sendable {
    package var username = "admin"
    /// A file with the password; nil makes one and prints it once.
    package var passwordFile: String?
  }

  /// What tokens are good for.
  package struct Tokens: Equatable, Sendable {
    package var lifetime: Duration = .seconds(300)
    /// How long a key signs before the next takes over.
    package var keyRotation: Duration = .seconds(30 * 86_400)
    /// How long a refresh token works after it was issued or last used.
    package var refreshLifetime: Duration = .seconds(30 * 86_400)
  }

  /// What one request, or one client, may take.
  package struct Limits: Equatable, Sendable {
    package var manifestBytes = 4 << 20
    package var manifestReferences = 8_192
    /// The most bytes of manifests kept in memory.
    package var manifestCacheBytes = 64 << 20
    /// The most entries of a page of a listing.
    package var pageEntries = 10_000
    package var connections = 8_192
    /// From the first byte of a request to the end of its head.
    package var headTimeout: Duration = .seconds(30)
    /// Between two pieces of a body.
    package var bodyIdleTimeout: Duration = .seconds(60)
  }

  /// When what nobody needs is thrown away.
  package struct GarbageCollection: Equatable, Sendable {
    /// Nil for only when it is asked for.
    package var schedule: CronSchedule?
    /// How long content that nothing refers to is kept, so that a push under way finds it.
    package var grace: Duration = .seconds(24 * 3_600)
  }
}
