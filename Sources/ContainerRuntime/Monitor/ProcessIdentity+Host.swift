import CLinux
import Glibc
import Host

extension ProcessIdentity {
  /// The process that has this id now.
  /// - Throws: `SystemError`, with `ESRCH` or `ENOENT` when there is none.
  init(current pid: Int32) throws {
    let text = try Paths.readText("/proc/\(pid)/stat")
    guard let startTime = Self.startTime(inStat: text) else {
      throw SystemError(EIO, "read", "/proc/\(pid)/stat")
    }
    self.init(pid: pid, startTime: startTime)
  }

  /// Field 22, counted after the program's name, which may hold anything.
  static func startTime(inStat text: String) -> UInt64? {
    guard let parenthesis = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: parenthesis)...].split(separator: " ")
    return fields.count > 19 ? UInt64(fields[19]) : nil
  }

  /// A descriptor for the process, or nil if it has ended: a later process with its id does not
  /// count, nor one that only waits for its parent to take notice.
  func open() -> Descriptor? {
    let number = martlet_pidfd_open(pid)
    guard number >= 0 else { return nil }
    let descriptor = Descriptor(owning: number)
    // Compared after opening: from now on the descriptor means this very process.
    guard let now = try? ProcessIdentity(current: pid), now == self else { return nil }  // gone
    return descriptor.waitForExit(milliseconds: 0) ? nil : descriptor
  }

  /// Whether the process is there and is not a zombie.
  var isAlive: Bool {
    guard let text = try? Paths.readText("/proc/\(pid)/stat"),  // gone
      let parenthesis = text.lastIndex(of: ")"), Self.startTime(inStat: text) == startTime
    else { return false }
    let state = text[text.index(after: parenthesis)...].drop { $0 == " " }.first
    return state != "Z" && state != "X"
  }

  /// The command line of the process, arguments separated by null bytes; empty when it is gone.
  var commandLine: String {
    (try? Paths.readText("/proc/\(pid)/cmdline")) ?? ""  // gone
  }
}
