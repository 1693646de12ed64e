package import Host

/// What one container wants of one network.
package struct EndpointRequest: Sendable {
  /// The container.
  package var containerID: String
  /// The container's name without the slash.
  package var containerName: String
  /// The network: its id (or name).
  package var network: String
  /// The IPv4 address asked for; nil takes the next free one.
  package var ipv4Address: String?
  /// The IPv6 address asked for.
  package var ipv6Address: String?
  /// Further addresses on the interface.
  package var linkLocalAddresses: [String] = []
  /// The hardware address asked for, as in "02:42:ac:11:00:02".
  package var macAddress: String?
  /// Further names on this network; the container's name and short id are added by themselves.
  package var aliases: [String] = []
  /// Names only this container sees, each with the container name or alias it stands for
  /// (`--link CONTAINER:ALIAS` on user-defined networks: key ALIAS, value CONTAINER).
  package var links: [String: String] = [:]
  /// The interface inside the container; nil takes the first free `ethN`.
  package var interfaceName: String?
  /// Which endpoint's gateway is the default route: the highest wins, then the network's name.
  package var gatewayPriority = 0
  /// Settings below `net.` for the interface, with `IFNAME` in place of its name
  /// (`com.docker.network.endpoint.sysctls`, already split), as in
  /// `["net.ipv4.conf.IFNAME.log_martians": "1"]`.
  package var sysctls: [String: String] = [:]

  /// An endpoint of a container on a network.
  package init(containerID: String, containerName: String, network: String) {
    self.containerID = containerID
    self.containerName = containerName
    self.network = network
  }
}

/// A container's place on a network. The Engine keeps it with the container and hands it back at
/// `start`: it is what addresses, links and published ports are recovered from.
package struct EndpointRecord: Sendable, Codable, Equatable {
  /// 64 hexadecimal digits.
  package var id: String
  /// The container.
  package var containerID: String
  /// The container's name without the slash when it was attached or last renamed.
  package var containerName: String
  /// The network.
  package var networkID: String
  /// The network's name.
  package var networkName: String
  /// The IPv4 address; nil on networks without.
  package var ipv4Address: IPAddress?
  /// Its prefix length; 0 without an address.
  package var ipv4PrefixLength: Int = 0
  /// The gateway; nil on internal networks and those without.
  package var ipv4Gateway: IPAddress?
  /// The IPv6 address; nil on networks without.
  package var ipv6Address: IPAddress?
  /// Its prefix length; 0 without an address.
  package var ipv6PrefixLength: Int = 0
  /// The IPv6 gateway.
  package var ipv6Gateway: IPAddress?
  /// Further addresses on the interface.
  package var linkLocalAddresses: [IPAddress] = []
  /// The hardware address; empty for host and none.
  package var macAddress: String = ""
  /// The interface inside the container; empty for host and none.
  package var interfaceName: String = ""
  /// The veth's end on the host; nil for drivers without.
  package var hostInterfaceName: String?
  /// All names served for it: container name, aliases, short id.
  package var dnsNames: [String] = []
  /// The aliases as asked for.
  package var aliases: [String] = []
  /// Names only this container sees, with what they stand for.
  package var links: [String: String] = [:]
  /// See `EndpointRequest.gatewayPriority`.
  package var gatewayPriority: Int = 0
  /// The ports published through this endpoint.
  package var ports: [PortBinding] = []
}

/// The transport protocol of a published port.
package enum PortProtocol: String, Sendable, Codable, Hashable, CaseIterable {
  case tcp, udp, sctp
}

/// A port to be published.
package struct PortMapping: Sendable, Hashable {
  /// The port in the container.
  package var containerPort: UInt16
  /// Its protocol.
  package var proto: PortProtocol
  /// The host address; nil (or "") is the configured default, else all addresses of both families.
  package var hostAddress: String?
  /// The host ports to choose from, the first free one of them; nil takes any free port.
  package var hostPorts: ClosedRange<UInt16>?

  /// Publishes a container's port.
  package init(
    containerPort: UInt16, proto: PortProtocol = .tcp, hostAddress: String? = nil,
    hostPorts: ClosedRange<UInt16>? = nil
  ) {
    self.containerPort = containerPort
    self.proto = proto
    self.hostAddress = hostAddress
    self.hostPorts = hostPorts
  }
}

/// A port as it is published.
package struct PortBinding: Sendable, Codable, Hashable {
  /// The port in the container.
  package var containerPort: UInt16
  /// Its protocol.
  package var proto: PortProtocol
  /// The host address; 0.0.0.0 and :: are all addresses of that family.
  package var hostAddress: IPAddress
  /// The port on the host.
  package var hostPort: UInt16
}

/// A running container as the Engine knows it when the daemon starts.
package struct SandboxState: Sendable {
  /// The container.
  package var containerID: String
  /// Where its namespace is bound.
  package var path: String
  /// Its endpoints, as they were returned.
  package var endpoints: [EndpointRecord]
  /// Its resolver settings.
  package var dns: DNSSettings

  /// A running container.
  package init(
    containerID: String, path: String, endpoints: [EndpointRecord], dns: DNSSettings
  ) {
    self.containerID = containerID
    self.path = path
    self.endpoints = endpoints
    self.dns = dns
  }
}

/// What one interface of a container has carried.
package struct InterfaceStatistics: Sendable, Equatable {
  /// The interface inside the container.
  package var name: String
  package var receivedBytes: UInt64
  package var receivedPackets: UInt64
  package var receiveErrors: UInt64
  package var receiveDropped: UInt64
  package var transmittedBytes: UInt64
  package var transmittedPackets: UInt64
  package var transmitErrors: UInt64
  package var transmitDropped: UInt64
}
