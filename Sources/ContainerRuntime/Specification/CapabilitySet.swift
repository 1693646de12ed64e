import CLinux

/// The capabilities of a container's processes.
enum CapabilitySet {
  /// What a container has by default.
  static let usual = [
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW",
    "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
  ]

  /// All names, in the order of their numbers.
  static let names = [
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID",
    "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK",
    "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG",
    "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
  ]

  /// The names that this kernel lets this process hand on (its bounding set).
  static let available: [String] = names.enumerated().filter { number, _ in
    martlet_capability_bounded(Int32(number)) == 1
  }.map(\.element)

  /// The capabilities that settings ask for, as Docker combines `--cap-add` and `--cap-drop`.
  /// - Throws: `ContainerRuntimeError.invalidSetting` for a name that nobody knows.
  static func resolved(for security: SecuritySettings) throws -> [String] {
    if security.privileged { return available }
    let added = try security.addedCapabilities.map(normalized)
    let dropped = try security.droppedCapabilities.map(normalized)
    if added.contains("ALL") {
      return available.filter { !dropped.contains($0) }
    }
    let base = dropped.contains("ALL") ? [] : usual.filter { !dropped.contains($0) }
    let wanted = base + added.filter { !base.contains($0) }
    return available.filter(wanted.contains)
  }

  private static func normalized(_ name: String) throws -> String {
    let upper = name.uppercased()
    if upper == "ALL" || upper == "CAP_ALL" { return "ALL" }
    let full = upper.hasPrefix("CAP_") ? upper : "CAP_" + upper
    guard names.contains(full) else {
      throw ContainerRuntimeError(
        .invalidSetting, "invalid capability: unknown capability: \"\(full)\"")
    }
    return full
  }
}
