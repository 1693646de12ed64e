import OCI
import Testing

@testable import Registry

@Suite struct NameTests {
  @Test(arguments: [
    "a/b", "library/x", "a-b/c", "a--b/c", "a__b/c", "a.b/c_d", "a/b/c/d", "0/1",
  ])
  func goodNamesAreTaken(_ text: String) throws {
    #expect(try RepositoryName(text).description == text)
  }

  @Test(arguments: [
    "", "/", "a/", "/a", "a//b", "A/b", "a/b-", "a/-b", "a..b/c", "a___b/c", "a._b/c", "a/b ",
    "a/ü", "a/b\u{0}", "a-/b",
  ])
  func badNamesAreRefused(_ text: String) {
    #expect(throws: RegistryError.self) { try RepositoryName(text) }
  }

  @Test func oneComponentIsInTheLibrary() throws {
    let name = try RepositoryName("redis")
    #expect(name.namespace == "library")
    #expect(name.name == "redis")
    #expect(try RepositoryName("a/b/c").name == "b/c")
  }

  @Test func lengthIsBounded() throws {
    #expect(try RepositoryName("a/" + String(repeating: "b", count: 253)).description.count == 255)
    #expect(throws: RegistryError.self) {
      try RepositoryName("a/" + String(repeating: "b", count: 254))
    }
  }

  /// The grammar as the specification writes it, against ours, on random text of its alphabet.
  @Test func namesFollowTheSpecification() throws {
    let component = #/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*/#
    var generator = SeededGenerator(seed: 1)
    let alphabet = Array("ab0._-/A")
    for _ in 0..<4_000 {
      let length = Int.random(in: 1...9, using: &generator)
      let text =
        "x/"
        + String((0..<length).map { _ in alphabet.randomElement(using: &generator) ?? "a" })
      let expected = try component.wholeMatch(in: text) != nil
      #expect(((try? RepositoryName(text)) != nil) == expected, "\(text)")
    }
  }

  @Test func tagsFollowTheSpecification() throws {
    let grammar = #/[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}/#
    var generator = SeededGenerator(seed: 2)
    let alphabet = Array("aZ0._-:/ ")
    for _ in 0..<4_000 {
      let length = Int.random(in: 0...5, using: &generator)
      let text = String((0..<length).map { _ in alphabet.randomElement(using: &generator) ?? "a" })
      let expected = try grammar.wholeMatch(in: text) != nil
      #expect((Tag(text) != nil) == expected, "\(text)")
    }
    #expect(Tag(String(repeating: "a", count: 128)) != nil)
    #expect(Tag(String(repeating: "a", count: 129)) == nil)
  }

  @Test func referencesAreDigestsOrTags() throws {
    let digest = Digest.sha256(of: [1])
    #expect(try Reference(digest.description) == .digest(digest))
    #expect(try Reference("v1").tag?.description == "v1")
    #expect(throws: RegistryError.self) { try Reference("sha256:abc") }
    #expect(throws: RegistryError.self) { try Reference("-v1") }
  }
}

@Suite struct PermissionTableTests {
  /// The published table, cell by cell: read-only, read-write, admin.
  @Test(
    arguments: [
      (.view, [true, true, true]), (.pull, [true, true, true]), (.push, [false, true, true]),
      (.startScan, [false, true, true]), (.deleteTag, [false, true, true]),
      (.editDescription, [false, false, true]), (.setVisibility, [false, false, true]),
      (.viewPolicies, [true, true, true]), (.promoteFrom, [true, true, true]),
      (.promoteInto, [false, true, true]), (.pushMirrorByHand, [true, true, true]),
      (.manageAccess, [false, false, true]), (.managePromotionPolicies, [false, false, true]),
      (.managePolicies, [false, false, true]), (.changeSettings, [false, false, true]),
      (.viewAllEvents, [false, false, true]), (.deleteRepository, [false, false, true]),
    ] as [(RepositoryAction, [Bool])])
  func levelsAllow(_ action: RepositoryAction, _ cells: [Bool]) {
    let levels: [AccessLevel] = [.readOnly, .readWrite, .admin]
    #expect(levels.map { PermissionTable.allows($0, action) } == cells)
    #expect(!PermissionTable.allows(.none, action))
  }

  @Test func tokenActionsGrowWithTheLevel() {
    for (less, more) in zip(AccessLevel.allCases, AccessLevel.allCases.dropFirst()) {
      #expect(
        Set(PermissionTable.tokenActions(less)).isStrictSubset(
          of: PermissionTable.tokenActions(more)))
    }
  }
}
