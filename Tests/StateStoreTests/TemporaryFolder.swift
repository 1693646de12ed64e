import FoundationEssentials
import Glibc

/// A folder of the test's own that goes with it.
final class TemporaryFolder: Sendable {
  let path: String

  init() throws {
    let template = "/tmp/martlet-state-XXXXXX"
    var bytes = Array(template.utf8CString)
    guard mkdtemp(&bytes) != nil else { throw CocoaError(.fileWriteUnknown) }
    path = String(decoding: bytes.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    // A folder that cannot be removed is left to the system's cleaning of /tmp.
    try? FileManager.default.removeItem(atPath: path)
  }
}
