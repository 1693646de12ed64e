import FoundationEssentials
import Glibc
import Host
import NIOCore
import OCI

/// The members of an image archive, put aside into a folder as they stream in: `docker load` cannot
/// know which of them are layers before it has seen the manifest, which may come last.
struct StagedArchive: Sendable {
  /// A member whose bytes lie in a file of the folder.
  struct Member: Sendable {
    var file: String
    var size: Int64
    var digest: Digest
  }

  /// The folder, to be removed by whoever staged.
  let folder: String
  private(set) var members: [String: Member] = [:]
  private(set) var links: [String: String] = [:]

  private static let maximumMembers = 100_000

  /// Stages what `source` holds, plain or compressed. Blocks.
  init(_ source: any ByteSource, folder: String, limits: UnpackingLimits) throws {
    self.folder = folder
    let expansion = ExpansionLimit(
      maximumBytes: limits.maximumBytes, maximumRatio: limits.maximumRatio,
      floor: limits.ratioFloor)
    let plain = try Compression.decompressing(source, limit: expansion).source
    let archive = TarReader(plain)
    var total: Int64 = 0
    while let entry = try archive.next() {
      let name = try Self.name(entry.path)
      switch entry.kind {
      case .file:
        total += entry.size
        guard total <= limits.maximumBytes, members.count < Self.maximumMembers else {
          throw ImageStoreError(.hostileArchive, "the archive is larger than is allowed")
        }
        members[name] = try store(archive, entry)
      case .symbolicLink, .hardLink:
        // Old archives name a layer that they hold already by a link.
        let parent = entry.kind == .hardLink ? "" : Paths.parent(of: "/" + name)
        let target = String(decoding: entry.linkPath, as: UTF8.self)
        links[name] = String(Paths.cleaned(parent + "/" + target).dropFirst())
      default: continue
      }
    }
    try archive.drain()
  }

  private static func name(_ path: [UInt8]) throws -> String {
    let text = String(decoding: path, as: UTF8.self)
    guard !text.hasPrefix("/"), !text.split(separator: "/").contains("..") else {
      throw ImageStoreError(
        .hostileArchive, "a name in the archive leads outside of it",
        metadata: ["entry": String(text.prefix(200))])
    }
    return String(Paths.cleaned("/" + text).dropFirst())
  }

  private func store(_ archive: TarReader, _ entry: TarEntry) throws -> Member {
    let path = "\(folder)/\(Identifier.hexadecimal(bytes: 8))"
    let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
    var hasher = DigestHasher()
    var written: Int64 = 0
    try archive.readData { bytes, offset in
      guard offset == written else {
        throw ImageStoreError(.unsupported, "an image archive with sparse members")
      }
      hasher.update(bytes)
      try file.write(bytes)
      written += Int64(bytes.count)
    }
    return Member(file: path, size: written, digest: hasher.finalize())
  }

  /// The member of this name, links followed.
  func member(_ name: String) -> Member? {
    var current = String(Paths.cleaned("/" + name).dropFirst())
    for _ in 0..<16 {
      if let member = members[current] { return member }
      guard let next = links[current] else { return nil }
      current = next
    }
    return nil
  }

  /// The bytes of a small member. Throws `invalidContent` if it is not there.
  func read(_ name: String, limit: Int) throws -> [UInt8] {
    guard let member = member(name) else {
      throw ImageStoreError(
        .invalidContent, "the archive lacks a file that it names",
        metadata: ["file": String(name.prefix(200))])
    }
    guard member.size <= Int64(limit) else {
      throw ImageStoreError(
        .invalidContent, "a file of the archive is larger than is allowed",
        metadata: ["file": String(name.prefix(200))])
    }
    return try Paths.read(member.file, limit: limit)
  }

  /// The member that holds a blob of an OCI layout; its content must have the digest.
  func blob(_ digest: Digest) throws -> Member {
    guard let member = member("blobs/\(digest.algorithm.rawValue)/\(digest.hex)") else {
      throw ImageStoreError(
        .invalidContent, "the archive lacks a blob that it names",
        metadata: ["digest": "\(digest)"])
    }
    if digest.algorithm == .sha256, member.digest != digest {
      throw ImageStoreError(
        .invalidContent, "a blob of the archive does not have its digest",
        metadata: ["digest": "\(digest)", "found": "\(member.digest)"])
    }
    return member
  }
}

/// One image of an archive, in whatever way the archive describes it.
struct ArchivedImage: Sendable {
  var configurationBytes: [UInt8]
  /// The files of the layers, lowest first.
  var layers: [(member: StagedArchive.Member, mediaType: String?)]
  var manifest: (descriptor: ContentDescriptor, bytes: [UInt8])?
  /// Full references.
  var names: [String]
}

/// Reads what images an archive holds.
struct ArchiveContents {
  let archive: StagedArchive
  let platform: Platform

  private struct DockerManifestItem: Codable {
    var config: String
    var repoTags: [String]?
    var layers: [String]?

    enum CodingKeys: String, CodingKey {
      case config = "Config"
      case repoTags = "RepoTags"
      case layers = "Layers"
    }
  }

  /// The images, in the archive's order. Throws ``ImageStoreError``.
  func images() throws -> [ArchivedImage] {
    if archive.member("manifest.json") != nil { return try dockerImages() }
    if archive.member("index.json") != nil { return try layoutImages() }
    throw ImageStoreError(
      .invalidContent,
      "the archive holds neither manifest.json nor index.json: it is not a saved image")
  }

  private func dockerImages() throws -> [ArchivedImage] {
    let bytes = try archive.read("manifest.json", limit: 16 << 20)
    let items = try BoundedJSON.decode(
      [DockerManifestItem].self, from: bytes, kind: "manifest.json", maximumBytes: 16 << 20)
    let manifests = layoutManifests()
    return try items.map { item in
      let configuration = try archive.read(item.config, limit: ImageConfiguration.maximumBytes)
      let layers = try (item.layers ?? []).map { name in
        guard let member = archive.member(name) else {
          throw ImageStoreError(
            .invalidContent, "the archive lacks a layer that it names",
            metadata: ["file": String(name.prefix(200))])
        }
        return member
      }
      let names = try (item.repoTags ?? []).map(ImageStore.tagName)
      let id = Digest.sha256(of: configuration)
      if let known = manifests[id], known.manifest.layers.map(\.digest) == layers.map(\.digest) {
        let pairs = zip(layers, known.manifest.layers).map { ($0, Optional($1.mediaType)) }
        return ArchivedImage(
          configurationBytes: configuration, layers: pairs,
          manifest: (known.descriptor, known.bytes), names: names)
      }
      return ArchivedImage(
        configurationBytes: configuration, layers: layers.map { ($0, nil) }, manifest: nil,
        names: names)
    }
  }

  private typealias KnownManifest = (
    manifest: Manifest, descriptor: ContentDescriptor, bytes: [UInt8]
  )

  /// Manifests of an OCI layout that is in the same archive, by the image's id. They are a bonus:
  /// what cannot be read is not used.
  private func layoutManifests() -> [Digest: KnownManifest] {
    guard archive.member("index.json") != nil, let index = try? readIndex() else { return [:] }
    var found: [Digest: KnownManifest] = [:]
    for descriptor in index.manifests {
      if let known = try? resolve(descriptor) {
        found[known.manifest.config.digest] = known
      }
    }
    return found
  }

  private func readIndex() throws -> ImageIndex {
    try BoundedJSON.decode(
      ImageIndex.self, from: try archive.read("index.json", limit: 4 << 20), kind: "index.json",
      maximumBytes: 4 << 20)
  }

  /// Follows a descriptor through indexes to the manifest for our platform.
  private func resolve(_ descriptor: ContentDescriptor, depth: Int = 0) throws -> KnownManifest {
    let member = try archive.blob(descriptor.digest)
    let bytes = try Paths.read(member.file, limit: ManifestDocument.maximumBytes)
    let (document, mediaType) = try ManifestDocument.parse(bytes, declared: descriptor.mediaType)
    switch document {
    case .image(let manifest):
      return (
        manifest,
        ContentDescriptor(
          mediaType: mediaType, digest: descriptor.digest, size: Int64(bytes.count)),
        bytes
      )
    case .index(let index):
      guard depth < 4, let next = index.manifest(for: platform) else {
        throw ImageStoreError(
          .unsupported, "the archive has no image for this platform",
          metadata: ["platform": "\(platform)"])
      }
      return try resolve(next, depth: depth + 1)
    }
  }

  private func layoutImages() throws -> [ArchivedImage] {
    try readIndex().manifests.map { descriptor in
      let known = try resolve(descriptor)
      let configuration = try archive.blob(known.manifest.config.digest)
      let layers = try known.manifest.layers.map {
        (try archive.blob($0.digest), Optional($0.mediaType))
      }
      return ArchivedImage(
        configurationBytes: try Paths.read(
          configuration.file, limit: ImageConfiguration.maximumBytes),
        layers: layers, manifest: (known.descriptor, known.bytes),
        names: Self.names(descriptor.annotations ?? [:]))
    }
  }

  /// The name in the annotations of a layout: containerd writes a whole one, others only the tag
  /// or a whole reference under the standard key.
  private static func names(_ annotations: [String: String]) -> [String] {
    for key in ["io.containerd.image.name", "org.opencontainers.image.ref.name"] {
      guard let text = annotations[key] else { continue }
      // A bare tag names no repository.
      if key.hasPrefix("org."), !text.contains("/"), !text.contains(":") { continue }
      if let name = try? ImageStore.tagName(text) { return [name] }
    }
    return []
  }
}
