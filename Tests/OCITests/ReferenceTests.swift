import OCI
import Testing

@Suite struct ReferenceTests {
  @Test(arguments: [
    ("busybox", "docker.io/library/busybox", "busybox"),
    ("busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"),
    ("me/app", "docker.io/me/app", "me/app"),
    ("docker.io/busybox", "docker.io/library/busybox", "busybox"),
    ("index.docker.io/library/x", "docker.io/library/x", "x"),
    ("registry-1.docker.io/x/y", "docker.io/x/y", "x/y"),
    ("localhost/x", "localhost/x", "localhost/x"),
    ("host:5000/x/y/z:tag", "host:5000/x/y/z:tag", "host:5000/x/y/z:tag"),
    ("a.b/x__y-z.w", "a.b/x__y-z.w", "a.b/x__y-z.w"),
    ("[::1]:5000/x", "[::1]:5000/x", "[::1]:5000/x"),
    ("Upper.case/x", "Upper.case/x", "Upper.case/x"),
    ("x:T_1.-", "docker.io/library/x:T_1.-", "x:T_1.-"),
    ("docker.io/library/a/b", "docker.io/library/a/b", "library/a/b"),
  ])
  func widened(_ text: String, _ full: String, _ familiar: String) throws {
    let reference = try ImageReference(parsing: text)
    #expect(reference.description == full)
    #expect(reference.familiar == familiar)
    #expect(try ImageReference(parsing: familiar) == reference)
    #expect(try ImageReference(parsing: full) == reference)
  }

  @Test func digests() throws {
    let digest = Digest.sha256(of: Array("x".utf8))
    let reference = try ImageReference(parsing: "app:1@\(digest)")
    #expect(reference.tag == "1")
    #expect(reference.digest == digest)
    #expect(reference.description == "docker.io/library/app:1@\(digest)")
    #expect(reference.tagged == reference)
    #expect(try ImageReference(parsing: "app").tagged.tag == "latest")
  }

  @Test(arguments: [
    "", ":tag", "@sha256:00", "x:", "x:-tag", "UPPER", "x/UPPER", "UPPER/x", "x//y", "/x", "x/",
    "-x", "x-",
    "x..y", "x___y", "host:port/x", "a b", "x@sha256:abc", "x@md5:00", "http://x/y", "x:tag:tag",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "ü", "-a.b/x", "[::1/x",
    "[zz]/x", "x\u{0}", "x:t\n", ".",
  ])
  func refused(_ text: String) {
    #expect(throws: OCIError.self) { try ImageReference(parsing: text) }
  }

  @Test func lengths() throws {
    let name = String(repeating: "a", count: 245 - 8)
    #expect(throws: Never.self) { try ImageReference(parsing: "a.b/" + name) }
    #expect(throws: OCIError.self) {
      try ImageReference(parsing: String(repeating: "a", count: 300))
    }
    #expect(throws: Never.self) {
      try ImageReference(parsing: "x:" + String(repeating: "t", count: 128))
    }
    #expect(throws: OCIError.self) {
      try ImageReference(parsing: "x:" + String(repeating: "t", count: 129))
    }
  }

  /// Whatever is made by the grammar is read back the same; whatever is random does not crash.
  @Test func generated() throws {
    var generator = SystemRandomNumberGenerator()
    let separators = [".", "_", "__", "-", "---"]
    func run() -> String {
      String((0..<Int.random(in: 1...5)).compactMap { _ in "abc019".randomElement() })
    }
    func component() -> String {
      var text = run()
      for _ in 0..<Int.random(in: 0...2) { text += (separators.randomElement() ?? "-") + run() }
      return text
    }
    for _ in 0..<2000 {
      var text = (0..<Int.random(in: 1...4)).map { _ in component() }.joined(separator: "/")
      // A dot in the first of several parts would make it a registry.
      text = "me/" + text
      if Bool.random() { text = "reg.example:\(Int.random(in: 1...65535))/" + text }
      if Bool.random() { text += ":" + component() }
      if Bool.random() { text += "@\(Digest.sha256(of: Array(text.utf8)))" }
      let reference = try ImageReference(parsing: text)
      #expect(try ImageReference(parsing: reference.description) == reference)
      #expect(try ImageReference(parsing: reference.familiar) == reference)
    }
    let alphabet = Array("ab:/@.-_[]A0 \u{e9}\n")
    for _ in 0..<5000 {
      let length = Int.random(in: 0...30, using: &generator)
      let text = String((0..<length).compactMap { _ in alphabet.randomElement(using: &generator) })
      if let reference = try? ImageReference(parsing: text) {  // most are refused
        #expect(try ImageReference(parsing: reference.description) == reference)
      }
    }
  }
}
