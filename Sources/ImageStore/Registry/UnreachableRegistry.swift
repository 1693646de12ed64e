import AsyncHTTPClient
import Host
import NIOCore
import NIOPosix
import NIOSSL

/// Why no HTTP answer came from a registry, in words for the person who asked.
struct UnreachableRegistry: Error, CustomStringConvertible {
  /// Whether there was someone who did not speak TLS as we want it.
  let isTLS: Bool
  let description: String

  init(_ error: any Error) {
    let text = String(describing: error)
    isTLS = error is NIOSSLError || error is BoringSSLError || error is NIOSSLExtraError
    if isTLS {
      description = Self.tlsReason(text)
    } else {
      description = Self.reason(error) ?? text
    }
  }

  private static func tlsReason(_ text: String) -> String {
    if text.contains("CERTIFICATE_VERIFY_FAILED") || text.contains("unableToValidateCertificate")
      || text.contains("failedToValidateHostname")
    {
      return "tls: the registry's certificate cannot be verified: it is expired, for another host, "
        + "or signed by an unknown authority"
    }
    if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
      return "http: server gave HTTP response to HTTPS client"
    }
    if text.contains("CERTIFICATE_REQUIRED") || text.contains("BAD_CERTIFICATE")
      || text.contains("HANDSHAKE_FAILURE")
    {
      return "tls: the registry refuses us: it may want a client certificate"
    }
    return "tls: the registry and this machine do not understand each other"
  }

  private static func reason(_ error: any Error) -> String? {
    switch error {
    case let error as IOError: return SystemError(error.errnoCode, "connect").reason
    case let error as NIOConnectionError:
      if let first = error.connectionErrors.first {
        return reason(first.error) ?? String(describing: first.error)
      }
      return "no such host: \(error.host)"
    case let error as HTTPClientError:
      if error == .connectTimeout { return "connection timed out" }
      if error == .readTimeout { return "the registry stopped answering" }
      if error == .remoteConnectionClosed { return "the registry closed the connection" }
      if error == .alreadyShutdown { return "the daemon is shutting down" }
      return nil
    default:
      let text = String(describing: error)
      if text.contains("UnknownHost") { return "no such host" }
      return nil
    }
  }
}
