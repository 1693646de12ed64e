package import Host

/// How the networks of one daemon are set up.
package struct NodeNetworkConfiguration: Sendable {
  /// The default bridge, the network named `bridge`.
  package struct DefaultBridge: Sendable {
    /// The interface (at most 15 bytes). One that exists already is used as it is.
    package var name = "martlet0"
    /// The bridge's own address with prefix length (`--bip`); nil takes a free address pool.
    package var address: InterfaceAddress?
    /// The part of the IPv4 subnet that containers get addresses from (`--fixed-cidr`).
    package var fixedIPv4: Subnet?
    /// The gateway handed to containers instead of the bridge's address (`--default-gateway`).
    package var gatewayIPv4: IPAddress?
    /// Whether the bridge has IPv6 (`--ipv6`).
    package var enableIPv6 = false
    /// The IPv6 subnet (`--fixed-cidr-v6`); nil takes a generated unique local one.
    package var fixedIPv6: Subnet?
    /// The IPv6 gateway (`--default-gateway-v6`).
    package var gatewayIPv6: IPAddress?
    /// Whether containers on it may talk to one another (`--icc`).
    package var interContainerCommunication = true
    /// The maximum transmission unit (`--mtu`); nil leaves the kernel's.
    package var mtu: Int?

    /// The bridge as dockerd sets it up, under our name.
    package init() {}
  }

  /// A block that subnets of automatically numbered networks are cut from.
  package struct AddressPool: Sendable, Hashable {
    /// The whole block.
    package var base: Subnet
    /// The prefix length of each subnet cut from it.
    package var size: Int

    /// A block with the size of its parts.
    package init(base: Subnet, size: Int) {
      self.base = base
      self.size = size
    }

    /// dockerd's defaults: 172.17–31.0.0/16 whole, then 192.168.0.0/16 in parts of /20.
    package static let defaults: [AddressPool] =
      (17...31).map { number in
        AddressPool(
          base: Subnet(containing: IPAddress(172, UInt8(number), 0, 0), prefixLength: 16), size: 16)
      } + [
        AddressPool(
          base: Subnet(containing: IPAddress(192, 168, 0, 0), prefixLength: 16), size: 20)
      ]
  }

  /// The daemon's folder for what does not outlive a reboot; `netns/` is made in it.
  package var executionRoot: String
  /// The default bridge; nil for `bridge: none`.
  package var defaultBridge: DefaultBridge? = DefaultBridge()
  /// Where subnets come from when none is asked for (`--default-address-pool`).
  package var addressPools = AddressPool.defaults
  /// The nftables table; unique to each daemon of a machine.
  package var tableName = "martlet"
  /// What new interfaces of this daemon's user-defined bridges are named by: unique to each daemon.
  /// With the 12 digits that follow it must fit 15 bytes.
  package var bridgePrefix = "mt-"
  /// The host address ports are published on when none is named (`--ip`); nil is every address.
  package var defaultHostAddress: IPAddress?
  /// Whether outgoing traffic of bridges is masqueraded unless a network says otherwise
  /// (`--ip-masq`).
  package var masquerade = true
  /// Whether `net.ipv4.ip_forward` is turned on (`--ip-forward`).
  package var enableForwarding = true
  /// The name servers, search domains and options of containers that name none of their own
  /// (`--dns`, `--dns-search`, `--dns-opt`).
  package var dns = DNSSettings()
  /// Where the host's resolver settings are read from.
  package var hostResolvConf = "/etc/resolv.conf"
  /// What `host-gateway` in `--add-host` stands for (`--host-gateway-ip`); empty: the default
  /// bridge's gateway addresses.
  package var hostGateways: [IPAddress] = []
  /// Where random host ports come from; nil reads `net.ipv4.ip_local_port_range`.
  package var ephemeralPorts: ClosedRange<UInt16>?

  /// The defaults, with the one folder that has none.
  package init(executionRoot: String) { self.executionRoot = executionRoot }
}

/// The resolver settings of a container or of the daemon; an empty list says nothing.
package struct DNSSettings: Sendable, Codable, Hashable {
  /// The name servers (`--dns`).
  package var servers: [String]
  /// The search domains (`--dns-search`); a single "." means none at all.
  package var searchDomains: [String]
  /// The resolver options (`--dns-option`), as in "ndots:2".
  package var options: [String]

  /// Settings, nothing by default.
  package init(servers: [String] = [], searchDomains: [String] = [], options: [String] = []) {
    self.servers = servers
    self.searchDomains = searchDomains
    self.options = options
  }
}
