import Glibc
import Host

/// What a resolv.conf says.
struct HostResolver: Sendable, Equatable {
  var servers: [String] = []
  var searchDomains: [String] = []
  var options: [String] = []

  /// Reads resolv.conf(5); a file that cannot be read says nothing. Blocks.
  static func read(_ path: String) -> HostResolver {
    var text: [UInt8] = []
    do {
      let file = try Descriptor.open(path, O_RDONLY)
      while text.count < 1 << 20 {
        let chunk = try file.read(upTo: 1 << 16)
        if chunk.isEmpty { break }
        text += chunk
      }
    } catch {
      return HostResolver()
    }
    return HostResolver(parsing: String(decoding: text, as: UTF8.self))
  }

  init() {}

  /// Parses the text of a resolv.conf; unknown lines are passed over.
  init(parsing text: String) {
    for line in text.split(whereSeparator: \.isNewline) {
      let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
      guard let keyword = words.first, !keyword.hasPrefix("#"), !keyword.hasPrefix(";") else {
        continue
      }
      let values = Array(words.dropFirst().prefix { !$0.hasPrefix("#") && !$0.hasPrefix(";") })
      switch keyword {
      case "nameserver": servers += values.prefix(1)
      case "search": searchDomains = values
      case "domain": searchDomains = Array(values.prefix(1))
      case "options": options += values
      default: break
      }
    }
  }

  /// Whether an address is one of the host's own loopback, which a container cannot reach.
  static func isLoopback(_ server: String) -> Bool { IPAddress(server)?.isLoopback ?? false }
}
