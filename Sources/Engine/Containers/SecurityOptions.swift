import ContainerRuntime
import DockerModel

/// What `--security-opt` asks for, read.
struct SecurityOptions: Sendable {
  var noNewPrivileges: Bool?
  var seccomp: SecuritySettings.Seccomp?
  var isSystemPathsUnconfined = false

  /// - Throws: `invalidParameter`.
  init(_ options: [String]) throws {
    for option in options {
      if option == "no-new-privileges" {
        noNewPrivileges = true
        continue
      }
      let parts = option.split(maxSplits: 1, omittingEmptySubsequences: false) {
        $0 == "=" || $0 == ":"
      }
      guard parts.count == 2 else {
        throw APIError.invalidParameter("invalid --security-opt: \"\(option)\"")
      }
      let value = String(parts[1])
      switch parts[0] {
      case "no-new-privileges":
        guard let flag = Bool(value) else {
          throw APIError.invalidParameter("invalid --security-opt: \"\(option)\"")
        }
        noNewPrivileges = flag
      case "seccomp":
        seccomp =
          switch value {
          case "unconfined": .unconfined
          case "builtin": .builtin
          default: .profile(json: value)
          }
      case "systempaths" where value == "unconfined": isSystemPathsUnconfined = true
      case "label": break  // SELinux is not used; dockerd ignores labels without it, too
      case "apparmor":
        // Without AppArmor in the kernel any profile but "unconfined" could not be honoured.
        guard value == "unconfined" || value.isEmpty else {
          throw APIError.invalidParameter(
            "AppArmor is not supported on this host, but the profile '\(value)' was specified")
        }
      default:
        throw APIError.invalidParameter("invalid --security-opt: \"\(option)\"")
      }
    }
  }
}
