import EtcdProtocol
import GRPCCore
import SwiftProtobuf
import Synchronization

/// The calls of etcd's v3 API that are made.
enum EtcdMethod {
  static let range = unary("KV", "Range")
  static let transact = unary("KV", "Txn")
  static let compact = unary("KV", "Compact")
  static let watch = streaming("Watch", "Watch")
  static let grantLease = unary("Lease", "LeaseGrant")
  static let revokeLease = unary("Lease", "LeaseRevoke")
  static let keepLeaseAlive = streaming("Lease", "LeaseKeepAlive")
  static let leaseTimeToLive = unary("Lease", "LeaseTimeToLive")
  static let leases = unary("Lease", "LeaseLeases")
  static let status = unary("Maintenance", "Status")
  static let authenticate = unary("Auth", "Authenticate")

  private static func unary(_ service: String, _ method: String) -> MethodDescriptor {
    MethodDescriptor(
      fullyQualifiedService: "etcdserverpb.\(service)", method: method, type: .unary)
  }

  private static func streaming(_ service: String, _ method: String) -> MethodDescriptor {
    MethodDescriptor(
      fullyQualifiedService: "etcdserverpb.\(service)", method: method,
      type: .bidirectionalStreaming)
  }
}

/// Remembers whether a request may have left this process.
final class SentMark: Sendable {
  private let flag = Atomic<Bool>(false)

  var isSet: Bool { flag.load(ordering: .acquiring) }

  func set() { flag.store(true, ordering: .releasing) }
}

/// Writes messages in protobuf's binary form, and marks that it did: a request that was not even
/// written cannot have reached anyone.
struct EtcdSerializer<Message: SwiftProtobuf.Message>: MessageSerializer {
  let mark: SentMark?

  func serialize<Bytes: GRPCContiguousBytes>(_ message: Message) throws -> Bytes {
    mark?.set()
    do {
      let bytes: [UInt8] = try message.serializedBytes()
      return Bytes(bytes)
    } catch {
      throw RPCError(
        code: .invalidArgument, message: "the request has no binary form", cause: error)
    }
  }
}

/// Reads messages in protobuf's binary form.
struct EtcdDeserializer<Message: SwiftProtobuf.Message>: MessageDeserializer {
  func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> Message {
    do {
      return try bytes.withUnsafeBytes { try Message(serializedBytes: $0.bytes) }
    } catch {
      throw RPCError(code: .internalError, message: "the answer cannot be decoded", cause: error)
    }
  }
}
