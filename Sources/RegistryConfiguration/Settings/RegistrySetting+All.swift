import BlobStorage
import Identity

extension RegistrySetting {
  /// Every setting.
  static let all: [RegistrySetting] = general + storage + http + access + own

  /// The sections of which one part is chosen, with the parts.
  static let choices: [(key: String, names: [String])] = [
    ("storage", ["filesystem", "s3"]),
    ("auth", ["none", "token"]),
    ("martlet.store", ["sqlite", "etcd"]),
  ]

  private static let second = Duration.seconds(1)

  private static let general: [RegistrySetting] = [
    RegistrySetting("version", .one(of: [RegistryConfiguration.version])) { _, _ in },
    RegistrySetting("log.level", \.configuration.log.level, .level),
    RegistrySetting(
      "log.formatter", .one(of: RegistryConfiguration.Log.Format.allCases.map(\.rawValue))
    ) { $1.configuration.log.format = RegistryConfiguration.Log.Format(rawValue: $0) ?? .text },
    RegistrySetting(
      "log.fields", \.configuration.log.fields,
      .map("a name that is not empty", { !$0.isEmpty }, .text), form: .map),
    RegistrySetting("log.accesslog.disabled", \.configuration.log.hasAccessLog, .inverted),
    RegistrySetting(
      "health.storagedriver.enabled",
      .only(true, "/health always looks at the storage, whenever it is asked")
    ) { _, _ in },
  ]

  private static let storage: [RegistrySetting] = [
    RegistrySetting(
      "storage.filesystem.rootdirectory", \.filesystemRoot,
      ValueParser<String>.absolutePath.optional),
    RegistrySetting(
      "storage.filesystem.maxthreads", \.filesystemThreads,
      ValueParser<Int>.integer(1...1_024).optional),
    RegistrySetting("storage.s3.accesskey", \.s3.accessKey, ValueParser<String>.secret.optional),
    RegistrySetting("storage.s3.secretkey", \.s3.secretKey, ValueParser<String>.secret.optional),
    RegistrySetting(
      "storage.s3.sessiontoken", \.s3.sessionToken, ValueParser<String>.secret.optional),
    RegistrySetting("storage.s3.region", \.s3.region, .nonEmpty),
    RegistrySetting("storage.s3.regionendpoint", \.s3.regionEndpoint, ValueParser<String>.endpoint),
    RegistrySetting("storage.s3.forcepathstyle", \.s3.forcePathStyle, .bool),
    RegistrySetting("storage.s3.bucket", \.s3.bucket, .bucket),
    RegistrySetting("storage.s3.encrypt", \.s3.encrypt, .bool),
    RegistrySetting("storage.s3.keyid", \.s3.keyID, ValueParser<String>.nonEmpty.optional),
    RegistrySetting("storage.s3.secure", \.s3.secure, .bool),
    RegistrySetting("storage.s3.skipverify", \.s3.skipVerify, .bool),
    RegistrySetting(
      "storage.s3.v4auth", .only(true, "requests are always signed in version 4")
    ) { _, _ in },
    RegistrySetting(
      "storage.s3.chunksize", \.s3.chunkSize,
      .size(S3Settings.smallestChunk...S3Settings.largestChunk)),
    RegistrySetting("storage.s3.rootdirectory", \.s3.rootDirectory, .text),
    RegistrySetting("storage.s3.storageclass", \.s3.storageClass, .storageClass),
    RegistrySetting("storage.delete.enabled", \.configuration.storage.allowsDeletion, .bool),
    RegistrySetting("storage.redirect.disable", \.configuration.storage.redirects, .inverted),
    RegistrySetting("storage.cache.blobdescriptor", .one(of: ["inmemory"])) { _, _ in },
    RegistrySetting(
      "storage.maintenance.uploadpurging.enabled",
      \.configuration.storage.uploadPurging.isEnabled, .bool),
    RegistrySetting(
      "storage.maintenance.uploadpurging.age", \.configuration.storage.uploadPurging.age,
      .duration(from: .seconds(60))),
    RegistrySetting(
      "storage.maintenance.uploadpurging.interval",
      \.configuration.storage.uploadPurging.interval, .duration(from: .seconds(60))),
    RegistrySetting(
      "storage.maintenance.uploadpurging.dryrun",
      \.configuration.storage.uploadPurging.isDryRun, .bool),
    RegistrySetting(
      "storage.maintenance.readonly.enabled", \.configuration.storage.isReadOnly, .bool),
  ]

  private static let http: [RegistrySetting] = [
    RegistrySetting("http.addr", \.address, ValueParser<String>.nonEmpty.optional),
    RegistrySetting("http.net", .one(of: ["tcp", "unix"])) { $1.isUnixSocket = $0 == "unix" },
    RegistrySetting(
      "http.host", \.configuration.http.publicURL, ValueParser<String>.url().optional),
    // Nothing is left with clients that would have to be signed.
    RegistrySetting("http.secret", .secret) { _, _ in },
    RegistrySetting("http.relativeurls", \.configuration.http.hasRelativeURLs, .bool),
    RegistrySetting(
      "http.draintimeout", \.configuration.http.drainTimeout, .duration(from: .zero)),
    RegistrySetting("http.headers", \.configuration.http.headers, .headers, form: .mapOfLists),
    RegistrySetting(
      "http.http2.disabled", .only(true, "only HTTP/1.1 is spoken, which all clients speak")
    ) { _, _ in },
    RegistrySetting("http.tls.certificate", \.tls.certificate, .absolutePath),
    RegistrySetting("http.tls.key", \.tls.key, .absolutePath),
    RegistrySetting(
      "http.tls.clientcas", \.tls.clientAuthorities, .list(.absolutePath), form: .list),
    RegistrySetting(
      "http.tls.minimumtls", .one(of: RegistryConfiguration.TLS.Version.allCases.map(\.rawValue))
    ) { $1.tls.minimumVersion = RegistryConfiguration.TLS.Version(rawValue: $0) ?? .tls12 },
  ]

  private static let access: [RegistrySetting] = [
    RegistrySetting(
      "auth.token.realm", \.tokenService.realm,
      ValueParser<String>.url(withPath: true).optional),
    RegistrySetting("auth.token.service", \.tokenService.service, .nonEmpty),
    RegistrySetting("auth.token.issuer", \.tokenService.issuer, .nonEmpty),
    RegistrySetting("proxy.remoteurl", \.proxy.remoteURL, .url()),
    RegistrySetting("proxy.username", \.proxy.username, ValueParser<String>.nonEmpty.optional),
    RegistrySetting("proxy.password", \.proxy.password, ValueParser<String>.secret.optional),
    RegistrySetting("proxy.ttl", \.proxy.timeToLive, .duration(from: .zero)),
  ]

  private static let own: [RegistrySetting] = [
    RegistrySetting("martlet.dataroot", \.configuration.dataRoot, .absolutePath),
    RegistrySetting(
      "martlet.pidfile", \.configuration.pidfile, ValueParser<String>.absolutePath.optional),
    RegistrySetting(
      "martlet.secretfile", \.configuration.secretFile,
      ValueParser<String>.absolutePath.optional),
    RegistrySetting(
      "martlet.store.sqlite.path", \.sqlitePath, ValueParser<String>.absolutePath.optional),
    RegistrySetting(
      "martlet.store.etcd.endpoints", \.etcd.endpoints, .list(.url()), form: .list),
    RegistrySetting("martlet.store.etcd.prefix", \.etcd.prefix, .absolutePath),
    RegistrySetting(
      "martlet.store.etcd.cert", \.etcd.certificate, ValueParser<String>.absolutePath.optional),
    RegistrySetting(
      "martlet.store.etcd.key", \.etcd.key, ValueParser<String>.absolutePath.optional),
    RegistrySetting(
      "martlet.store.etcd.ca", \.etcd.authority, ValueParser<String>.absolutePath.optional),
    RegistrySetting(
      "martlet.store.etcd.username", \.etcd.username, ValueParser<String>.nonEmpty.optional),
    RegistrySetting(
      "martlet.store.etcd.password", \.etcd.password, ValueParser<String>.secret.optional),
    RegistrySetting(
      "martlet.admin.username", \.configuration.administrator.username, .accountName),
    RegistrySetting(
      "martlet.admin.passwordfile", \.configuration.administrator.passwordFile,
      ValueParser<String>.absolutePath.optional),
    RegistrySetting(
      "martlet.tokens.lifetime", \.configuration.tokens.lifetime,
      .duration(from: .seconds(60))),
    RegistrySetting(
      "martlet.tokens.keyrotation", \.configuration.tokens.keyRotation,
      .duration(from: .seconds(3_600))),
    RegistrySetting(
      "martlet.tokens.refreshlifetime", \.configuration.tokens.refreshLifetime,
      .duration(from: .seconds(60))),
    RegistrySetting(
      "martlet.passwords.minimumlength", \.configuration.passwordMinimum, .integer(1...128)),
    RegistrySetting(
      "martlet.limits.manifestsize", \.configuration.limits.manifestBytes,
      .size(64 << 10...64 << 20)),
    RegistrySetting(
      "martlet.limits.manifestreferences", \.configuration.limits.manifestReferences,
      .integer(16...100_000)),
    RegistrySetting(
      "martlet.limits.manifestcache", \.configuration.limits.manifestCacheBytes,
      .size(0...64 << 30)),
    RegistrySetting(
      "martlet.limits.pageentries", \.configuration.limits.pageEntries, .integer(1...100_000)),
    RegistrySetting(
      "martlet.limits.connections", \.configuration.limits.connections, .integer(1...1_000_000)),
    RegistrySetting(
      "martlet.limits.headtimeout", \.configuration.limits.headTimeout, .duration(from: second)),
    RegistrySetting(
      "martlet.limits.bodyidletimeout", \.configuration.limits.bodyIdleTimeout,
      .duration(from: second)),
    RegistrySetting(
      "martlet.jobs.capacities", \.configuration.jobCapacities,
      .map("the name of an action, such as gc or poll_mirror", isActionName, .integer(0...1_000)),
      form: .map),
    RegistrySetting(
      "martlet.garbagecollection.schedule", \.configuration.garbageCollection.schedule,
      ValueParser.schedule.optional),
    RegistrySetting(
      "martlet.garbagecollection.grace", \.configuration.garbageCollection.grace,
      .duration(from: .zero)),
  ]

  @Sendable private static func isActionName(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 64
      && text.utf8.allSatisfy {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == UInt8(ascii: "_")
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
      }
  }
}

extension ValueParser<String> {
  /// A bucket's name by S3's rules for all but the oldest buckets.
  static let bucket = text.then("a bucket's name: 3 to 63 of a-z, 0-9, - and .") { text in
    let isRight = text.utf8.allSatisfy {
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == UInt8(ascii: "-")
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: ".")
    }
    return isRight && (3...63).contains(text.utf8.count) ? text : nil
  }

  static let storageClass = one(of: [
    "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING",
    "OUTPOSTS", "GLACIER_IR", "NONE",
  ])

  static let accountName = text.then("an account's name: a-z, 0-9 with single . _ - between") {
    AccountName($0) == nil ? nil : $0
  }

  /// A host with a port or without, or the URL of one.
  static let endpoint = text.then("a host or URL, such as https://s3.example.com") {
    text -> String?? in
    if let host = HostText.afterScheme(text) {
      return HostText(host.hasSuffix("/") ? host.dropLast() : host).map { _ in text }
    }
    return HostText(text).flatMap { $0.host.isEmpty ? nil : text }
  }
}

extension ValueParser<[String: [String]]> {
  /// Headers of every answer: names, each with its values.
  static let headers = map(
    "the name of a header that answers may carry", isHeaderName,
    ValueParser<[String]>.list(
      .text.then("a header's value, without line breaks") { text in
        text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } ? text : nil
      }))

  /// Whether the text is a token (RFC 9110, 5.1), and no header that says how an answer is sent.
  @Sendable private static func isHeaderName(_ text: String) -> Bool {
    let framing = ["connection", "content-length", "transfer-encoding", "date", "upgrade"]
    return !text.isEmpty && text.utf8.count <= 256 && !framing.contains(text.lowercased())
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"):
          true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
      }
  }
}
