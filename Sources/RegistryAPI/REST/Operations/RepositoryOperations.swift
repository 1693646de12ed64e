import Identity
import NIOHTTP1
import OCI
import Registry

/// Repositories, their manifests and uploads, and what namespaces may use.
enum RepositoryOperations {
  private static let root = "/api/v0/repositories"
  private static let one = root + "/{namespace}/{repository}"
  private static let missing: (HTTPResponseStatus, String) = (.notFound, "NO_SUCH_REPOSITORY")

  static let all: [RESTOperation] = [
    RESTOperation(
      .GET, root,
      .init(
        "listRepositories", "repositories", "List the repositories you may see.", access: .anyone,
        query: RESTParameter.page)
    ) { try await list($0, namespace: nil) },
    RESTOperation(
      .POST, root + "/scan/toggle",
      .init(
        "toggleScanning", "repositories", "Set scanning on push for every repository.",
        access: .administrator), takes: ScanToggle.self
    ) { try await toggleScanning($0, $1) },
    RESTOperation(
      .GET, root + "/{namespace}",
      .init(
        "listNamespaceRepositories", "repositories",
        "List the repositories of a namespace that you may see.", access: .anyone,
        query: RESTParameter.page, errors: [(.notFound, "NO_SUCH_ACCOUNT")])
    ) { request in
      _ = try await request.account(request.path("namespace"))
      return try await list(request, namespace: request.path("namespace"))
    },
    RESTOperation(
      .POST, root + "/{namespace}",
      .init(
        "createRepository", "repositories", "Create a repository.",
        errors: [
          (.badRequest, "REPOSITORY_EXISTS"), (.badRequest, "INVALID_REPOSITORY_VISIBILITY"),
          (.notFound, "NO_SUCH_ACCOUNT"),
        ]), takes: RepositoryForm.self, success: .created
    ) { try await create($0, $1) },
    RESTOperation(
      .GET, one,
      .init(
        "getRepository", "repositories", "Show a repository.", access: .anyone, errors: [missing])
    ) { request in .init(try await wire(request.repository(.view), request)) },
    RESTOperation(
      .PATCH, one,
      .init(
        "updateRepository", "repositories", "Change a repository's settings.",
        errors: [missing, (.badRequest, "INVALID_REPOSITORY_VISIBILITY")]),
      takes: RepositoryForm.self
    ) { try await update($0, $1) },
    RESTOperation(
      .DELETE, one,
      .init(
        "deleteRepository", "repositories", "Delete a repository with its tags and manifests.",
        query: [.string("domain", "Where trust data would be looked for.")], errors: [missing]),
      success: .noContent
    ) { request in
      let repository = try await request.repository(.deleteRepository)
      try await request.registry.deleteRepository(repository.name, by: request.caller)
      return .init(Nothing())
    },
    RESTOperation(
      .GET, one + "/manifests",
      .init(
        "listManifests", "repositories", "List the manifests of a repository.", access: .anyone,
        query: RESTParameter.page, errors: [missing])
    ) { try await manifests($0) },
    RESTOperation(
      .DELETE, one + "/manifests/{digest}",
      .init(
        "deleteManifest", "repositories", "Delete a manifest and every tag on it.",
        errors: [missing, (.badRequest, "INVALID_DIGEST"), (.notFound, "NO_SUCH_MANIFEST")]),
      success: .noContent
    ) { request in
      let repository = try await request.repository(.deleteTag)
      guard case .digest(let digest) = try? Reference(request.path("digest")) else {
        throw RESTError(.badRequest, "INVALID_DIGEST", "the digest is not well formed")
      }
      try await request.registry.deleteManifest(repository, digest, by: request.caller)
      return .init(Nothing())
    },
    RESTOperation(
      .GET, one + "/uploads",
      .init(
        "listUploads", "repositories", "List the uploads to a repository that are not finished.",
        errors: [missing])
    ) { request in
      let repository = try await request.repository(.push)
      return .init(try await request.registry.uploads(repository).map(upload))
    },
    RESTOperation(
      .DELETE, one + "/uploads/{upload}",
      .init(
        "cancelUpload", "repositories", "Cancel an upload.",
        errors: [missing, (.notFound, "NO_SUCH_UPLOAD")]), success: .noContent
    ) { request in
      let repository = try await request.repository(.push)
      let session = try await request.registry.uploadSession(
        repository, id: request.path("upload"))
      try await session.cancel()
      return .init(Nothing())
    },
    RESTOperation(
      .GET, "/api/v0/uploads",
      .init(
        "listAllUploads", "repositories", "List every upload that is not finished.",
        access: .administrator)
    ) { request in .init(try await request.registry.uploads(nil).map(upload)) },
    RESTOperation(
      .GET, "/api/v0/accounts/{namespace}/quota",
      .init(
        "getQuota", "accounts", "Show what a namespace may use and uses; 0 means without limit.",
        errors: [(.notFound, "NO_SUCH_ACCOUNT")])
    ) { request in
      try await requireNamespaceAdmin(request)
      return .init(try await quota(request))
    },
    RESTOperation(
      .PUT, "/api/v0/accounts/{namespace}/quota",
      .init(
        "setQuota", "accounts", "Limit what a namespace may use.", access: .administrator,
        errors: [(.notFound, "NO_SUCH_ACCOUNT")]), takes: QuotaForm.self
    ) { try await setQuota($0, $1) },
  ]

  // MARK: What they do

  static func wire(_ repository: Repository, _ request: RESTRequest) async throws -> RepositoryWire
  {
    RepositoryWire(
      repository, try await type(repository.name.namespace, request),
      try await request.registry.counters(of: repository))
  }

  private static func type(
    _ namespace: String, _ request: RESTRequest
  ) async throws -> NamespaceType {
    guard let name = AccountName(namespace) else { return .user }
    do {
      return try await request.identity.account(name).isOrganization ? .organization : .user
    } catch let error as IdentityError where error.code == .noSuchAccount {
      return .user
    }
  }

  private static func list(
    _ request: RESTRequest, namespace: String?
  ) async throws -> RESTAnswer<RepositoryList> {
    // A page begins with the entry it names; the registry begins after one.
    let size = try request.pageSize()
    let start = try request.pageStart.map { try RepositoryName($0) }
    let page = try await request.registry.repositories(
      visibleTo: request.caller, namespace: namespace, after: start, limit: size)
    var repositories: [RepositoryWire] = []
    for repository in page.items { repositories.append(try await wire(repository, request)) }
    var count: Int?
    if try request.flag("count") {
      count = try await request.registry.repositories(
        visibleTo: request.caller, namespace: namespace, after: nil, limit: 1_000_000
      ).items.count
    }
    return RESTAnswer(
      RepositoryList(repositories: repositories),
      next: page.more ? page.items.last?.name.description : nil, count: count)
  }

  private static func toggleScanning(
    _ request: RESTRequest, _ form: ScanToggle
  ) async throws -> RESTAnswer<Nothing> {
    var changes = RepositoryChanges()
    changes.scanOnPush = form.scanOnPush
    var after: RepositoryName?
    while true {
      let page = try await request.registry.repositories(
        visibleTo: request.caller, namespace: nil, after: after, limit: 500)
      for repository in page.items where repository.scanOnPush != form.scanOnPush {
        _ = try await request.registry.updateRepository(
          repository.name, changes, by: request.caller)
      }
      guard page.more, let last = page.items.last else { return .init(Nothing()) }
      after = last.name
    }
  }

  private static func create(
    _ request: RESTRequest, _ form: RepositoryForm
  ) async throws -> RESTAnswer<RepositoryWire> {
    guard let text = form.name, !text.isEmpty else {
      throw RESTError(.badRequest, "INVALID_REPOSITORY_NAME", "the repository needs a name")
    }
    let name = try RepositoryName(namespace: request.path("namespace"), name: text)
    let rules = try await request.registry.governance()
    var draft = RepositoryDraft(visibility: try form.parsedVisibility() ?? .public)
    draft.immutableTags = form.immutableTags ?? false
    draft.tagLimit = form.tagLimit ?? 0
    draft.enableManifestLists = form.enableManifestLists ?? true
    draft.scanOnPush = form.scanOnPush ?? rules.scanOnPush
    draft.shortDescription = try checked(form.shortDescription, limit: 1_024)
    draft.longDescription = try checked(form.longDescription, limit: 256 << 10)
    try check(immutable: draft.immutableTags, limit: draft.tagLimit)
    let repository = try await request.registry.createRepository(
      name, draft, by: request.caller)
    return .init(try await wire(repository, request))
  }

  private static func checked(_ text: String?, limit: Int) throws -> String {
    guard let text else { return "" }
    guard text.utf8.count <= limit else {
      throw RESTError.invalidParameters("a description is too long")
    }
    return text
  }

  /// Tags that cannot be moved and a limit that takes them away do not go together.
  private static func check(immutable: Bool, limit: Int) throws {
    guard !immutable || limit == 0 else {
      throw RESTError.invalidParameters("immutable tags and a tag limit exclude each other")
    }
  }

  private static func update(
    _ request: RESTRequest, _ form: RepositoryForm
  ) async throws -> RESTAnswer<RepositoryWire> {
    // Every one of these needs the same level; the table says so.
    let repository = try await request.repository(.changeSettings)
    var changes = RepositoryChanges()
    changes.visibility = try form.parsedVisibility()
    changes.immutableTags = form.immutableTags
    changes.tagLimit = form.tagLimit
    changes.enableManifestLists = form.enableManifestLists
    changes.scanOnPush = form.scanOnPush
    changes.shortDescription = try form.shortDescription.map { try checked($0, limit: 1_024) }
    changes.longDescription = try form.longDescription.map { try checked($0, limit: 256 << 10) }
    try check(
      immutable: form.immutableTags ?? repository.immutableTags,
      limit: form.tagLimit ?? repository.tagLimit)
    let changed = try await request.registry.updateRepository(
      repository.name, changes, by: request.caller)
    return .init(try await wire(changed, request))
  }

  private static func manifests(
    _ request: RESTRequest
  ) async throws -> RESTAnswer<[ManifestWire]> {
    let repository = try await request.repository(.view)
    let size = try request.pageSize()
    var after: Reference?
    if let start = request.pageStart { after = try Reference(start) }
    var digest = after
    if case .tag = after { digest = nil }
    let page = try await request.registry.manifestSummaries(
      repository, after: digest.flatMap(\.digestValue), limit: size)
    var wires: [ManifestWire] = []
    for summary in page.items {
      wires.append(
        ManifestWire(
          summary, history: try await request.registry.history(repository, summary.digest)))
    }
    return RESTAnswer(wires, next: page.more ? page.items.last?.digest.description : nil)
  }

  private static func upload(_ upload: UploadDescription) -> UploadWire {
    UploadWire(
      id: upload.id, repository: upload.repository.description, account: upload.account,
      startedAt: upload.startedAt)
  }

  static func requireNamespaceAdmin(_ request: RESTRequest) async throws {
    let namespace = request.path("namespace")
    guard
      try await request.registry.namespaceAccess(of: request.caller, to: namespace) == .admin
    else {
      throw request.caller.isAnonymous ? RESTError.notAuthenticated : RESTError.notAuthorized
    }
    _ = try await request.account(namespace)
  }

  private static func quota(_ request: RESTRequest) async throws -> QuotaWire {
    let namespace = request.path("namespace")
    let quota = try await request.registry.quota(of: namespace)
    let usage = try await request.registry.usage(of: namespace)
    return QuotaWire(
      namespace: namespace, maximumBytes: quota?.bytes ?? 0,
      maximumRepositories: quota?.repositories ?? 0, usedBytes: usage.bytes,
      usedRepositories: usage.repositories)
  }

  private static func setQuota(
    _ request: RESTRequest, _ form: QuotaForm
  ) async throws -> RESTAnswer<QuotaWire> {
    let namespace = request.path("namespace")
    _ = try await request.account(namespace)
    guard form.maximumBytes ?? 0 >= 0, form.maximumRepositories ?? 0 >= 0 else {
      throw RESTError.invalidParameters("limits cannot be negative")
    }
    let before = try await request.registry.quota(of: namespace) ?? NamespaceQuota()
    var quota = before
    if let bytes = form.maximumBytes { quota.bytes = bytes == 0 ? nil : bytes }
    if let count = form.maximumRepositories { quota.repositories = count == 0 ? nil : count }
    let isNone = quota.bytes == nil && quota.repositories == nil
    try await request.registry.setQuota(
      isNone ? nil : quota, of: namespace, by: request.caller)
    return .init(try await self.quota(request))
  }
}
