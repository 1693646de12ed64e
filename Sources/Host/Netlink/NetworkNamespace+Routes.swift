import CLinux
import Glibc

extension NetworkNamespace {
  /// Makes a namespace with loopback up and binds it to a new file at `path`. Blocks.
  /// - Returns: a socket inside.
  /// - Throws: `SystemError` or `NetlinkFailure`; nothing is left behind.
  package static func createWithLoopback(at path: String) throws -> RouteSocket {
    try Descriptor.open(path, O_RDONLY | O_CREAT | O_EXCL, mode: 0o444).close()
    do {
      // One thread for all of it: each costs as much as a few of these calls.
      return try ScratchThread.run {
        try checked("unshare", path, martlet_unshare_network())
        let routes = try RouteSocket()
        try routes.perform { $0.set(index: 1, RouteChanges.LinkSettings()) }
        try checked("bind", path, mount("/proc/thread-self/ns/net", path, nil, UInt(MS_BIND), nil))
        return routes
      }
    } catch {
      unlink(path)
      throw error
    }
  }
}
