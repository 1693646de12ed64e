package import NIOCore
package import NIOHTTP1
package import Registry
import Transport

/// The error answers of the distribution API: `{"errors":[{"code":…,"message":…,"detail":…}]}`
/// (OCI distribution specification 1.1, "Error codes").
package enum DistributionError {
  /// The status and the code that an error of the registry is answered with.
  package static func answer(
    to code: RegistryError.Code
  ) -> (status: HTTPResponseStatus, code: String) {
    switch code {
    case .unauthorized: (.unauthorized, "UNAUTHORIZED")
    case .denied, .quotaExceeded, .tagImmutable: (.forbidden, "DENIED")
    case .readOnly: (.methodNotAllowed, "UNSUPPORTED")
    case .unsupported: (.methodNotAllowed, "UNSUPPORTED")
    case .tooManyRequests: (.tooManyRequests, "TOOMANYREQUESTS")
    case .nameInvalid: (.badRequest, "NAME_INVALID")
    case .repositoryUnknown, .namespaceUnknown: (.notFound, "NAME_UNKNOWN")
    case .digestInvalid: (.badRequest, "DIGEST_INVALID")
    case .sizeInvalid: (.badRequest, "SIZE_INVALID")
    case .blobUnknown: (.notFound, "BLOB_UNKNOWN")
    case .uploadUnknown: (.notFound, "BLOB_UPLOAD_UNKNOWN")
    case .uploadInvalid: (.badRequest, "BLOB_UPLOAD_INVALID")
    case .uploadBusy: (.conflict, "BLOB_UPLOAD_INVALID")
    case .manifestUnknown, .tagUnknown: (.notFound, "MANIFEST_UNKNOWN")
    case .manifestInvalid: (.badRequest, "MANIFEST_INVALID")
    case .manifestBlobUnknown: (.badRequest, "MANIFEST_BLOB_UNKNOWN")
    case .manifestTooLarge: (.payloadTooLarge, "SIZE_INVALID")
    case .tagInvalid: (.badRequest, "TAG_INVALID")
    case .rangeInvalid: (.rangeNotSatisfiable, "RANGE_INVALID")
    case .invalidPageSize: (.badRequest, "PAGINATION_NUMBER_INVALID")
    case .unavailable: (.serviceUnavailable, "UNAVAILABLE")
    case .conflict, .repositoryExists: (.conflict, "CONFLICT")
    case .teamUnknown, .notAnOrganization, .invalidParameters: (.badRequest, "UNSUPPORTED")
    case .corrupt: (.internalServerError, "UNKNOWN")
    }
  }

  /// The document of one error.
  package static func body(
    code: String, message: String, detail: [String: String] = [:]
  ) -> ByteBuffer {
    var bytes = ByteBuffer()
    bytes.writeStaticString("{\"errors\":[{\"code\":")
    bytes.writeJSONString(code)
    bytes.writeStaticString(",\"message\":")
    bytes.writeJSONString(message)
    if !detail.isEmpty {
      bytes.writeStaticString(",\"detail\":{")
      for (index, fact) in detail.sorted(by: { $0.key < $1.key }).enumerated() {
        if index > 0 { bytes.writeStaticString(",") }
        bytes.writeJSONString(fact.key)
        bytes.writeStaticString(":")
        bytes.writeJSONString(fact.value)
      }
      bytes.writeStaticString("}")
    }
    bytes.writeStaticString("}]}\n")
    return bytes
  }
}
