import Glibc
import Host

/// Kernel settings below /proc/sys, of the calling thread's network namespace where they belong to
/// one.
enum Sysctl {
  /// Writes a setting given as a path below /proc/sys.
  /// - Throws: `SystemError`.
  static func write(_ path: String, _ value: String) throws {
    try Descriptor.open("/proc/sys/" + path, O_WRONLY).write(Array(value.utf8))
  }

  /// Writes a setting that this kernel may not have.
  static func writeIfPresent(_ path: String, _ value: String) throws {
    do { try write(path, value) } catch let error as SystemError where error.errno == ENOENT {}
  }

  /// Reads a setting, without the line's end.
  static func read(_ path: String) throws -> String {
    let bytes = try Descriptor.open("/proc/sys/" + path, O_RDONLY).read(upTo: 4096)
    return String(decoding: bytes.prefix { $0 != 10 }, as: UTF8.self)
  }

  /// The path of a setting given with dots. Interface names that hold dots cannot be given so;
  /// `IFNAME` stands for `interface` and is put in last.
  static func path(_ dotted: String, interface: String) -> String? {
    let parts = dotted.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.first == "net", parts.count > 2,
      parts.allSatisfy({ !$0.isEmpty && $0 != ".." && !$0.contains("/") })
    else { return nil }
    return parts.map { $0 == "IFNAME" ? interface : String($0) }.joined(separator: "/")
  }
}
