import Testing

@testable import RegistryAPI

@Suite struct TokensParsingTests {
  @Test func scopes() throws {
    let scope = try #require(TokenScope("repository:host:5000/a/b:pull,push"))
    #expect(scope.type == "repository")
    #expect(scope.name == "host:5000/a/b")
    #expect(scope.actions == ["pull", "push"])
    #expect(TokenScope("repository(plugin):a:pull")?.type == "repository")
    #expect(TokenScope("registry:catalog:*")?.actions == ["*"])
    for text in ["", ":", "::", "a:b", "a::b", ":a:b", "a:b:", "a:b:,", "repository:a"] {
      #expect(TokenScope(text) == nil, "\(text)")
    }
  }

  @Test func severalScopes() {
    let scopes = TokenScope.parse(["repository:a:pull  repository:b:push", "nonsense", "x:y:z"])
    #expect(scopes.map(\.name) == ["a", "b", "y"])
    let many = String(repeating: "repository:a:pull ", count: 1_000)
    #expect(TokenScope.parse([many]).count == TokenScope.limit)
  }

  @Test func credentials() {
    #expect(Credentials(nil) == .none)
    #expect(Credentials("") == .none)
    #expect(Credentials("Basic YTpiOmM=") == .basic(name: "a", secret: "b:c"))
    #expect(Credentials("basic   YTo=") == .basic(name: "a", secret: ""))
    #expect(Credentials("Bearer abc") == .bearer("abc"))
    for text in [
      "Basic", "Basic ", "Basic !!!", "Basic YQ==", "Basic /w==", "Bearer ", "Digest x",
      "Bearer " + String(repeating: "x", count: 20_000),
    ] {
      #expect(Credentials(text) == .malformed, "\(text.prefix(40))")
    }
  }
}
