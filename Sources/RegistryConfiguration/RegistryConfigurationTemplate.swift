/// A configuration file to begin with: what was asked for, and the rest as comments.
package struct RegistryConfigurationTemplate: Sendable {
  /// The folder of all durable data, absolute.
  package var dataRoot = RegistryConfiguration().dataRoot
  /// Where blobs lie, if not in the data root.
  package var storageRoot: String?
  /// Where to listen, `HOST:PORT`.
  package var address = "127.0.0.1:5000"
  /// The URL that clients reach the registry by, if it is not that of their requests.
  package var publicURL: String?
  /// The administrator's name.
  package var administrator = "admin"
  /// The file that holds the process id, if any.
  package var pidfile: String?
  /// The certificate to show and its key.
  package var tls: (certificate: String, key: String)?

  /// A file of the defaults.
  package init() {}

  /// The file's text.
  package var text: String {
    """
    # How this registry runs. Keys are those of the reference registry's config.yml where they mean
    # the same; what only this registry has is below "martlet". An unknown key or a wrong value is
    # named, and the registry does not start. A variable such as REGISTRY_HTTP_ADDR overrides a key,
    # and flags of "martlet registry serve" override both.
    version: 0.1

    log:
      level: info          # error, warn, info or debug
    #   formatter: json      # or text
    #   accesslog:
    #     disabled: false    # a line for each request, on standard output

    storage:
      filesystem:
        rootdirectory: \(Self.quoted(storageRoot ?? dataRoot + "/storage"))
    # Instead of filesystem, a bucket of an S3 service:
    #   s3:
    #     region: eu-central-1
    #     bucket: images
    #     accesskey: KEY
    #     secretkey: SECRET
    #     regionendpoint: https://s3.example.com
    #     forcepathstyle: true
      delete:
        enabled: true
      maintenance:
        uploadpurging:
          enabled: true
          age: 168h
          interval: 24h

    http:
      addr: \(Self.quoted(address))
    \(hostLines)\(tlsLines)
    # Accounts and rules; "auth: none" lets everybody do everything.
    auth: token

    # To hand on another registry's images and keep them:
    # proxy:
    #   remoteurl: https://registry-1.docker.io
    #   ttl: 168h

    martlet:
      dataroot: \(Self.quoted(dataRoot))
    \(pidfileLines)  admin:
        username: \(Self.quoted(administrator))
    # Replicas share their records through etcd; alone, a registry needs none.
    #   store:
    #     etcd:
    #       endpoints: [https://etcd-1:2379, https://etcd-2:2379, https://etcd-3:2379]
    #   garbagecollection:
    #     schedule: "0 0 3 * * *"   # second minute hour day month weekday, in UTC

    """
  }

  private var hostLines: String {
    guard let publicURL else {
      return "#   host: https://images.example.com   # as clients see it\n"
    }
    return "  host: \(Self.quoted(publicURL))\n"
  }

  private var tlsLines: String {
    guard let tls else {
      return
        "#   tls:\n#     certificate: /etc/martlet/registry.pem\n#     key: /etc/martlet/registry.key\n"
    }
    return """
        tls:
          certificate: \(Self.quoted(tls.certificate))
          key: \(Self.quoted(tls.key))

      """
  }

  private var pidfileLines: String {
    pidfile.map { "  pidfile: \(Self.quoted($0))\n" } ?? ""
  }

  /// The text as a YAML scalar: plain where nothing in it could mean something else.
  private static func quoted(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      default: "/._-".utf8.contains(byte)
      }
    }
    if isPlain && text.hasPrefix("/") { return text }
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        let digits = String(scalar.value, radix: 16)
        result += "\\x" + String(repeating: "0", count: 2 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
