import Host
import Synchronization

/// The daemon's nftables table: few rules that never change, and sets and maps with an element for
/// each bridge and each published port.
final class Firewall: Sendable {
  private let table: String
  private let lock = Mutex<NFTablesSocket?>(nil)

  init(table: String) { self.table = table }

  /// Runs `body` with the one socket, which is opened when it is first needed.
  private func withSocket<Value>(_ body: (NFTablesSocket) throws -> Value) throws -> Value {
    try lock.withLock { socket in
      let opened = try socket ?? NFTablesSocket()
      socket = opened
      return try body(opened)
    }
  }

  /// Makes the table, or brings the rules of the one there is up to date; elements stay. Blocks.
  func install() throws {
    try NFTablesContext().run(FirewallRules.text(table: table))
  }

  /// Removes the table with all that is in it. Blocks.
  func uninstall() throws {
    try NFTablesContext().run("add table inet \(table); delete table inet \(table)")
  }

  /// Adds and removes elements, by set, in one transaction. Blocks.
  ///
  /// Elements to be removed that are not there do not disturb the others.
  func update(adding: [String: [NFTablesElement]], removing: [String: [NFTablesElement]] = [:])
    throws
  {
    try withSocket { socket in
      do {
        try commit(adding: adding, removing: removing, on: socket)
      } catch let failure as NetlinkFailure where failure.errno == 2 && !removing.isEmpty {
        let present = try removing.reduce(into: [String: [NFTablesElement]]()) { result, entry in
          let there = Set(try elements(of: entry.key, on: socket).map(\.key))
          let kept = entry.value.filter { there.contains($0.key) }
          if !kept.isEmpty { result[entry.key] = kept }
        }
        try commit(adding: adding, removing: present, on: socket)
      }
    }
  }

  /// Makes the sets and maps hold exactly these elements. Blocks.
  func reconcile(_ desired: [String: Set<NFTablesElement>]) throws {
    var adding: [String: [NFTablesElement]] = [:]
    var removing: [String: [NFTablesElement]] = [:]
    try withSocket { socket in
      for set in FirewallRules.sets {
        let wanted = desired[set] ?? []
        let present = Set(try elements(of: set, on: socket))
        let missing = wanted.subtracting(present)
        let stale = present.subtracting(wanted)
        if !missing.isEmpty { adding[set] = Array(missing) }
        if !stale.isEmpty { removing[set] = Array(stale) }
      }
    }
    if !adding.isEmpty || !removing.isEmpty { try update(adding: adding, removing: removing) }
  }

  /// The elements of a set or map. Blocks.
  func elements(of set: String) throws -> [NFTablesElement] {
    try withSocket { try elements(of: set, on: $0) }
  }

  private func elements(of set: String, on socket: NFTablesSocket) throws -> [NFTablesElement] {
    try socket.elements(family: .inet, table: table, set: set) ?? []
  }

  private func commit(
    adding: [String: [NFTablesElement]], removing: [String: [NFTablesElement]],
    on socket: NFTablesSocket
  ) throws {
    // One netlink attribute holds at most 64 KiB: many elements go in several messages.
    var transaction = NFTablesTransaction()
    for (set, elements) in removing {
      for chunk in chunks(of: elements) {
        transaction.remove(chunk, family: .inet, table: table, set: set)
      }
    }
    for (set, elements) in adding {
      for chunk in chunks(of: elements) {
        transaction.add(chunk, family: .inet, table: table, set: set)
      }
    }
    try socket.commit(transaction)
  }

  private func chunks(of elements: [NFTablesElement]) -> [[NFTablesElement]] {
    stride(from: 0, to: elements.count, by: 400).map {
      Array(elements[$0..<min($0 + 400, elements.count)])
    }
  }
}

/// The rules, and the elements that steer them.
enum FirewallRules {
  /// Bridges of ours.
  static let bridges = "bridges"
  /// Bridges that reach nothing outside themselves.
  static let internals = "internal"
  /// Bridges whose outgoing traffic is masqueraded.
  static let masquerading = "masquerading"
  /// Bridges whose containers may talk to one another, each paired with itself.
  static let open = "open"
  /// All bridges, each with its subnets.
  static let local4 = "local4"
  static let local6 = "local6"
  /// Published ports of one host address, and of all addresses.
  static let ports4 = "ports4"
  static let any4 = "any4"
  static let ports6 = "ports6"
  static let any6 = "any6"

  /// All sets and maps.
  static let sets = [
    bridges, internals, masquerading, open, local4, local6, ports4, any4, ports6, any6,
  ]

  /// The table in nft's language: applied to a table that is there already it replaces the rules in
  /// one step and leaves the elements alone.
  static func text(table: String) -> String {
    let declarations = """
      table inet \(table) {
        set bridges { type ifname; }
        set internal { type ifname; }
        set masquerading { type ifname; }
        set open { type ifname . ifname; }
        set local4 { type ifname . ipv4_addr; flags interval; }
        set local6 { type ifname . ipv6_addr; flags interval; }
        map ports4 {
          type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service;
        }
        map any4 { type inet_proto . inet_service : ipv4_addr . inet_service; }
        map ports6 {
          type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service;
        }
        map any6 { type inet_proto . inet_service : ipv6_addr . inet_service; }
        chain guard { type filter hook prerouting priority raw; policy accept; }
        chain prerouting { type nat hook prerouting priority dstnat; policy accept; }
        chain output { type nat hook output priority -100; policy accept; }
        chain forward { type filter hook forward priority filter; policy accept; }
        chain postrouting { type nat hook postrouting priority srcnat; policy accept; }
        chain published { }
      }
      """
    let flushes = ["guard", "prerouting", "output", "forward", "postrouting", "published"].map {
      "flush chain inet \(table) \($0)\n"
    }.joined()
    return declarations + "\n" + flushes + rules(table: table)
  }

  private static func rules(table: String) -> String {
    """
    table inet \(table) {
      chain guard {
        iifname @bridges ip daddr 127.0.0.0/8 drop
      }
      chain prerouting {
        ip daddr 127.0.0.0/8 return
        fib daddr type local goto published
      }
      chain output {
        ip6 daddr ::1 return
        fib daddr type local goto published
      }
      chain published {
        dnat ip to ip daddr . meta l4proto . th dport map @ports4
        meta nfproto ipv4 dnat ip to meta l4proto . th dport map @any4
        dnat ip6 to ip6 daddr . meta l4proto . th dport map @ports6
        meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @any6
      }
      chain forward {
        ct state established,related accept
        iifname . oifname @open accept
        iifname @internal drop
        oifname @internal drop
        oifname @bridges ct status dnat accept
        oifname @bridges drop
      }
      chain postrouting {
        oifname @bridges ip saddr 127.0.0.0/8 masquerade
        ct status dnat oifname . ip saddr @local4 masquerade
        ct status dnat oifname . ip6 saddr @local6 masquerade
        iifname @masquerading oifname != @bridges masquerade
      }
    }
    """
  }

  /// The elements that make `bridge` what its network is.
  static func elements(
    bridge: String, subnets: [Subnet], isInternal: Bool, masquerade: Bool, isOpen: Bool
  ) -> [String: [NFTablesElement]] {
    let name = NFTablesElement.interfaceName(bridge)
    let single = [NFTablesElement(key: name)]
    let pair = [NFTablesElement(key: name + name)]
    var result = [bridges: single]
    for subnet in subnets {
      let element = NFTablesElement(
        key: name + subnet.network.bytes, end: name + subnet.last.bytes)
      result[subnet.isIPv6 ? local6 : local4, default: []].append(element)
    }
    if isOpen { result[open] = pair }
    if isInternal {
      result[internals] = single
    } else if masquerade {
      result[masquerading] = single
    }
    return result
  }

  /// The element that publishes a port, with the map it belongs to.
  static func element(_ binding: PortBinding, target: IPAddress) -> (
    map: String, element: NFTablesElement
  ) {
    let proto = [binding.proto.number]
    let port = binding.hostPort.bigEndianBytes
    let data = NFTablesElement.concatenation(target.bytes, binding.containerPort.bigEndianBytes)
    if binding.hostAddress.isUnspecified {
      let key = NFTablesElement.concatenation(proto, port)
      return (target.isIPv6 ? any6 : any4, NFTablesElement(key: key, data: data))
    }
    let key = NFTablesElement.concatenation(binding.hostAddress.bytes, proto, port)
    return (target.isIPv6 ? ports6 : ports4, NFTablesElement(key: key, data: data))
  }
}

extension PortProtocol {
  /// The number of the protocol in IP headers.
  var number: UInt8 {
    switch self {
    case .tcp: return 6
    case .udp: return 17
    case .sctp: return 132
    }
  }
}
