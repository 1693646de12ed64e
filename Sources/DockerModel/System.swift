/// What answers here and in which version (`SystemVersion`).
package struct SystemVersion: Codable, Sendable, Hashable {
  package var platform: SystemVersionPlatform = SystemVersionPlatform()
  package var components: [SystemVersionComponent] = []
  package var version: String = ""
  package var apiVersion: String = ""
  package var minAPIVersion: String = ""
  package var gitCommit: String = ""
  package var goVersion: String = ""
  package var os: String = ""
  package var arch: String = ""
  package var kernelVersion: String = ""
  package var experimental: Bool = false
  package var buildTime: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case platform = "Platform"
    case components = "Components"
    case version = "Version"
    case apiVersion = "ApiVersion"
    case minAPIVersion = "MinAPIVersion"
    case gitCommit = "GitCommit"
    case goVersion = "GoVersion"
    case os = "Os"
    case arch = "Arch"
    case kernelVersion = "KernelVersion"
    case experimental = "Experimental"
    case buildTime = "BuildTime"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    platform = try values.value(.platform) ?? SystemVersionPlatform()
    components = try values.value(.components) ?? []
    version = try values.value(.version) ?? ""
    apiVersion = try values.value(.apiVersion) ?? ""
    minAPIVersion = try values.value(.minAPIVersion) ?? ""
    gitCommit = try values.value(.gitCommit) ?? ""
    goVersion = try values.value(.goVersion) ?? ""
    os = try values.value(.os) ?? ""
    arch = try values.value(.arch) ?? ""
    kernelVersion = try values.value(.kernelVersion) ?? ""
    experimental = try values.value(.experimental) ?? false
    buildTime = try values.value(.buildTime) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(platform, forKey: .platform)
    try values.encode(components, forKey: .components)
    try values.encode(version, forKey: .version)
    try values.encode(apiVersion, forKey: .apiVersion)
    try values.encode(minAPIVersion, forKey: .minAPIVersion)
    try values.encode(gitCommit, forKey: .gitCommit)
    try values.encode(goVersion, forKey: .goVersion)
    try values.encode(os, forKey: .os)
    try values.encode(arch, forKey: .arch)
    try values.encode(kernelVersion, forKey: .kernelVersion)
    try values.encodeUnlessUnset(experimental, forKey: .experimental)
    try values.encode(buildTime, forKey: .buildTime)
  }
}

/// The product's name.
package struct SystemVersionPlatform: Codable, Sendable, Hashable {
  package var name: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case name = "Name"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    name = try values.value(.name) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(name, forKey: .name)
  }
}

/// One part of the product.
package struct SystemVersionComponent: Codable, Sendable, Hashable {
  package var name: String = ""
  package var version: String = ""
  package var details: [String: String]?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case name = "Name"
    case version = "Version"
    case details = "Details"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    name = try values.value(.name) ?? ""
    version = try values.value(.version) ?? ""
    details = try values.decodeIfPresent([String: String].self, forKey: .details)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(name, forKey: .name)
    try values.encode(version, forKey: .version)
    try values.encodeIfPresent(details, forKey: .details)
  }
}
