import FoundationEssentials
import Host

/// Other programs' FORWARD chains (dockerd's, a host firewall's).
///
/// A packet must pass every chain of a hook, so a chain that drops by default also drops what our
/// bridges forward, and, where bridged frames are filtered, what containers of one bridge say to
/// each other (dockerd sets that policy whenever it starts). Where there is such a chain it gets
/// two rules for each bridge of ours, in
/// `DOCKER-USER` if there is one, which dockerd leaves to others, else at its beginning. Our own
/// table still drops what must not pass.
struct ForeignForwarding {
  /// Which daemon's rules they are: the name of its table.
  let owner: String

  private var mark: String { "martlet:\(owner):" }

  /// Makes exactly these bridges pass. Blocks.
  /// - Throws: `NFTablesError`.
  func pass(_ bridges: Set<String>) throws {
    let context = try NFTablesContext(json: true)
    for family in ["ip", "ip6"] {
      guard let chain = target(family, context) else { continue }
      let rules = try objects(context.run("list chain \(family) filter \(chain)"))
        .compactMap(\.rule)
      // Read after the rules: a daemon makes its bridge first.
      let links = Set(try RouteSocket().links().map(\.name))
      var commands = ""
      var present: Set<String> = []
      for rule in rules {
        guard let comment = rule.comment, comment.hasPrefix("martlet:"),
          let bridge = comment.split(separator: ":").last.map(String.init)
        else { continue }
        if comment.hasPrefix(mark), bridges.contains(bridge) {
          present.insert(bridge)
        } else if comment.hasPrefix(mark) {
          commands += "delete rule \(family) filter \(chain) handle \(rule.handle)\n"
        } else if !links.contains(bridge) {
          // Another daemon's that is gone with its bridge; somebody else may be removing it, too.
          let removal = "delete rule \(family) filter \(chain) handle \(rule.handle)"
          _ = try? context.run(removal)  // see above
        }
      }
      for bridge in bridges.subtracting(present).sorted() {
        for direction in ["iifname", "oifname"] {
          commands +=
            "insert rule \(family) filter \(chain) \(direction) \"\(bridge)\" counter "
            + "accept comment \"\(mark)\(bridge)\"\n"
        }
      }
      if !commands.isEmpty { try context.run(commands) }
    }
  }

  /// The chain our rules belong in; nil if nothing is dropped by default.
  private func target(_ family: String, _ context: NFTablesContext) -> String? {
    // Usually there is no such table, which is said by an error.
    guard let text = try? context.run("list table \(family) filter"),  // see above
      let objects = try? objects(text)  // not understood: not touched
    else { return nil }
    let chains = objects.compactMap(\.chain)
    let drops = chains.contains { $0.name == "FORWARD" && $0.policy == "drop" }
    let ours = objects.contains { $0.rule?.comment?.hasPrefix(mark) == true }
    guard drops || ours else { return nil }
    return chains.contains { $0.name == "DOCKER-USER" } ? "DOCKER-USER" : "FORWARD"
  }

  private func objects(_ text: String) throws -> [Object] {
    try JSONDecoder().decode(Listing.self, from: Data(text.utf8)).nftables
  }

  private struct Listing: Decodable { var nftables: [Object] }

  private struct Object: Decodable {
    var chain: Chain?
    var rule: Rule?
  }

  private struct Chain: Decodable {
    var name: String
    var policy: String?
  }

  private struct Rule: Decodable {
    var handle: Int
    var comment: String?
  }
}
