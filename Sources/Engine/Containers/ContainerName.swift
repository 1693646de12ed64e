/// Names of containers: which are allowed, and made-up ones.
enum ContainerName {
  /// Whether a name is a letter or digit followed by letters, digits, `_`, `.` and `-`.
  static func isValid(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    guard bytes.count >= 2, bytes.count <= 255, let first = bytes.first, isAlphanumeric(first)
    else { return false }
    return bytes.dropFirst().allSatisfy { isAlphanumeric($0) || "_.-".utf8.contains($0) }
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: false
    }
  }

  /// A name that is easy to say, as in `swift_heron`; with a number from the third attempt on.
  static func random(attempt: Int) -> String {
    let adjective = adjectives.randomElement() ?? "plain"
    let bird = birds.randomElement() ?? "martlet"
    return "\(adjective)_\(bird)" + (attempt > 2 ? String(Int.random(in: 0..<10_000)) : "")
  }

  private static let adjectives = [
    "airy", "amber", "azure", "bold", "brave", "bright", "brisk", "calm", "clear", "clever",
    "copper", "coral", "crisp", "daring", "dawn", "deft", "eager", "early", "easy", "fair",
    "fleet", "fond", "free", "fresh", "gentle", "glad", "golden", "grand", "happy", "hardy",
    "honest", "humble", "ivory", "jolly", "keen", "kind", "light", "lively", "lucid", "lucky",
    "mellow", "merry", "mild", "misty", "neat", "nimble", "noble", "patient", "plucky", "polite",
    "proud", "quick", "quiet", "rapid", "ready", "rosy", "rustic", "serene", "sharp", "silver",
    "sleek", "smart", "snowy", "steady", "stout", "sunny", "swift", "tidy", "true", "vivid",
    "warm", "wise", "witty", "young",
  ]

  private static let birds = [
    "avocet", "bittern", "bluetit", "bunting", "buzzard", "chaffinch", "cormorant", "crane",
    "crossbill", "cuckoo", "curlew", "dipper", "dotterel", "dunlin", "eagle", "egret", "eider",
    "falcon", "fieldfare", "finch", "gannet", "goldcrest", "goshawk", "grebe", "grouse", "harrier",
    "heron", "hobby", "hoopoe", "ibis", "jackdaw", "jay", "kestrel", "kingfisher", "kite",
    "lapwing", "lark", "linnet", "magpie", "mallard", "martin", "martlet", "merlin", "moorhen",
    "nightjar", "nuthatch", "oriole", "osprey", "ouzel", "owl", "partridge", "petrel", "pipit",
    "plover", "ptarmigan", "puffin", "rail", "raven", "redstart", "robin", "rook", "sandpiper",
    "serin", "shearwater", "shrike", "siskin", "skua", "snipe", "starling", "stilt", "stonechat",
    "stork", "swallow", "swan", "swift", "teal", "tern", "thrush", "treecreeper", "turnstone",
    "wagtail", "warbler", "waxwing", "wheatear", "whimbrel", "wigeon", "woodcock", "wren",
  ]
}
