import Glibc
import Host
import OCI
import Testing

@testable import ImageStore

@Suite struct LocalRegistryTests {
  private struct Places {
    let folder = "/tmp/martlet-local-registry-\(Identifier.hexadecimal(bytes: 8))"
    let content: [UInt8] = Array("content of a layer".utf8)
    var digest: Digest { Digest.sha256(of: content) }
    var blob: String { folder + "/blobs/ab/abcdef" }
    var target: String { folder + "/target" }

    init(root: String? = nil, mode: mode_t = 0o644) throws {
      try Paths.makeDirectories(folder + "/blobs/ab", mode: 0o700)
      try Paths.makeDirectories(folder + "/announced", mode: 0o700)
      try DurableFile.publish(content, to: blob, mode: 0o600)
      let text = Array(((root ?? folder + "/blobs") + "\n").utf8)
      try DurableFile.publish(text, to: folder + "/announced/5000", mode: 0o644)
      guard chmod(folder + "/announced/5000", mode) == 0 else { throw SystemError.last("chmod") }
    }

    func registry(_ host: String = "localhost:5000") -> LocalRegistry? {
      LocalRegistry(host: host, announcedIn: folder + "/announced")
    }

    func remove() throws { try TreeRemoval.remove(folder) }
  }

  @Test func aBlobIsLinkedWhenItIsWhatWasAskedFor() throws {
    let places = try Places()
    defer { try? places.remove() }  // only tidying up
    let registry = try #require(places.registry())
    let size = Int64(places.content.count)
    #expect(try registry.link(places.blob, as: places.digest, size: size, to: places.target))
    var (original, linked) = (stat(), stat())
    #expect(stat(places.blob, &original) == 0 && stat(places.target, &linked) == 0)
    #expect(original.st_ino == linked.st_ino)
  }

  @Test func whatIsNotTheBlobIsNotTaken() throws {
    let places = try Places()
    defer { try? places.remove() }  // only tidying up
    let registry = try #require(places.registry())
    let size = Int64(places.content.count)
    let other = Digest.sha256(of: Array("something else".utf8))
    let target = places.target
    #expect(try !registry.link(places.blob, as: other, size: size, to: target))
    #expect(try !registry.link(places.blob, as: places.digest, size: size + 1, to: target))
    #expect(try !registry.link("/etc/passwd", as: places.digest, size: size, to: target))
    let around = places.folder + "/blobs/../announced/5000"
    #expect(try !registry.link(around, as: places.digest, size: size, to: target))
    let link = places.folder + "/blobs/link"
    symlink(places.blob, link)
    #expect(try !registry.link(link, as: places.digest, size: size, to: target))
    #expect(access(target, F_OK) != 0)
  }

  @Test func onlyTrustedAnnouncementsCount() throws {
    let places = try Places()
    defer { try? places.remove() }  // only tidying up
    for host in ["localhost", "localhost:5001", "registry.example:5000", "10.0.0.1:5000", ":5000"] {
      #expect(places.registry(host) == nil, "\(host)")
    }
    #expect(places.registry("127.0.0.1:5000") != nil)
    for (root, mode) in [("relative", 0o644), ("/", 0o644), ("/a/../b", 0o644), ("/a", 0o666)] {
      let bad = try Places(root: root, mode: mode_t(mode))
      defer { try? bad.remove() }  // only tidying up
      #expect(bad.registry() == nil, "\(root) \(mode)")
    }
  }
}
