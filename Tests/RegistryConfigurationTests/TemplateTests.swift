import BlobStorage
import FoundationEssentials
import Testing

@testable import RegistryConfiguration

@Suite("What is written about the configuration") struct TemplateTests {
  private static func read(_ text: String) throws -> RegistryConfiguration {
    try RegistryConfiguration.resolve(
      file: RegistryConfigurationFile(path: "t.yml", contents: Array(text.utf8)))
  }

  @Test("a file of the defaults says the defaults")
  func defaults() throws {
    var wanted = RegistryConfiguration()
    wanted.storage.driver = .filesystem(
      root: "/var/lib/martlet/registry/storage", threads: nil)
    #expect(try Self.read(RegistryConfigurationTemplate().text) == wanted)
  }

  @Test("a file says what was asked for, whatever is in the texts")
  func askedFor() throws {
    var template = RegistryConfigurationTemplate()
    template.dataRoot = "/srv/a folder: \"#1\" \\ \u{7} é"
    template.storageRoot = "/mnt/{x}"
    template.address = ":443"
    template.publicURL = "https://images.example.com"
    template.administrator = "1234"
    template.pidfile = "/run/a.pid"
    template.tls = ("/etc/c.pem", "/etc/k.pem")
    let read = try Self.read(template.text)
    #expect(read.dataRoot == template.dataRoot)
    #expect(read.storage.driver == .filesystem(root: "/mnt/{x}", threads: nil))
    #expect(read.http.address == .tcp(host: "", port: 443))
    #expect(read.http.publicURL == "https://images.example.com")
    #expect(read.administrator.username == "1234")
    #expect(read.pidfile == "/run/a.pid")
    #expect(read.http.tls == .init(certificate: "/etc/c.pem", key: "/etc/k.pem"))
  }

  @Test("what a file has in comments is right, too")
  func comments() throws {
    var lines = RegistryConfigurationTemplate().text.split(
      separator: "\n", omittingEmptySubsequences: false
    ).map(String.init)
    // what excludes one another, and what is prose
    lines.removeAll { $0.hasPrefix("  filesystem:") || $0.hasPrefix("    rootdirectory:") }
    let uncommented = lines.map { line -> String in
      guard line.hasPrefix("# "), let colon = line.firstIndex(of: ":") else { return line }
      let key = line[..<colon].dropFirst(2).drop { $0 == " " }
      let isKey = key.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) }
      return isKey && !key.isEmpty ? String(line.dropFirst(2)) : line
    }
    let read = try Self.read(uncommented.joined(separator: "\n"))
    #expect(read.log.hasAccessLog && read.log.format == .json)
    guard case .s3(let bucket) = read.storage.driver else {
      Issue.record("no bucket")
      return
    }
    #expect(bucket.bucket == "images" && bucket.forcePathStyle)
    #expect(read.http.tls != nil && read.http.publicURL != nil && read.proxy != nil)
    #expect(read.garbageCollection.schedule != nil)
    guard case .etcd(let etcd) = read.store else {
      Issue.record("no etcd")
      return
    }
    #expect(etcd.endpoints.count == 3)
  }

  @Test("the page on the configuration names every key, and none that is not there")
  func page() throws {
    let path =
      #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
      + "/docs/registry-configuration.md"
    let page = try String(contentsOf: URL(filePath: path), encoding: .utf8)
    let keys = Set(RegistrySetting.all.map(\.key))
    for key in keys { #expect(page.contains("`\(key)`"), "\(key) is not on the page") }
    for row in page.split(separator: "\n") where row.hasPrefix("| `") {
      let cell = row.dropFirst(2).prefix { $0 != "|" }
      for (index, word) in cell.split(separator: "`").enumerated()
      where index % 2 == 0 && word != " " && word != ", " {
        let isThere = keys.contains(String(word)) || ["auth.none", "auth.token"].contains(word)
        #expect(isThere, "\(word) is no key")
      }
    }
    for (key, _) in RegistrySetting.refused { #expect(!keys.contains(key)) }
  }
}
