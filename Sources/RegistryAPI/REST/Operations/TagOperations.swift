import Identity
import NIOHTTP1
import OCI
import Registry
import RegistryJobs
import Transport

extension Reference {
  /// The digest, if it is one.
  var digestValue: Digest? {
    guard case .digest(let digest) = self else { return nil }
    return digest
  }
}

/// Tags: looking at them, deleting, promoting and mirroring them by hand.
enum TagOperations {
  private static let root = "/api/v0/repositories/{namespace}/{repository}/tags"
  private static let missing: (HTTPResponseStatus, String) = (.notFound, "NO_SUCH_REPOSITORY")
  private static let domain = RESTParameter.string(
    "domain", "Where trust data would be looked for.")

  static let all: [RESTOperation] = [
    RESTOperation(
      .GET, root,
      .init(
        "listTags", "tags", "List the tags of a repository.", access: .anyone,
        query: RESTParameter.page + [
          domain, .flag("includeManifests", "Whether to answer images' histories too."),
        ], errors: [missing])
    ) { try await list($0) },
    RESTOperation(
      .GET, root + "/{reference}",
      .init(
        "getTag", "tags",
        "Show a tag, or every tag on a digest; one entry for each platform of an index.",
        access: .anyone,
        query: [
          domain, .string("os", "Only this operating system."),
          .string("arch", "Only this architecture."),
        ], errors: [missing, (.notFound, "NO_SUCH_REF")])
    ) { try await show($0) },
    RESTOperation(
      .DELETE, root + "/{reference}",
      .init(
        "deleteTag", "tags", "Delete a tag; its manifest stays until garbage is collected.",
        query: [domain], errors: [missing, (.notFound, "NO_SUCH_TAG")]), success: .noContent
    ) { request in
      let repository = try await request.repository(.deleteTag)
      guard let tag = Tag(request.path("reference")) else { throw noSuchTag(request) }
      try await request.registry.deleteTag(repository, tag, by: request.caller)
      return .init(Nothing())
    },
    RESTOperation(
      .POST, root + "/{reference}/promotion",
      .init(
        "promoteTag", "tags", "Give a tag to another repository of this registry.",
        errors: [missing, (.notFound, "NO_SUCH_TAG"), (.badRequest, "INVALID_TAG_NAME")]),
      takes: PromotionForm.self, success: .created
    ) { try await promote($0, $1) },
    RESTOperation(
      .POST, root + "/{reference}/pushMirroring",
      .init(
        "pushMirrorTag", "tags", "Send a tag to another registry.",
        errors: [missing, (.notFound, "NO_SUCH_TAG"), (.badRequest, "INVALID_TAG_NAME")]),
      takes: PushMirroringForm.self, success: .created
    ) { try await mirror($0, $1) },
  ]

  private static func noSuchTag(_ request: RESTRequest) -> RESTError {
    RESTError(
      .notFound, "NO_SUCH_TAG", "there is no such tag",
      detail: ["tag": String(request.path("reference").prefix(128))])
  }

  private static func list(_ request: RESTRequest) async throws -> RESTAnswer<[TagWire]> {
    let repository = try await request.repository(.view)
    let page = try await request.registry.tagDetails(
      repository, after: request.pageStart.flatMap { Tag($0) }, limit: request.pageSize())
    let withHistory = try request.flag("includeManifests")
    var tags: [TagWire] = []
    for entry in page.items {
      let history =
        withHistory
        ? try await request.registry.history(repository, entry.manifest.digest) : nil
      tags.append(TagWire(entry.tag, ManifestWire(entry.manifest, history: history)))
    }
    var count: Int?
    if try request.flag("count") {
      count = try await request.registry.tags(
        repository, after: nil, limit: 10_000_000
      ).items.count
    }
    return RESTAnswer(
      tags, next: page.more ? page.items.last?.tag.name.description : nil, count: count)
  }

  private static func show(_ request: RESTRequest) async throws -> RESTAnswer<[TagWire]> {
    let repository = try await request.repository(.view)
    let missing = RESTError(
      .notFound, "NO_SUCH_REF", "there is no such tag or digest",
      detail: ["reference": String(request.path("reference").prefix(200))])
    let found: [TagRecord]
    do {
      switch try Reference(request.path("reference")) {
      case .tag(let tag): found = [try await request.registry.tag(repository, tag)]
      case .digest(let digest):
        found = try await request.registry.tags(repository, on: digest)
      }
    } catch let error as RegistryError
      where [.tagUnknown, .manifestUnknown, .tagInvalid, .digestInvalid].contains(error.code)
    {
      throw missing
    }
    guard !found.isEmpty else { throw missing }
    var tags: [TagWire] = []
    for tag in found { tags += try await platforms(of: tag, repository, request) }
    return .init(
      tags.filter { tag in
        (request.query["os"].map { $0 == tag.manifest.os } ?? true)
          && (request.query["arch"].map { $0 == tag.manifest.architecture } ?? true)
      })
  }

  /// One entry for the tag's image, or for each image of its index.
  private static func platforms(
    of tag: TagRecord, _ repository: Repository, _ request: RESTRequest
  ) async throws -> [TagWire] {
    let summary = try await request.registry.manifestSummary(repository, tag.digest)
    func wire(_ summary: ManifestSummary) async throws -> TagWire {
      TagWire(
        tag,
        ManifestWire(
          summary, history: try await request.registry.history(repository, summary.digest)))
    }
    guard !summary.children.isEmpty else { return [try await wire(summary)] }
    var tags: [TagWire] = []
    for child in summary.children {
      do {
        tags.append(
          try await wire(try await request.registry.manifestSummary(repository, child)))
      } catch let error as RegistryError where error.code == .manifestUnknown {
        continue
      }
    }
    return tags
  }

  private static func tag(
    _ request: RESTRequest, in repository: Repository
  ) async throws -> TagRecord {
    guard let tag = Tag(request.path("reference")) else { throw noSuchTag(request) }
    return try await request.registry.tag(repository, tag)
  }

  private static func newTag(_ text: String?, _ tag: TagRecord) throws -> Tag {
    guard let text, !text.isEmpty else { return tag.name }
    guard let target = Tag(text) else {
      throw RESTError(.badRequest, "INVALID_TAG_NAME", "the tag is not well formed")
    }
    return target
  }

  private static func promote(
    _ request: RESTRequest, _ form: PromotionForm
  ) async throws -> RESTAnswer<PromotionResult> {
    let source = try await request.repository(.promoteFrom)
    let tag = try await tag(request, in: source)
    let target = try await request.registry.authorize(
      request.caller, .promoteInto, on: RepositoryName(form.targetRepository))
    try await request.automation.promote(
      source, tag, to: target, as: newTag(form.targetTag, tag))
    return .init(
      PromotionResult(
        promotionPolicyID: "", string: tag.digest.description,
        sourceRepository: source.name.description, sourceTag: tag.name.description))
  }

  private static func mirror(
    _ request: RESTRequest, _ form: PushMirroringForm
  ) async throws -> RESTAnswer<PushMirroringResult> {
    let repository = try await request.repository(.pushMirrorByHand)
    let tag = try await tag(request, in: repository)
    let target = try newTag(form.remoteTag, tag)
    let remote = RemoteRepository(
      host: form.remoteHost, repository: form.remoteRepository,
      certificateAuthority: form.remoteCA ?? "",
      skipsTLSVerification: form.skipTLSVerification ?? false, username: form.username ?? "")
    let job = try await request.automation.pushMirror(
      repository, tag, to: remote, as: target, password: form.password ?? "",
      token: form.authToken ?? "")
    return .init(
      PushMirroringResult(
        mirroringPolicyID: "", digest: tag.digest.description,
        remoteRepository: form.remoteRepository, remoteTag: target.description, jobID: job.id))
  }
}
