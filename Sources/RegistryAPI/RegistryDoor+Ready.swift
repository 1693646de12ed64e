import Identity
package import NIOHTTP1
import Registry
package import Transport

extension RegistryDoor {
  /// Manifests that are in memory, for callers of whom everything is in memory. All else, refusals
  /// among it, goes the usual way.
  package func readyAnswer(
    to request: HTTPRequestHead, from peer: ConnectionPeer
  ) -> ReadyAnswer? {
    guard let (text, reference) = Self.manifestPath(request.uri),
      !request.headers.contains(name: "if-none-match"),
      // Whether a tag is still right may have to be asked elsewhere.
      distribution.upstream == nil || reference.utf8.contains(UInt8(ascii: ":"))
    else { return nil }
    let name = text.utf8.contains(UInt8(ascii: "/")) ? String(text) : "library/\(text)"
    guard let manifest = registry.cachedManifest(name, String(reference)),
      let repository = registry.cachedRepository(name),
      let caller = authenticator.rememberedCaller(of: request, address: peer.address),
      Self.mayPull(caller, name, text),
      let level = registry.immediateAccess(of: caller, to: repository),
      PermissionTable.allows(level, .pull)
    else { return nil }
    if request.method == .GET {
      // what is in memory under a name was read by that name, so it is well formed
      guard let reference = try? Reference(String(reference)) else { return nil }
      registry.recordPull(repository, reference, digest: manifest.digest, by: caller)
    }
    return ReadyAnswer(
      headers: DistributionDoor.manifestHeaders(manifest), body: manifest.content)
  }

  /// The parts of `/v2/NAME/manifests/REFERENCE`; nil for other paths, and for what must be decoded.
  static func manifestPath(_ uri: String) -> (name: Substring, reference: Substring)? {
    let bytes = uri.utf8
    guard uri.hasPrefix("/v2/"), let slash = bytes.lastIndex(of: UInt8(ascii: "/")),
      !bytes.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "?") })
    else { return nil }
    let start = bytes.index(bytes.startIndex, offsetBy: 4)
    let mark = "/manifests"
    guard slash > start, uri[start..<slash].hasSuffix(mark) else { return nil }
    let name = uri[start..<bytes.index(slash, offsetBy: -mark.utf8.count)]
    let reference = uri[bytes.index(after: slash)...]
    return name.isEmpty || reference.isEmpty ? nil : (name, reference)
  }

  /// Whether what the caller's token is limited to includes pulling, however the name was written.
  private static func mayPull(_ caller: Caller, _ name: String, _ text: Substring) -> Bool {
    guard let grants = caller.grants else { return true }
    return grants.contains { grant in
      grant.type == "repository" && (grant.name == name || grant.name == text)
        && grant.actions.contains("pull")
    }
  }
}

extension Authenticator {
  /// The caller, where everything that is needed to tell is in memory. Never waits.
  func rememberedCaller(of request: HTTPRequestHead, address: String?) -> Caller? {
    guard case .tokens(let authority, let service) = authentication else { return .system }
    switch Credentials(request.headers.first(name: "Authorization")) {
    case .none: return .anonymous(address: address)
    case .malformed: return nil
    case .basic(let name, let secret):
      return identity.rememberedCaller(name: name, secret: secret, address: address)
    case .bearer(let token):
      return authority.rememberedClaims(token, audience: service).flatMap {
        identity.rememberedCaller(for: $0, address: address)
      }
    }
  }
}
