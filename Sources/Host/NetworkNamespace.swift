import CLinux
import Glibc

/// Network namespaces kept by a file they are bound to. All of it blocks: call it from
/// `BlockingPool`.
package enum NetworkNamespace {
  /// Makes a namespace and binds it to a new file at `path`.
  /// - Throws: `SystemError`.
  package static func create(at path: String) throws {
    try Descriptor.open(path, O_RDONLY | O_CREAT | O_EXCL, mode: 0o444).close()
    do {
      try ScratchThread.run {
        try checked("unshare", path, martlet_unshare_network())
        let own = "/proc/thread-self/ns/net"
        try checked("bind", path, mount(own, path, nil, UInt(MS_BIND), nil))
      }
    } catch {
      unlink(path)
      throw error
    }
  }

  /// Lets go of the namespace at `path` and removes the file; what is not there is no error.
  /// - Throws: `SystemError`.
  package static func delete(at path: String) throws {
    try Mount.unmount(path, lazily: true)
    if unlink(path) != 0 && errno != ENOENT { throw SystemError.last("unlink", path) }
  }

  /// Runs `body` on a thread inside the namespace at `path`; the thread ends with it.
  /// - Throws: what `body` throws, or `SystemError`.
  package static func run<Value>(in path: String, _ body: () throws -> Value) throws -> Value {
    let namespace = try Descriptor.open(path, O_RDONLY)
    return try ScratchThread.run {
      try checked("setns", path, martlet_setns(namespace.rawValue, martlet_clone_newnet))
      return try body()
    }
  }
}
