/// The machine that an image is built for, in the words of Go (`linux`, `amd64`, `v8`).
package struct Platform: Hashable, Sendable, Codable, CustomStringConvertible {
  package var architecture: String
  package var os: String
  package var variant: String?
  package var osVersion: String?
  package var osFeatures: [String]?

  enum CodingKeys: String, CodingKey {
    case architecture
    case os
    case variant
    case osVersion = "os.version"
    case osFeatures = "os.features"
  }

  package init(
    os: String, architecture: String, variant: String? = nil, osVersion: String? = nil,
    osFeatures: [String]? = nil
  ) {
    self.os = os
    self.architecture = architecture
    self.variant = variant
    self.osVersion = osVersion
    self.osFeatures = osFeatures
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    architecture = try container.decodeIfPresent(String.self, forKey: .architecture) ?? ""
    os = try container.decodeIfPresent(String.self, forKey: .os) ?? ""
    variant = try container.decodeIfPresent(String.self, forKey: .variant)
    osVersion = try container.decodeIfPresent(String.self, forKey: .osVersion)
    osFeatures = try container.decodeIfPresent([String].self, forKey: .osFeatures)
  }

  /// The platform this process was built for.
  package static var host: Platform {
    #if arch(x86_64)
      return Platform(os: "linux", architecture: "amd64")
    #elseif arch(arm64)
      return Platform(os: "linux", architecture: "arm64", variant: "v8")
    #else
      return Platform(os: "linux", architecture: "unknown")
    #endif
  }

  /// A platform from `os`, `arch`, `os/arch` or `os/arch/variant`, with what is left out taken
  /// from the host. Throws ``OCIError`` (`invalidPlatform`).
  package init(parsing text: String) throws {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map {
      $0.lowercased()
    }
    let allowed = parts.allSatisfy { part in
      !part.isEmpty
        && part.utf8.allSatisfy {
          (48...57).contains($0) || (97...122).contains($0) || $0 == 45 || $0 == 46 || $0 == 95
        }
    }
    guard allowed, (1...3).contains(parts.count) else {
      throw OCIError(
        .invalidPlatform, "invalid platform, it must be os[/arch[/variant]]",
        metadata: ["platform": String(text.prefix(100))])
    }
    if parts.count == 1 {
      let systems: Set<String> = ["linux", "windows", "darwin", "freebsd"]
      let host = Platform.host
      self =
        systems.contains(parts[0])
        ? Platform(os: parts[0], architecture: host.architecture, variant: host.variant)
        : Platform(os: host.os, architecture: parts[0])
    } else {
      self = Platform(
        os: parts[0], architecture: parts[1], variant: parts.count == 3 ? parts[2] : nil)
    }
    self = normalized
  }

  package var description: String {
    [os, architecture, variant ?? ""].filter { !$0.isEmpty }.joined(separator: "/")
  }

  /// The same platform with the architecture's other names replaced by the usual one.
  package var normalized: Platform {
    var result = self
    result.os = os.lowercased()
    result.architecture = architecture.lowercased()
    if variant == "" { result.variant = nil }
    switch result.architecture {
    case "x86_64", "x86-64":
      result.architecture = "amd64"
      if result.variant == "v1" { result.variant = nil }
    case "amd64":
      if result.variant == "v1" { result.variant = nil }
    case "aarch64", "arm64":
      result.architecture = "arm64"
      if result.variant == nil || result.variant == "8" { result.variant = "v8" }
    case "armhf":
      result.architecture = "arm"
      result.variant = "v7"
    case "armel":
      result.architecture = "arm"
      result.variant = "v6"
    case "arm":
      if result.variant == nil || result.variant == "7" { result.variant = "v7" }
    case "i386", "i486", "i586", "i686":
      result.architecture = "386"
    default: break
    }
    return result
  }

  /// How well an image for `candidate` runs where this platform is wanted: nil not at all, else
  /// higher is better. An amd64 machine of a given level runs the lower levels too, and likewise
  /// the variants of 32-bit arm.
  package func preference(for candidate: Platform) -> Int? {
    let wanted = normalized
    let offered = candidate.normalized
    guard wanted.os == offered.os, wanted.architecture == offered.architecture else { return nil }
    if wanted.variant == offered.variant { return 100 }
    let level = { (variant: String?) in Int(variant?.dropFirst() ?? "1") }
    switch wanted.architecture {
    case "amd64", "arm":
      guard let most = level(wanted.variant), let has = level(offered.variant), has <= most
      else { return nil }
      return has
    default:
      return nil
    }
  }
}
