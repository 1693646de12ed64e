import Host

/// The driver options of a network, parsed.
struct NetworkSettings: Sendable, Equatable {
  /// Whether containers on it may talk to one another.
  var interContainerCommunication = true
  /// Whether what leaves it is masqueraded; nil leaves it to the daemon.
  var masquerade: Bool?
  /// Where ports are published when no host address is given.
  var hostBinding: IPAddress?
  /// The maximum transmission unit; nil is the kernel's.
  var mtu: Int?
  /// What interfaces inside containers are named by.
  var interfacePrefix = "eth"
  /// Whether the bridge itself gets no IPv4 address.
  var inhibitsIPv4 = false
  /// The kernel's number for the macvlan's mode.
  var macvlanMode: UInt32 = 4
}

extension NetworkRecord {
  /// Reads the options clients send; ones we do not know are kept and ignored, as dockerd does.
  /// - Throws: `invalidParameter` for a value that cannot be read.
  func settings() throws -> NetworkSettings {
    var settings = NetworkSettings()
    for (key, value) in options {
      switch key {
      case "com.docker.network.bridge.enable_icc":
        settings.interContainerCommunication = try flag(key, value)
      case "com.docker.network.bridge.enable_ip_masquerade":
        settings.masquerade = try flag(key, value)
      case "com.docker.network.bridge.host_binding_ipv4":
        guard value.isEmpty || IPAddress(value)?.isIPv6 == false else { throw bad(key, value) }
        // 0.0.0.0 is what clients write for "nothing in particular", IPv6 included.
        settings.hostBinding = IPAddress(value).flatMap { $0.isUnspecified ? nil : $0 }
      case "com.docker.network.driver.mtu":
        guard let mtu = Int(value), mtu == 0 || (68...65535).contains(mtu) else {
          throw bad(key, value)
        }
        settings.mtu = mtu == 0 ? nil : mtu
      case "com.docker.network.container_iface_prefix":
        guard value.utf8.count <= 11, value.utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != 47 })
        else { throw bad(key, value) }
        if !value.isEmpty { settings.interfacePrefix = value }
      case "com.docker.network.bridge.inhibit_ipv4":
        settings.inhibitsIPv4 = try flag(key, value)
      case "macvlan_mode":
        let modes: [String: UInt32] = [
          "": 4, "private": 1, "vepa": 2, "bridge": 4, "passthru": 8,
        ]
        guard let mode = modes[value] else {
          throw NodeNetworkError(
            .invalidParameter,
            "requested macvlan mode '\(value)' is not valid, 'bridge' mode is "
              + "the macvlan driver default")
        }
        settings.macvlanMode = mode
      default: break
      }
    }
    return settings
  }

  private func flag(_ key: String, _ value: String) throws -> Bool {
    switch value.lowercased() {
    case "1", "t", "true": return true
    case "0", "f", "false": return false
    default: throw bad(key, value)
    }
  }

  private func bad(_ key: String, _ value: String) -> NodeNetworkError {
    NodeNetworkError(
      .invalidParameter, "failed to parse \(key) value: \"\(value)\"",
      metadata: ["option": key, "value": value])
  }
}
