import CLinux
import Glibc

/// Changes to links, addresses and routes, carried out together by `RouteSocket.perform`.
package struct RouteChanges: Sendable {
  private(set) var buffer = NetlinkBuffer()
  private(set) var operations: [(name: String, tolerated: [Int32])] = []

  /// No changes.
  package init() {}

  /// One end of a veth pair, or another new link.
  package struct NewLink: Sendable {
    /// The name, at most 15 bytes.
    package var name: String
    /// The hardware address; nil lets the kernel choose.
    package var hardwareAddress: [UInt8]?
    /// The maximum transmission unit; nil is the kernel's default.
    package var mtu: Int?
    /// The index of the bridge it becomes a port of.
    package var master: Int32?
    /// The namespace it is made in; nil is the socket's own.
    package var namespace: Descriptor?

    /// A link that is down and has the kernel's defaults.
    package init(name: String) { self.name = name }

    fileprivate func write(to buffer: inout NetlinkBuffer) {
      buffer.append(UInt32(0))
      buffer.append(UInt32(0))
      buffer.append(UInt64(0))
      buffer.attribute(IFLA_IFNAME, text: name)
      if let hardwareAddress { buffer.attribute(IFLA_ADDRESS, hardwareAddress) }
      if let mtu { buffer.attribute(IFLA_MTU, number: UInt32(clamping: mtu)) }
      if let master { buffer.attribute(IFLA_MASTER, number: master) }
      if let namespace {
        buffer.attribute(IFLA_NET_NS_FD, number: UInt32(bitPattern: namespace.rawValue))
      }
    }
  }

  private static let create = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL

  private mutating func add(
    _ operation: String, _ type: Int, flags: Int32 = NLM_F_ACK, tolerating: [Int32] = [],
    _ body: (inout NetlinkBuffer) -> Void
  ) {
    buffer.message(Int32(type), flags: flags, body)
    operations.append((operation, tolerating))
  }

  private mutating func newLink(
    _ link: NewLink, kind: String, parent: Int32? = nil,
    data: ((inout NetlinkBuffer) -> Void)? = nil
  ) {
    add("create \(kind) \(link.name)", Int(RTM_NEWLINK), flags: RouteChanges.create) { buffer in
      link.write(to: &buffer)
      if let parent { buffer.attribute(IFLA_LINK, number: parent) }
      buffer.nested(IFLA_LINKINFO) { information in
        information.attribute(IFLA_INFO_KIND, text: kind)
        if let data { information.nested(IFLA_INFO_DATA, data) }
      }
    }
  }

  /// Makes a bridge.
  package mutating func addBridge(_ link: NewLink) { newLink(link, kind: "bridge") }

  /// Makes a link that leads nowhere.
  package mutating func addDummy(_ link: NewLink) { newLink(link, kind: "dummy") }

  /// Makes a pair of links joined to one another, each in its own namespace.
  package mutating func addPair(_ link: NewLink, peer: NewLink) {
    newLink(link, kind: "veth") { data in
      data.nested(VETH_INFO_PEER) { peer.write(to: &$0) }
    }
  }

  /// Makes a macvlan on the link with index `parent`.
  /// - Parameter mode: `MACVLAN_MODE_…`.
  package mutating func addMacvlan(_ link: NewLink, parent: Int32, mode: UInt32) {
    newLink(link, kind: "macvlan", parent: parent) {
      $0.attribute(IFLA_MACVLAN_MODE, number: mode)
    }
  }

  /// Makes a sub-interface for a VLAN of the link with index `parent`.
  package mutating func addVLAN(_ link: NewLink, parent: Int32, identifier: UInt16) {
    newLink(link, kind: "vlan", parent: parent) {
      $0.attribute(IFLA_VLAN_ID, number: identifier)
    }
  }

  /// Removes a link; one that is gone already is no error.
  package mutating func deleteLink(named name: String) {
    add("delete link \(name)", Int(RTM_DELLINK), tolerating: [ENODEV]) { buffer in
      buffer.append([UInt8](repeating: 0, count: 16))
      buffer.attribute(IFLA_IFNAME, text: name)
    }
  }

  /// What is set on a link once it exists: the kernel does not take all of it at creation.
  package struct LinkSettings: Sendable {
    /// Whether it is turned on.
    package var isUp = true
    /// The index of the bridge it becomes a port of.
    package var master: Int32?
    /// A note for people and programs (`ip link` shows it as the alias).
    package var alias: String?
    /// Whether the kernel gives it an IPv6 link-local address.
    package var hasLinkLocal = true

    /// Turns the link on and nothing else.
    package init() {}
  }

  /// Sets up the link of that name.
  package mutating func set(_ name: String, _ settings: LinkSettings) {
    add("set up link \(name)", Int(RTM_NEWLINK)) { buffer in
      RouteChanges.writeHeader(index: 0, to: &buffer, flags: settings.isUp ? 1 : 0)
      buffer.attribute(IFLA_IFNAME, text: name)
      settings.write(to: &buffer)
    }
  }

  /// Sets up the link of that index.
  package mutating func set(index: Int32, _ settings: LinkSettings) {
    add("set up link", Int(RTM_NEWLINK)) { buffer in
      RouteChanges.writeHeader(index: index, to: &buffer, flags: settings.isUp ? 1 : 0)
      settings.write(to: &buffer)
    }
  }

  /// Puts a link in a group; one that is gone already is no error.
  package mutating func setGroup(named name: String, _ group: UInt32) {
    add("set group of \(name)", Int(RTM_NEWLINK), tolerating: [ENODEV]) { buffer in
      RouteChanges.writeHeader(index: 0, to: &buffer, flags: 0)
      buffer.attribute(IFLA_IFNAME, text: name)
      buffer.attribute(IFLA_GROUP, number: group)
    }
  }

  /// Removes all links of a group at once, which takes no longer than one; none is no error.
  package mutating func deleteLinks(group: UInt32) {
    add("delete links", Int(RTM_DELLINK), tolerating: [ENODEV]) { buffer in
      buffer.append([UInt8](repeating: 0, count: 16))
      buffer.attribute(IFLA_GROUP, number: group)
    }
  }

  /// Sets the maximum transmission unit.
  package mutating func setMTU(index: Int32, _ mtu: Int) {
    add("set mtu", Int(RTM_NEWLINK)) { buffer in
      RouteChanges.writeHeader(index: index, to: &buffer, flags: 0)
      buffer.attribute(IFLA_MTU, number: UInt32(clamping: mtu))
    }
  }

  /// Keeps a port of a bridge from reaching other ports that are kept so.
  package mutating func isolatePort(named name: String) {
    setPort(named: name, "isolate port", IFLA_BRPORT_ISOLATED)
  }

  /// Lets a bridge send frames back out of the port they came from.
  package mutating func allowHairpin(onPort name: String) {
    setPort(named: name, "allow hairpin", IFLA_BRPORT_MODE)
  }

  private mutating func setPort(named name: String, _ operation: String, _ attribute: Int) {
    add("\(operation) \(name)", Int(RTM_NEWLINK)) { buffer in
      RouteChanges.writeHeader(index: 0, to: &buffer, flags: 0)
      buffer.attribute(IFLA_IFNAME, text: name)
      buffer.nested(IFLA_LINKINFO) { information in
        information.attribute(IFLA_INFO_SLAVE_KIND, text: "bridge")
        information.nested(IFLA_INFO_SLAVE_DATA) { $0.attribute(attribute, number: UInt8(1)) }
      }
    }
  }

  /// Gives a link an address, without waiting for duplicates to be detected.
  package mutating func addAddress(_ address: InterfaceAddress, index: Int32) {
    add(
      "add address \(address)", Int(RTM_NEWADDR), flags: RouteChanges.create, tolerating: [EEXIST]
    ) {
      RouteChanges.write(address, index: index, to: &$0)
    }
  }

  /// Takes an address from a link; one that is not there is no error.
  package mutating func deleteAddress(_ address: InterfaceAddress, index: Int32) {
    add("delete address \(address)", Int(RTM_DELADDR), tolerating: [EADDRNOTAVAIL]) {
      RouteChanges.write(address, index: index, to: &$0)
    }
  }

  /// Sets the default route of the gateway's family, in place of the one there is.
  package mutating func setDefaultRoute(gateway: IPAddress, index: Int32) {
    let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE
    add("set default route via \(gateway)", Int(RTM_NEWROUTE), flags: flags) {
      RouteChanges.writeRoute(isIPv6: gateway.isIPv6, to: &$0)
      $0.attribute(RTA_GATEWAY.rawValue, gateway.bytes)
      $0.attribute(RTA_OIF.rawValue, number: index)
    }
  }

  /// Removes the default route of a family; none there is no error.
  package mutating func deleteDefaultRoute(isIPv6: Bool) {
    add("delete default route", Int(RTM_DELROUTE), tolerating: [ESRCH]) {
      RouteChanges.writeRoute(isIPv6: isIPv6, to: &$0)
    }
  }

  private static func writeHeader(index: Int32, to buffer: inout NetlinkBuffer, flags: UInt32) {
    buffer.append(UInt32(0))
    buffer.append(index)
    buffer.append(flags)
    buffer.append(flags)
  }

  private static func write(
    _ address: InterfaceAddress, index: Int32, to buffer: inout NetlinkBuffer
  ) {
    let isIPv6 = address.address.isIPv6
    buffer.append(UInt8(isIPv6 ? AF_INET6 : AF_INET))
    buffer.append(UInt8(truncatingIfNeeded: address.prefixLength))
    buffer.append(UInt8(isIPv6 ? IFA_F_NODAD : 0))
    buffer.append(UInt8(address.address.isLinkLocal ? 253 : 0))
    buffer.append(index)
    buffer.attribute(IFA_LOCAL, address.address.bytes)
    buffer.attribute(IFA_ADDRESS, address.address.bytes)
    if !isIPv6 && address.prefixLength < 31 {
      buffer.attribute(IFA_BROADCAST, address.subnet.last.bytes)
    }
  }

  private static func writeRoute(isIPv6: Bool, to buffer: inout NetlinkBuffer) {
    buffer.append(UInt8(isIPv6 ? AF_INET6 : AF_INET))
    buffer.append([UInt8](repeating: 0, count: 3))
    buffer.append([UInt8(254), UInt8(3), UInt8(0), UInt8(1)])
    buffer.append(UInt32(0))
  }
}

extension RouteChanges.LinkSettings {
  fileprivate func write(to buffer: inout NetlinkBuffer) {
    if let master { buffer.attribute(IFLA_MASTER, number: master) }
    if let alias { buffer.attribute(IFLA_IFALIAS, text: alias) }
    guard !hasLinkLocal else { return }
    buffer.nested(IFLA_AF_SPEC) { families in
      families.nested(AF_INET6) {
        $0.attribute(IFLA_INET6_ADDR_GEN_MODE, number: UInt8(1))
      }
    }
  }
}
