import Glibc
import Host
import Logging
import Transport

/// Tells engines on this machine where the blobs lie, so that they link them.
actor Announcement {
  private static let folder = "/run/martlet/registries"
  private let logger: Logger
  private var path: String?

  init(logger: Logger) { self.logger = logger }

  /// Says that the registry at this address has its blobs in `folder`. A machine where that cannot
  /// be said has engines that download.
  func publish(_ address: ListenAddress, folder: String) async {
    guard case .tcp(_, let port) = address else { return }
    let path = "\(Self.folder)/\(port)"
    do {
      try await BlockingPool.shared.run {
        try Paths.makeDirectories(Self.folder)
        try DurableFile.replace(Array("\(folder)\n".utf8), at: path)
      }
      self.path = path
    } catch {
      logger.debug("engines cannot be told of the registry", metadata: ["error": "\(error)"])
    }
  }

  /// Takes it back.
  func withdraw() {
    if let path { unlink(path) }
    path = nil
  }
}
