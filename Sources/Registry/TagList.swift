package import NIOCore
import Synchronization

/// Every tag of a repository at some moment, in bytewise order.
package final class TagList: Sendable {
  /// The tags' names.
  package let names: [String]
  private let encoded = Mutex<ByteBuffer?>(nil)

  init(_ names: [String]) { self.names = names }

  /// What the list is answered as: made by `encode` at its first use, and kept with the list. All
  /// callers must encode alike.
  package func encoding(_ encode: ([String]) -> ByteBuffer) -> ByteBuffer {
    if let known = encoded.withLock({ $0 }) { return known }
    let made = encode(names)
    encoded.withLock { $0 = made }
    return made
  }

  /// The names after the text `after`, which need not be a tag there is.
  func page(after: String?, limit: Int?) -> Page<String> {
    let start = after.map { index(after: $0) } ?? 0
    let end = limit.map { min(names.count, start + $0) } ?? names.count
    return Page(items: Array(names[start..<end]), more: end < names.count)
  }

  /// What it takes in memory with its encoding, about.
  var cost: Int { names.reduce(256) { $0 + 20 + 2 * $1.utf8.count } }

  /// The index of the first name that comes after a text.
  private func index(after text: String) -> Int {
    var (low, high) = (0, names.count)
    while low < high {
      let middle = (low + high) / 2
      if text.utf8.lexicographicallyPrecedes(names[middle].utf8) {
        high = middle
      } else {
        low = middle + 1
      }
    }
    return low
  }
}
