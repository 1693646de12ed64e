import CLinux
import Glibc

/// Elements of sets and maps, and small rule sets, written straight to the kernel (nfnetlink).
///
/// One change is one system call whatever the size of the rule set: libnftables would read the
/// tables back before each. Belongs to the namespace of the thread that opened it; the owner
/// serialises its use.
package struct NFTablesSocket: Sendable {
  private let socket: NetlinkSocket

  /// Opens a socket in the calling thread's namespace.
  /// - Throws: `SystemError`.
  package init() throws { socket = try NetlinkSocket(protocol: NETLINK_NETFILTER) }

  /// Applies a transaction: all of it or nothing.
  /// - Throws: `NetlinkFailure` of the change that was refused, or `SystemError`.
  package func commit(_ transaction: NFTablesTransaction) throws {
    guard transaction.changes > 0 else { return }
    let batch = transaction.finished()
    let failures = try socket.perform(batch, acknowledged: 1..<(batch.count - 1))
    for case var failure? in failures {
      failure.operation = "nftables"
      throw failure
    }
  }

  /// The elements of a set or map.
  /// - Returns: nil if there is no such set.
  /// - Throws: `SystemError`.
  package func elements(family: NFTablesFamily, table: String, set: String) throws
    -> [NFTablesElement]?
  {
    var request = NetlinkBuffer()
    request.message(NFTablesTransaction.type(NFT_MSG_GETSETELEM), flags: NLM_F_DUMP) { buffer in
      NFTablesTransaction.writeHeader(family, to: &buffer)
      buffer.attribute(NFTA_SET_ELEM_LIST_TABLE.rawValue, text: table)
      buffer.attribute(NFTA_SET_ELEM_LIST_SET.rawValue, text: set)
    }
    let replies: [NetlinkReply]
    do {
      replies = try socket.dump(request)
    } catch let error as SystemError where error.errno == ENOENT {
      return nil
    }
    return replies.flatMap { reply -> [NFTablesElement] in
      let table = NetlinkReader.table(reply.body.dropFirst(4))
      let list = table[Int(NFTA_SET_ELEM_LIST_ELEMENTS.rawValue)] ?? []
      return NetlinkReader(list).attributes().map { NFTablesSocket.element($0.value) }
    }
  }

  /// Closes it.
  package func close() { socket.close() }

  private static func element(_ bytes: ArraySlice<UInt8>) -> NFTablesElement {
    let table = NetlinkReader.table(bytes)
    func value(_ attribute: Int) -> [UInt8]? {
      table[attribute].map { Array(NetlinkReader.table($0)[Int(NFTA_DATA_VALUE.rawValue)] ?? []) }
    }
    return NFTablesElement(
      key: value(Int(NFTA_SET_ELEM_KEY.rawValue)) ?? [],
      end: value(Int(NFTA_SET_ELEM_KEY_END.rawValue)),
      data: value(Int(NFTA_SET_ELEM_DATA.rawValue)))
  }
}

/// The family of an nftables table.
package enum NFTablesFamily: UInt8, Sendable {
  /// IPv4 and IPv6.
  case inet = 1
  /// IPv4.
  case ip = 2
}

/// An element of a set, or, with data, of a map.
package struct NFTablesElement: Sendable, Hashable {
  /// The key's fields, each filled up to a multiple of four bytes.
  package var key: [UInt8]
  /// The last key of an interval, which itself belongs to it; nil if the element is no interval.
  package var end: [UInt8]?
  /// The data's fields, likewise; nil in a set.
  package var data: [UInt8]?

  /// An element of these bytes.
  package init(key: [UInt8], end: [UInt8]? = nil, data: [UInt8]? = nil) {
    self.key = key
    self.end = end
    self.data = data
  }

  /// The bytes of a key or data that is made of several fields.
  package static func concatenation(_ fields: [UInt8]...) -> [UInt8] {
    fields.flatMap { $0 + [UInt8](repeating: 0, count: -$0.count & 3) }
  }

  /// The bytes of an interface's name.
  package static func interfaceName(_ name: String) -> [UInt8] {
    let bytes = Array(name.utf8.prefix(15))
    return bytes + [UInt8](repeating: 0, count: 16 - bytes.count)
  }
}

/// Changes to nftables that are applied together or not at all.
package struct NFTablesTransaction: Sendable {
  private var buffer = NetlinkBuffer()
  private(set) var changes = 0

  /// No changes.
  package init() { writeBoundary(16) }

  fileprivate func finished() -> NetlinkBuffer {
    var copy = self
    copy.writeBoundary(17)
    return copy.buffer
  }

  /// Adds elements to a set or map; those that are there already stay.
  package mutating func add(
    _ elements: [NFTablesElement], family: NFTablesFamily, table: String, set: String
  ) {
    change(NFT_MSG_NEWSETELEM, family, flags: NLM_F_CREATE) {
      NFTablesTransaction.write(elements, table: table, set: set, to: &$0)
    }
  }

  /// Removes elements, all of which must be there.
  package mutating func remove(
    _ elements: [NFTablesElement], family: NFTablesFamily, table: String, set: String
  ) {
    change(NFT_MSG_DELSETELEM, family, flags: 0) {
      NFTablesTransaction.write(elements, table: table, set: set, to: &$0)
    }
  }

  /// Makes an empty table in place of the one of that name, if any.
  package mutating func replaceTable(_ name: String, family: NFTablesFamily) {
    for type in [NFT_MSG_NEWTABLE, NFT_MSG_DELTABLE, NFT_MSG_NEWTABLE] {
      change(type, family, flags: type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0) {
        $0.attribute(NFTA_TABLE_NAME.rawValue, text: name)
      }
    }
  }

  /// Makes a chain of NAT rules.
  /// - Parameters:
  ///   - hook: `NF_INET_…`.
  ///   - priority: where among the chains of the hook.
  package mutating func addNATChain(
    _ name: String, family: NFTablesFamily, table: String, hook: UInt32, priority: Int32
  ) {
    change(NFT_MSG_NEWCHAIN, family, flags: NLM_F_CREATE) { buffer in
      buffer.attribute(NFTA_CHAIN_TABLE.rawValue, text: table)
      buffer.attribute(NFTA_CHAIN_NAME.rawValue, text: name)
      buffer.nested(NFTA_CHAIN_HOOK.rawValue) {
        $0.attribute(NFTA_HOOK_HOOKNUM.rawValue, big: hook)
        $0.attribute(NFTA_HOOK_PRIORITY.rawValue, big: priority)
      }
      buffer.attribute(NFTA_CHAIN_TYPE.rawValue, text: "nat")
    }
  }

  /// Appends the rule "packets of this protocol for `address` and `port` go to `address` and
  /// `newPort`" to a chain of an IPv4 table.
  /// - Parameter proto: `IPPROTO_UDP` or `IPPROTO_TCP`.
  package mutating func redirect(
    chain: String, table: String, proto: UInt8, address: IPAddress, port: UInt16, to newPort: UInt16
  ) {
    change(NFT_MSG_NEWRULE, .ip, flags: NLM_F_CREATE | 0x800) { buffer in
      buffer.attribute(NFTA_RULE_TABLE.rawValue, text: table)
      buffer.attribute(NFTA_RULE_CHAIN.rawValue, text: chain)
      buffer.nested(NFTA_RULE_EXPRESSIONS.rawValue) { list in
        list.load(header: 1, offset: 16, length: 4)
        list.compare(address.bytes)
        list.expression("meta") {
          $0.attribute(NFTA_META_DREG.rawValue, big: UInt32(1))
          $0.attribute(NFTA_META_KEY.rawValue, big: UInt32(16))
        }
        list.compare([proto])
        list.load(header: 2, offset: 2, length: 2)
        list.compare(port.bigEndianBytes)
        list.immediate(register: 1, address.bytes)
        list.immediate(register: 2, newPort.bigEndianBytes)
        list.expression("nat") {
          $0.attribute(NFTA_NAT_TYPE.rawValue, big: UInt32(1))
          $0.attribute(NFTA_NAT_FAMILY.rawValue, big: UInt32(2))
          $0.attribute(NFTA_NAT_REG_ADDR_MIN.rawValue, big: UInt32(1))
          $0.attribute(NFTA_NAT_REG_PROTO_MIN.rawValue, big: UInt32(2))
        }
      }
    }
  }

  fileprivate static func type(_ message: nf_tables_msg_types) -> Int32 {
    10 << 8 | Int32(message.rawValue)
  }

  fileprivate static func writeHeader(_ family: NFTablesFamily, to buffer: inout NetlinkBuffer) {
    buffer.append([family.rawValue, UInt8(0), UInt8(0), UInt8(0)])
  }

  private mutating func change(
    _ message: nf_tables_msg_types, _ family: NFTablesFamily, flags: Int32,
    _ body: (inout NetlinkBuffer) -> Void
  ) {
    changes += 1
    buffer.message(NFTablesTransaction.type(message), flags: NLM_F_ACK | flags) { buffer in
      NFTablesTransaction.writeHeader(family, to: &buffer)
      body(&buffer)
    }
  }

  private mutating func writeBoundary(_ type: Int32) {
    buffer.message(type) { $0.append([UInt8(0), UInt8(0), UInt8(0), UInt8(10)]) }
  }

  private static func write(
    _ elements: [NFTablesElement], table: String, set: String, to buffer: inout NetlinkBuffer
  ) {
    buffer.attribute(NFTA_SET_ELEM_LIST_TABLE.rawValue, text: table)
    buffer.attribute(NFTA_SET_ELEM_LIST_SET.rawValue, text: set)
    buffer.nested(NFTA_SET_ELEM_LIST_ELEMENTS.rawValue) { list in
      for element in elements {
        list.nested(NFTA_LIST_ELEM.rawValue) { item in
          item.nested(NFTA_SET_ELEM_KEY.rawValue) {
            $0.attribute(NFTA_DATA_VALUE.rawValue, element.key)
          }
          if let end = element.end {
            item.nested(NFTA_SET_ELEM_KEY_END.rawValue) {
              $0.attribute(NFTA_DATA_VALUE.rawValue, end)
            }
          }
          guard let data = element.data else { return }
          item.nested(NFTA_SET_ELEM_DATA.rawValue) {
            $0.attribute(NFTA_DATA_VALUE.rawValue, data)
          }
        }
      }
    }
  }
}

extension NetlinkBuffer {
  fileprivate mutating func expression(
    _ name: String, _ data: (inout NetlinkBuffer) -> Void
  ) {
    nested(NFTA_LIST_ELEM.rawValue) { item in
      item.attribute(NFTA_EXPR_NAME.rawValue, text: name)
      item.nested(NFTA_EXPR_DATA.rawValue, data)
    }
  }

  fileprivate mutating func load(header: UInt32, offset: UInt32, length: UInt32) {
    expression("payload") {
      $0.attribute(NFTA_PAYLOAD_DREG.rawValue, big: UInt32(1))
      $0.attribute(NFTA_PAYLOAD_BASE.rawValue, big: header)
      $0.attribute(NFTA_PAYLOAD_OFFSET.rawValue, big: offset)
      $0.attribute(NFTA_PAYLOAD_LEN.rawValue, big: length)
    }
  }

  fileprivate mutating func compare(_ bytes: [UInt8]) {
    expression("cmp") {
      $0.attribute(NFTA_CMP_SREG.rawValue, big: UInt32(1))
      $0.attribute(NFTA_CMP_OP.rawValue, big: UInt32(0))
      $0.nested(NFTA_CMP_DATA.rawValue) { $0.attribute(NFTA_DATA_VALUE.rawValue, bytes) }
    }
  }

  fileprivate mutating func immediate(register: UInt32, _ bytes: [UInt8]) {
    expression("immediate") {
      $0.attribute(NFTA_IMMEDIATE_DREG.rawValue, big: register)
      $0.nested(NFTA_IMMEDIATE_DATA.rawValue) { $0.attribute(NFTA_DATA_VALUE.rawValue, bytes) }
    }
  }
}

extension UInt16 {
  /// The two bytes in network order.
  package var bigEndianBytes: [UInt8] { [UInt8(self >> 8), UInt8(self & 0xff)] }
}
