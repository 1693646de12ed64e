import BlobStorage

/// A configuration while it is read: what is chosen only when everything is known lies beside it.
struct Draft {
  var configuration = RegistryConfiguration()
  var filesystemRoot: String?
  var filesystemThreads: Int?
  var s3 = S3Settings(bucket: "", region: "")
  var isUnixSocket = false
  var address: String?
  var tls = RegistryConfiguration.TLS(certificate: "", key: "")
  var tokenService = RegistryConfiguration.TokenService()
  var proxy = RegistryConfiguration.Proxy()
  var sqlitePath: String?
  var etcd = RegistryConfiguration.Etcd()
  /// Where each setting and section was given.
  var given: [String: YAMLNode.Place] = [:]
  /// The settings with wrong values.
  var wrong: Set<String> = []
}
