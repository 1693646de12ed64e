/// The name of a record: any non-empty run of bytes, ordered bytewise.
///
/// etcd: the `key` fields of `etcdserverpb`. Our own key spaces are UTF-8 paths such as
/// `/engine/containers/ID`.
package struct Key: Hashable, Sendable {
  /// The bytes of the key. An empty key names nothing and is refused by every store.
  package var bytes: [UInt8]

  /// A key of exactly these bytes.
  package init(bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// A key of the UTF-8 bytes of `string`.
  package init(_ string: String) {
    self.bytes = Array(string.utf8)
  }

  /// The key as text; bytes that are no UTF-8 are repaired, so this is for people and for keys
  /// that were made from text.
  package var string: String {
    String(decoding: bytes, as: UTF8.self)
  }

  /// This key followed by the UTF-8 bytes of `suffix`.
  package func appending(_ suffix: String) -> Key {
    Key(bytes: bytes + suffix.utf8)
  }

  /// What follows `prefix` in this key as text, or nil when the key does not begin with it.
  package func suffix(after prefix: Key) -> String? {
    guard bytes.starts(with: prefix.bytes) else { return nil }
    return String(decoding: bytes.dropFirst(prefix.bytes.count), as: UTF8.self)
  }
}

extension Key: ExpressibleByStringLiteral {
  /// A key of the UTF-8 bytes of the literal.
  package init(stringLiteral value: String) {
    self.init(value)
  }
}

extension Key: CustomStringConvertible {
  /// The key as text.
  package var description: String { string }
}

extension Key: Comparable {
  /// Bytewise order, a proper prefix first.
  package static func < (left: Key, right: Key) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }
}

/// A set of neighbouring keys.
///
/// etcd: the pair `key` and `range_end`: none is one key, `\0` is everything from `key` on,
/// anything else is the half-open interval `[key, range_end)`.
package struct KeyRange: Hashable, Sendable {
  /// Where a range stops.
  package enum End: Hashable, Sendable {
    /// The range is the start key alone. etcd: empty `range_end`.
    case onlyStart
    /// The range ends before this key. etcd: `range_end`.
    case before(Key)
    /// The range has no end. etcd: `range_end` of one zero byte.
    case unbounded
  }

  /// The first key that can be in the range. etcd: `key`.
  package var start: Key
  /// Where the range stops. etcd: `range_end`.
  package var end: End

  /// The range from `start` to `end`.
  package init(start: Key, end: End) {
    self.start = start
    self.end = end
  }

  /// One key.
  package static func key(_ key: Key) -> KeyRange {
    KeyRange(start: key, end: .onlyStart)
  }

  /// The half-open interval `[start, end)`; empty when `end <= start`.
  package static func interval(_ start: Key, _ end: Key) -> KeyRange {
    KeyRange(start: start, end: .before(end))
  }

  /// Every key from `start` on, `start` included.
  package static func from(_ start: Key) -> KeyRange {
    KeyRange(start: start, end: .unbounded)
  }

  /// Every key that begins with `prefix`; an empty prefix is every key.
  package static func prefix(_ prefix: Key) -> KeyRange {
    guard !prefix.bytes.isEmpty else { return .all }
    var end = prefix.bytes
    while let last = end.popLast() {
      if last < UInt8.max {
        end.append(last + 1)
        return .interval(prefix, Key(bytes: end))
      }
    }
    return .from(prefix)
  }

  /// Every key. etcd: `key` and `range_end` both one zero byte.
  package static let all = KeyRange(start: Key(bytes: [0]), end: .unbounded)

  /// Whether `key` is in the range.
  package func contains(_ key: Key) -> Bool {
    switch end {
    case .onlyStart: key == start
    case .before(let end): !(key < start) && key < end
    case .unbounded: !(key < start)
    }
  }
}
