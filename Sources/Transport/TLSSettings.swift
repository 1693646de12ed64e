package import NIOSSL

/// The certificate a listener shows, and whose certificates it asks for. Paths of PEM files.
package struct TLSSettings: Sendable, Hashable {
  package var certificatePath: String
  package var keyPath: String
  /// The authorities whose clients are let in; none asks clients for no certificate.
  package var clientAuthorityPaths: [String]
  /// The oldest version that is spoken.
  package var minimumVersion: TLSVersion

  package init(
    certificatePath: String, keyPath: String, clientAuthorityPaths: [String] = [],
    minimumVersion: TLSVersion = .tlsv12
  ) {
    self.certificatePath = certificatePath
    self.keyPath = keyPath
    self.clientAuthorityPaths = clientAuthorityPaths
    self.minimumVersion = minimumVersion
  }

  /// Reads the files (blocking) and checks that they go together. Throws `badConfiguration`.
  package func makeContext() throws -> NIOSSLContext {
    do {
      let chain = try NIOSSLCertificate.fromPEMFile(certificatePath)
      let key = try NIOSSLPrivateKey(file: keyPath, format: .pem)
      var configuration = TLSConfiguration.makeServerConfiguration(
        certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
      configuration.minimumTLSVersion = minimumVersion
      configuration.applicationProtocols = ["http/1.1"]
      if !clientAuthorityPaths.isEmpty {
        configuration.trustRoots = .certificates(
          try clientAuthorityPaths.flatMap { try NIOSSLCertificate.fromPEMFile($0) })
        // the authority decides; a client has no host name that could be checked
        configuration.certificateVerification = .noHostnameVerification
      }
      return try NIOSSLContext(configuration: configuration)
    } catch {
      throw TransportError(
        code: .badConfiguration, message: "TLS settings cannot be used",
        metadata: [
          "certificate": certificatePath, "key": keyPath,
          "ca": clientAuthorityPaths.joined(separator: " "),
        ], cause: error)
    }
  }
}
