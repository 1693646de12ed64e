import Glibc
import Host
import OCI

/// A Martlet registry on this machine, whose blobs can be linked instead of downloaded.
///
/// A registry on files announces itself by a file named after its port, which holds the folder of
/// its blobs. Asked for a blob with ``offerHeader``, it names the file of it in ``pathHeader``.
/// Only files of that folder are taken, and only when their content has the digest.
struct LocalRegistry: Sendable {
  /// Asks a registry for the file of a blob; any value.
  static let offerHeader = "Martlet-Accept-Path"
  /// The answer: an absolute path.
  static let pathHeader = "Martlet-Blob-Path"

  /// The folder that every blob of the registry lies in.
  let root: String

  /// The registry that listens at `host` (`name[:port]`), if it is one on this machine that
  /// announced itself. Blocks.
  init?(host: String, announcedIn folder: String) {
    guard let colon = host.lastIndex(of: ":"), let port = UInt16(host[host.index(after: colon)...]),
      RegistryPlaces(mirrors: [], insecure: []).isInsecure(host)
    else { return nil }
    guard let file = try? Descriptor.open("\(folder)/\(port)", O_RDONLY | O_NOFOLLOW) else {
      return nil  // no announcement: an ordinary registry
    }
    var information = stat()
    guard fstat(file.rawValue, &information) == 0, information.st_uid == geteuid(),
      information.st_mode & 0o022 == 0, let bytes = try? file.read(upTo: 4096)
    else { return nil }  // not one that could be trusted
    let text = String(decoding: bytes, as: UTF8.self)
    let root = text.hasSuffix("\n") ? String(text.dropLast()) : text
    guard root.hasPrefix("/"), !root.contains("/../"), root.count > 1 else { return nil }
    self.root = root
  }

  /// Gives the registry's file a second name, `target`, when its content has the digest. False
  /// when the file is not to be had: another file system, gone, or not what was asked for. Throws
  /// `SystemError` when the file cannot be read. Blocks.
  func link(_ path: String, as digest: Digest, size: Int64, to target: String) throws -> Bool {
    guard path.hasPrefix(root + "/"), !path.contains("/../"), !path.contains("/./") else {
      return false
    }
    unlink(target)
    guard Glibc.link(path, target) == 0 else { return false }
    do {
      if try Self.content(of: target, has: digest, size: size) { return true }
    } catch let error as SystemError where error.errno == ELOOP {
      // a symbolic link: whatever it points at is not a file of the folder
    }
    unlink(target)
    return false
  }

  private static func content(of path: String, has digest: Digest, size: Int64) throws -> Bool {
    let file = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW)
    var information = stat()
    try checked("stat", path, fstat(file.rawValue, &information))
    guard information.st_mode & S_IFMT == S_IFREG, Int64(information.st_size) == size else {
      return false
    }
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { memory.deallocate() }
    let source = FileSource(file)
    var hasher = DigestHasher(digest.algorithm)
    while true {
      let count = try source.read(into: memory)
      if count == 0 { break }
      hasher.update(UnsafeRawBufferPointer(rebasing: memory[..<count]))
    }
    return hasher.finalize() == digest
  }
}
