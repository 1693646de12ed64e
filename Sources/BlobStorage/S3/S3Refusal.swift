import AsyncHTTPClient
import NIOCore

/// An answer of the service that is not the one asked for.
struct S3Refusal: Error, CustomStringConvertible {
  /// The HTTP status; 200 for those that say in their body that the work failed.
  let status: UInt
  /// S3's name for it, such as `NoSuchKey`; empty when the answer had none.
  let code: String
  let message: String

  init(status: UInt, code: String = "", message: String = "") {
    self.status = status
    self.code = String(code.prefix(128))
    self.message = String(message.prefix(512))
  }

  /// Reads what the body says; a body that cannot be read says nothing.
  init(status: UInt, body: ByteBuffer) {
    let node = try? XMLNode(parsing: Array(body.readableBytesView))
    self.init(
      status: status, code: node?.text(of: "Code") ?? "", message: node?.text(of: "Message") ?? "")
  }

  /// The failure that a successful status hides in its body: what takes long is answered early.
  static func hidden(in body: ByteBuffer) -> S3Refusal? {
    guard let node = try? XMLNode(parsing: Array(body.readableBytesView)), node.name == "Error"
    else { return nil }
    return S3Refusal(status: 200, body: body)
  }

  /// Whether the same request may succeed a little later.
  var isTransient: Bool {
    switch status {
    case 408, 429, 500, 502, 503, 504: true
    default:
      ["InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout", "OperationAborted"]
        .contains(code)
    }
  }

  /// Whether there is no room for more.
  private var isFull: Bool {
    status == 507 || code.contains("Quota") || code.contains("StorageFull")
      || code == "InsufficientCapacity" || code == "InsufficientStorage"
  }

  var description: String { "HTTP \(status) \(code) \(message)" }

  /// What it means for a storage.
  var blobStorageError: BlobStorageError {
    var metadata = ["status": String(status)]
    if !code.isEmpty { metadata["code"] = code }
    if status == 404, code != "NoSuchBucket" {
      return BlobStorageError(
        .notFound, "no such content in the storage", metadata: metadata, cause: self)
    }
    if status == 416 {
      return BlobStorageError(
        .invalidRange, "the range reaches beyond the file", metadata: metadata, cause: self)
    }
    if isFull {
      return BlobStorageError(.storageFull, "the storage is full", metadata: metadata, cause: self)
    }
    return BlobStorageError(
      .unavailable, "the S3 service refused", metadata: metadata, cause: self)
  }
}

extension BlobStorageError {
  /// What an error of a request to an S3 service means.
  static func ofS3(_ error: any Error) -> any Error {
    switch error {
    case is CancellationError, is BlobStorageError: error
    case let refusal as S3Refusal: refusal.blobStorageError
    default: BlobStorageError(.unavailable, "the S3 service does not answer", cause: error)
    }
  }

  /// S3's name for what it refused; nil when it is not S3 that refused.
  var refusalCode: String? { (cause as? S3Refusal)?.code }

  /// Whether it is an answer that breaks the protocol.
  static func unexpected(_ what: String) -> BlobStorageError {
    BlobStorageError(
      .unavailable, "the S3 service's answer makes no sense", metadata: ["reason": what])
  }
}
