import NIOCore
import NIOHTTP1
import Synchronization

/// Who is at the other end of a connection.
package struct ConnectionPeer: Sendable, CustomStringConvertible {
  /// The address for logs: `unix`, or the IP address and port.
  package let description: String
  /// Whether the client is on this machine, through a unix socket.
  package let isLocal: Bool

  /// The client's IP address; nil through a unix socket.
  package let address: String?

  /// Whether the client is a process of this machine: through a unix socket or a loopback address.
  package var isThisMachine: Bool {
    guard let address else { return isLocal }
    return address.hasPrefix("127.") || address == "::1" || address.hasPrefix("::ffff:127.")
  }

  init(_ channel: any Channel) {
    address = channel.remoteAddress?.ipAddress
    switch channel.remoteAddress {
    case .v4, .v6:
      isLocal = false
      let address = channel.remoteAddress
      description = "\(address?.ipAddress ?? "?"):\(address?.port ?? 0)"
    case .unixDomainSocket, nil:
      isLocal = true
      description = "unix"
    }
  }
}

/// Names a request in the logs of this process and of those it calls.
package struct RequestID: Sendable, CustomStringConvertible {
  private static let counter = Atomic<UInt64>(0)

  package let description: String

  /// The client's `X-Request-Id` where it is short and plain, else the next of ours.
  init(_ headers: HTTPHeaders) {
    if let given = headers.first(name: "x-request-id"), (1...64).contains(given.utf8.count),
      given.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
    {
      description = given
    } else {
      let number = Self.counter.wrappingAdd(1, ordering: .relaxed).newValue
      description = String(number, radix: 16)
    }
  }
}
