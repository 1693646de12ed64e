import CLinux
import Glibc

/// A message from the kernel.
package struct NetlinkReply: Sendable {
  /// `nlmsg_type`.
  package var type: Int
  /// What follows the header.
  package var body: ArraySlice<UInt8>
}

/// A netlink socket of the namespace of the thread that opened it; it stays there whoever uses it.
///
/// One request is under way at a time: the owner serialises. All of it blocks, briefly.
package struct NetlinkSocket: Sendable {
  private let descriptor: Descriptor

  /// Opens a socket of a protocol (`NETLINK_ROUTE`, `NETLINK_NETFILTER`).
  /// - Throws: `SystemError`.
  package init(protocol number: Int32) throws {
    let socket = Glibc.socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | O_CLOEXEC, number)
    descriptor = Descriptor(owning: try checked("netlink socket", nil, socket))
    for option in [NETLINK_EXT_ACK, NETLINK_CAP_ACK] {
      var on: Int32 = 1
      setsockopt(socket, 270, Int32(option), &on, 4)
    }
    var timeout = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(
      socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    var size: Int32 = 4 << 20
    setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &size, 4)
    setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &size, 4)
  }

  /// Closes it before its last reference is gone.
  package func close() { descriptor.close() }

  /// Sends a batch whose messages each ask for an acknowledgement, and waits for all of them.
  /// - Returns: for each message nil or why it failed.
  /// - Throws: `SystemError` if the socket itself fails.
  package func perform(_ batch: NetlinkBuffer, acknowledged: Range<Int>? = nil) throws
    -> [NetlinkFailure?]
  {
    let expected = acknowledged ?? 0..<batch.count
    var failures = [NetlinkFailure?](repeating: nil, count: batch.count)
    var missing = Set(expected)
    try send(batch.bytes)
    while !missing.isEmpty {
      for (header, body) in try receive() where header.type == UInt16(NLMSG_ERROR) {
        var reader = NetlinkReader(body)
        let code = reader.read(Int32.self)
        let index = Int(header.sequence)
        guard failures.indices.contains(index) else { continue }
        missing.remove(index)
        if code != 0 && failures[index] == nil {
          failures[index] = NetlinkFailure(
            index: index, errno: -code, text: NetlinkSocket.explanation(header, body))
          // The kernel drops the rest of a transaction it refuses as a whole.
          if acknowledged != nil {
            drain()
            return failures
          }
        }
      }
    }
    return failures
  }

  /// Sends a request for a list and collects it.
  /// - Throws: `SystemError`.
  package func dump(_ request: NetlinkBuffer) throws -> [NetlinkReply] {
    try send(request.bytes)
    var replies: [NetlinkReply] = []
    while true {
      for (header, body) in try receive() {
        switch Int32(header.type) {
        case NLMSG_DONE: return replies
        case NLMSG_ERROR:
          var reader = NetlinkReader(body)
          let code = reader.read(Int32.self)
          if code != 0 { throw SystemError(-code, "netlink dump") }
          return replies
        default: replies.append(NetlinkReply(type: Int(header.type), body: body))
        }
      }
    }
  }

  /// Sends a request for one object.
  /// - Returns: nil if there is no such object.
  /// - Throws: `SystemError`.
  package func get(_ request: NetlinkBuffer) throws -> NetlinkReply? {
    try send(request.bytes)
    while true {
      for (header, body) in try receive() {
        guard Int32(header.type) == NLMSG_ERROR else {
          return NetlinkReply(type: Int(header.type), body: body)
        }
        var reader = NetlinkReader(body)
        let code = -reader.read(Int32.self)
        if code == ENODEV || code == ENOENT { return nil }
        throw SystemError(code, "netlink get")
      }
    }
  }

  /// Throws away what is left of the answers to a refused transaction, so that the next request
  /// does not take them for its own; the kernel had them all ready when the request was sent.
  private func drain() {
    let number = descriptor.rawValue
    var scratch = [UInt8](repeating: 0, count: 4096)
    while retryingInterrupts({ recv(number, &scratch, scratch.count, Int32(MSG_DONTWAIT)) }
    )
      > 0
    {}
  }

  private struct Header {
    var type: UInt16
    var flags: UInt16
    var sequence: UInt32
  }

  private func send(_ bytes: [UInt8]) throws {
    let number = descriptor.rawValue
    let sent = bytes.withUnsafeBytes { buffer in
      retryingInterrupts { Glibc.send(number, buffer.baseAddress, buffer.count, 0) }
    }
    guard sent == bytes.count else { throw SystemError.last("netlink send") }
  }

  private func receive() throws -> [(Header, ArraySlice<UInt8>)] {
    let number = descriptor.rawValue
    var failure: SystemError?
    let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, initialized in
      let count = retryingInterrupts { recv(number, buffer.baseAddress, buffer.count, 0) }
      if count < 0 { failure = .last("netlink receive") }
      initialized = max(0, count)
    }
    if let failure { throw failure }
    var messages: [(Header, ArraySlice<UInt8>)] = []
    var rest = bytes[...]
    while rest.count >= 16 {
      var reader = NetlinkReader(rest)
      let length = Int(reader.read(UInt32.self))
      let header = Header(type: reader.read(), flags: reader.read(), sequence: reader.read())
      guard length >= 16, length <= rest.count else { break }
      messages.append((header, rest.prefix(length).dropFirst(16)))
      rest = rest.dropFirst((length + 3) & ~3)
    }
    return messages
  }

  /// What the kernel says beside the number, where it says something.
  private static func explanation(_ header: Header, _ body: ArraySlice<UInt8>) -> String {
    guard header.flags & 0x200 != 0 else { return "" }
    // With NETLINK_CAP_ACK only the header of the refused message is sent back before it.
    let table = NetlinkReader.table(body.dropFirst(4 + 16))
    return NetlinkReader.text(table[1])
  }
}

/// A message of a batch that the kernel refused.
package struct NetlinkFailure: Error, Sendable, CustomStringConvertible {
  /// Which message of the batch.
  package var index: Int
  /// The reason's number.
  package var errno: Int32
  /// The kernel's words, often empty.
  package var text: String
  /// What was attempted, filled in by who knows.
  package var operation = ""

  package var description: String {
    let reason = SystemError(errno, operation.isEmpty ? "netlink" : operation).description
    return text.isEmpty ? reason : "\(reason) (\(text))"
  }
}
