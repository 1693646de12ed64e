package import NIOSSL

/// The certificate a listener shows, and whose certificates it asks for. Paths of PEM files.
package struct TLSSettings: Sendable, Hashable {
  package var certificatePath: String
  package var keyPath: String
  /// The authority whose clients are let in; nil asks clients for no certificate.
  package var clientAuthorityPath: String?

  package init(certificatePath: String, keyPath: String, clientAuthorityPath: String? = nil) {
    self.certificatePath = certificatePath
    self.keyPath = keyPath
    self.clientAuthorityPath = clientAuthorityPath
  }

  /// Reads the files (blocking) and checks that they go together. Throws `badConfiguration`.
  package func makeContext() throws -> NIOSSLContext {
    do {
      let chain = try NIOSSLCertificate.fromPEMFile(certificatePath)
      let key = try NIOSSLPrivateKey(file: keyPath, format: .pem)
      var configuration = TLSConfiguration.makeServerConfiguration(
        certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
      configuration.minimumTLSVersion = .tlsv12
      configuration.applicationProtocols = ["http/1.1"]
      if let clientAuthorityPath {
        configuration.trustRoots = .file(clientAuthorityPath)
        // the authority decides; a client has no host name that could be checked
        configuration.certificateVerification = .noHostnameVerification
      }
      return try NIOSSLContext(configuration: configuration)
    } catch {
      throw TransportError(
        code: .badConfiguration, message: "TLS settings cannot be used",
        metadata: [
          "certificate": certificatePath, "key": keyPath, "ca": clientAuthorityPath ?? "none",
        ], cause: error)
    }
  }
}
