import BlobStorage
import Logging
import RegistryJobs
import Testing

@testable import RegistryConfiguration

@Suite("Registry configuration") struct RegistryConfigurationTests {
  @Test("nothing, and a file that says nothing, say the defaults")
  func nothing() throws {
    let defaults = RegistryConfiguration()
    #expect(try RegistryConfiguration.resolve(file: nil) == defaults)
    for text in ["", "\n", "# a comment\n", "---\n", "~\n"] {
      let file = RegistryConfigurationFile(path: "c.yml", contents: Array(text.utf8))
      #expect(try RegistryConfiguration.resolve(file: file) == defaults)
    }
    #expect(try configuration("") == defaults)
    #expect(try configuration("log:\nstorage:\n  filesystem:\nhttp: {}\n") == defaults)
    #expect(defaults.databasePath == "/var/lib/martlet/registry/registry.db")
    #expect(defaults.secretPath == "/var/lib/martlet/registry/secret.key")
  }

  @Test("a file with everything for files, SQLite and TLS")
  func everything() throws {
    let read = try configuration(
      """
      log:
        level: warn
        formatter: json
        fields: {service: registry, number: 7}
        accesslog: {disabled: false}
      storage:
        filesystem: {rootdirectory: /srv/images, maxthreads: 50}
        delete: {enabled: no}
        redirect: {disable: true}
        cache: {blobdescriptor: inmemory}
        maintenance:
          uploadpurging: {enabled: false, age: 1h30m, interval: 10m, dryrun: true}
          readonly: {enabled: yes}
      http:
        addr: "[::1]:5443"
        net: tcp
        host: https://images.example.com/
        secret: 12345
        relativeurls: true
        draintimeout: 1m
        headers:
          X-Content-Type-Options: [nosniff]
          X-Two: ["a, b", c]
        http2: {disabled: true}
        tls: {certificate: /c.pem, key: /k.pem, clientcas: [/a.pem, /b.pem], minimumtls: tls1.3}
      auth: {token: {realm: https://images.example.com/auth/token, service: s, issuer: i}}
      proxy: {remoteurl: https://registry-1.docker.io, username: u, password: yes, ttl: 0s}
      health: {storagedriver: {enabled: true}}
      martlet:
        dataroot: /srv/data
        pidfile: /run/r.pid
        secretfile: /srv/key
        store: {sqlite: {path: /srv/r.db}}
        admin: {username: root, passwordfile: /srv/password}
        tokens: {lifetime: 10m, keyrotation: 24h, refreshlifetime: 48h}
        passwords: {minimumlength: 12}
        limits:
          manifestsize: 1m
          manifestreferences: 100
          manifestcache: 1GiB
          pageentries: 500
          connections: 99
          headtimeout: 5s
          bodyidletimeout: 7s
        jobs: {capacities: {gc: 1, poll_mirror: 4}}
        garbagecollection: {schedule: "0 0 3 * * *", grace: 30m}
      """)
    var wanted = RegistryConfiguration()
    wanted.log.level = .warning
    wanted.log.format = .json
    wanted.log.fields = ["service": "registry", "number": "7"]
    wanted.log.hasAccessLog = true
    wanted.storage.driver = .filesystem(root: "/srv/images", threads: 50)
    wanted.storage.allowsDeletion = false
    wanted.storage.redirects = false
    wanted.storage.uploadPurging.isEnabled = false
    wanted.storage.uploadPurging.age = .seconds(5_400)
    wanted.storage.uploadPurging.interval = .seconds(600)
    wanted.storage.uploadPurging.isDryRun = true
    wanted.storage.isReadOnly = true
    wanted.http.address = .tcp(host: "::1", port: 5443)
    wanted.http.publicURL = "https://images.example.com"
    wanted.http.hasRelativeURLs = true
    wanted.http.drainTimeout = .seconds(60)
    wanted.http.headers = ["X-Content-Type-Options": ["nosniff"], "X-Two": ["a, b", "c"]]
    wanted.http.tls = .init(
      certificate: "/c.pem", key: "/k.pem", clientAuthorities: ["/a.pem", "/b.pem"],
      minimumVersion: .tls13)
    wanted.authentication = .tokens(
      .init(realm: "https://images.example.com/auth/token", service: "s", issuer: "i"))
    wanted.proxy = .init(
      remoteURL: "https://registry-1.docker.io", username: "u", password: "yes", timeToLive: .zero)
    wanted.dataRoot = "/srv/data"
    wanted.pidfile = "/run/r.pid"
    wanted.secretFile = "/srv/key"
    wanted.store = .sqlite(path: "/srv/r.db")
    wanted.administrator = .init(username: "root", passwordFile: "/srv/password")
    wanted.tokens = .init(
      lifetime: .seconds(600), keyRotation: .seconds(86_400), refreshLifetime: .seconds(172_800))
    wanted.passwordMinimum = 12
    wanted.limits = .init(
      manifestBytes: 1 << 20, manifestReferences: 100, manifestCacheBytes: 1 << 30,
      pageEntries: 500, connections: 99, headTimeout: .seconds(5), bodyIdleTimeout: .seconds(7))
    wanted.jobCapacities = ["gc": 1, "poll_mirror": 4]
    wanted.garbageCollection.schedule = try .init("0 0 3 * * *")
    wanted.garbageCollection.grace = .seconds(1_800)
    #expect(read == wanted)
    #expect(read.databasePath == "/srv/r.db")
    #expect(read.secretPath == "/srv/key")
  }

  @Test("S3, etcd, a socket, and no accounts")
  func others() throws {
    let read = try configuration(
      """
      storage:
        s3:
          accesskey: AK
          secretkey: "s:#k"
          sessiontoken: st
          region: eu-central-1
          regionendpoint: https://minio:9000
          forcepathstyle: true
          bucket: images
          encrypt: true
          keyid: k1
          secure: false
          skipverify: true
          v4auth: true
          chunksize: 5242880
          rootdirectory: /a/b
          storageclass: STANDARD_IA
      http: {addr: /run/registry.sock, net: unix}
      auth: none
      martlet:
        store:
          etcd:
            endpoints: ["https://a:2379", "https://b:2379"]
            prefix: /r
            cert: /c
            key: /k
            ca: /ca
            username: u
            password: p
      """)
    var s3 = S3Settings(bucket: "images", region: "eu-central-1")
    s3.accessKey = "AK"
    s3.secretKey = "s:#k"
    s3.sessionToken = "st"
    s3.regionEndpoint = "https://minio:9000"
    s3.forcePathStyle = true
    s3.encrypt = true
    s3.keyID = "k1"
    s3.secure = false
    s3.skipVerify = true
    s3.chunkSize = 5 << 20
    s3.rootDirectory = "/a/b"
    s3.storageClass = "STANDARD_IA"
    #expect(read.storage.driver == .s3(s3))
    #expect(read.http.address == .unix(path: "/run/registry.sock"))
    #expect(read.authentication == .none)
    #expect(
      read.store
        == .etcd(
          .init(
            endpoints: ["https://a:2379", "https://b:2379"], prefix: "/r", certificate: "/c",
            key: "/k", authority: "/ca", username: "u", password: "p")))
  }

  @Test("the part of a section can be chosen by its name alone")
  func choices() throws {
    #expect(try configuration("storage: filesystem\n") == RegistryConfiguration())
    #expect(try configuration("auth: {none: {}}\n").authentication == .none)
    #expect(try configuration("auth: token\nmartlet: {store: sqlite}\n") == RegistryConfiguration())
  }

  @Test("what Debian's docker-registry comes with needs only its htpasswd and health changed")
  func debian() {
    let text = """
      log:
        fields:
          service: registry
      storage:
        cache:
          blobdescriptor: inmemory
        filesystem:
          rootdirectory: /var/lib/docker-registry
        delete:
          enabled: true
      http:
        addr: :5000
        headers:
          X-Content-Type-Options: [nosniff]
      auth:
        htpasswd:
          realm: basic-realm
          path: /etc/docker/registry
      health:
        storagedriver:
          enabled: true
          interval: 10s
          threshold: 3
      """
    #expect(
      problems(text).map { $0.prefix { $0 != " " } } == [
        "c.yml:17:3:", "c.yml:23:5:", "c.yml:24:5:",
      ])
  }

  @Test("every text that is written without quotes is taken as it stands")
  func plainTexts() throws {
    for text in ["yes", "12345", "1e3", "0x10", "2001-01-01", "1_000", "off"] {
      let read = try configuration(
        "proxy: {remoteurl: http://a, username: u, password: \(text)}\n")
      #expect(read.proxy?.password == text)
    }
  }

  @Test("durations, sizes and addresses in all their forms")
  func forms() throws {
    for (text, seconds) in [("1h", 3_600.0), ("90s", 90), ("1h1m1s", 3_661), ("1.5h", 5_400)] {
      let read = try configuration(
        "storage: {maintenance: {uploadpurging: {age: \(text)}}}\n")
      #expect(read.storage.uploadPurging.age == .seconds(seconds))
    }
    for (text, bytes) in [("100000", 100_000), ("64k", 65_536), ("1M", 1 << 20), ("2mib", 2 << 20)]
    {
      #expect(
        try configuration("martlet: {limits: {manifestsize: \(text)}}\n").limits.manifestBytes
          == bytes)
    }
    let addresses: [(String, RegistryConfiguration.HTTP.Address)] = [
      ("\":5000\"", .tcp(host: "", port: 5000)), ("a.b:0", .tcp(host: "a.b", port: 0)),
      ("\"[fe80::1]:1\"", .tcp(host: "fe80::1", port: 1)),
    ]
    for (text, address) in addresses {
      #expect(try configuration("http: {addr: \(text)}\n").http.address == address)
    }
  }
}
