import Identity
import NIOHTTP1
import OCI
import Registry
import RegistryJobs

/// Promotion, mirroring and pruning policies of repositories.
enum PolicyOperations {
  private static let one = "/api/v0/repositories/{namespace}/{repository}"
  private static let initial = RESTParameter.flag(
    "initialEvaluation", "Whether to carry the policy out now for what is there already.")
  private static let missing: (HTTPResponseStatus, String) = (.notFound, "NO_SUCH_REPOSITORY")

  static let all: [RESTOperation] =
    collection(.promotion, "PromotionPolicy", "promotionPolicies") { PromotionPolicyWire($0) }
    + collection(.pushMirroring, "PushMirroringPolicy", "pushMirroringPolicies") {
      MirroringPolicyWire($0)
    }
    + collection(.pollMirroring, "PollMirroringPolicy", "pollMirroringPolicies") {
      MirroringPolicyWire($0)
    }
    + collection(.pruning, "PruningPolicy", "pruningPolicies") { PruningPolicyWire($0) } + others

  /// The operations of one kind of policy.
  private static func collection<Wire: APIObject>(
    _ kind: PolicyKind, _ name: String, _ segment: String,
    _ wire: @escaping @Sendable (Policy) -> Wire
  ) -> [RESTOperation] {
    let root = "\(one)/\(segment)"
    let unknown: (HTTPResponseStatus, String) = (.notFound, code("NO_SUCH", kind))
    let invalid: (HTTPResponseStatus, String) = (.notFound, code("INVALID", kind))
    let source = RESTParameter.flag(
      "source", "Whether those that leave this repository are wanted, or those that arrive.")
    return [
      RESTOperation(
        .GET, root,
        .init(
          "list\(name.replacingSuffix("y", "ies"))", "policies", "List policies.",
          query: kind == .promotion ? [source] : [], errors: [missing])
      ) { request in .init(try await list(kind, request).map(wire)) },
      RESTOperation(
        .POST, root,
        .init(
          "create\(name)", "policies", "Create a policy.", query: [initial],
          errors: [missing, invalid]), takes: PolicyForm.self, success: .created
      ) { request, form in
        let draft = try form.draft()
        let repository = try await authorize(kind, draft.target, request)
        let policy = try await translating(kind) {
          try await request.automation.policies.create(
            kind, of: repository, draft, by: request.caller)
        }
        try await evaluate(policy, request)
        return .init(wire(policy))
      },
      RESTOperation(
        .GET, root + "/{id}",
        .init("get\(name)", "policies", "Show a policy.", errors: [missing, unknown])
      ) { request in .init(wire(try await policy(kind, request).policy)) },
      RESTOperation(
        .PUT, root + "/{id}",
        .init(
          "update\(name)", "policies", "Change a policy; what is left out stays.",
          query: [initial], errors: [missing, unknown, invalid]), takes: PolicyForm.self
      ) { request, form in
        let draft = try form.draft()
        let found = try await policy(kind, request)
        _ = try await authorize(kind, draft.target ?? found.policy.target, request)
        let policy = try await translating(kind) {
          try await request.automation.policies.update(found.policy.id, kind, draft)
        }
        try await evaluate(policy, request)
        return .init(wire(policy))
      },
      RESTOperation(
        .DELETE, root + "/{id}",
        .init("delete\(name)", "policies", "Delete a policy.", errors: [missing, unknown]),
        success: .noContent
      ) { request in
        try await delete(try await policy(kind, request).policy, request)
        return .init(Nothing())
      },
    ]
  }

  private static let others: [RESTOperation] = [
    RESTOperation(
      .GET, one + "/mirroringPolicies",
      .init(
        "listMirroringPolicies", "policies", "List mirroring policies of both kinds.",
        query: RESTParameter.page, errors: [missing])
    ) { request in
      let repository = try await request.repository(.viewPolicies)
      var found: [Policy] = []
      for kind in [PolicyKind.pushMirroring, .pollMirroring] {
        found += try await request.automation.policies.policies(kind, of: repository)
      }
      return .init(found.map { MirroringPolicyWire($0) })
    },
    RESTOperation(
      .DELETE, one + "/mirroringPolicies",
      .init(
        "deleteMirroringPolicies", "policies", "Delete mirroring policies.", errors: [missing]),
      takes: [PolicyReference].self, success: .noContent
    ) { request, references in
      let repository = try await request.repository(.managePolicies)
      for kind in [PolicyKind.pushMirroring, .pollMirroring] {
        for policy in try await request.automation.policies.policies(kind, of: repository)
        where references.contains(where: { $0.id == policy.id }) {
          try await request.automation.policies.delete(policy.id, kind)
        }
      }
      return .init(Nothing())
    },
    RESTOperation(
      .POST, one + "/pruningPolicies/test",
      .init(
        "testPruningPolicy", "policies", "List the tags that rules would delete.",
        query: RESTParameter.page, errors: [missing]), takes: PruningTestForm.self
    ) { try await test($0, ($1.rules ?? []).map(\.rule)) },
    RESTOperation(
      .POST, "/api/v0/remote/registry",
      .init(
        "checkRemoteRegistry", "policies", "See whether a remote repository can be used.",
        errors: [(.badRequest, "REMOTE_REGISTRY_INVALID_PERMISSIONS")]),
      takes: RemoteForm.self, success: .created
    ) { request, form in
      _ = try request.caller.isAdmin ? nil : request.user()
      let remote = RemoteRepository(
        host: form.remoteHost, repository: form.remoteRepository,
        certificateAuthority: form.remoteCA ?? "",
        skipsTLSVerification: form.skipTLSVerification ?? false, username: form.username ?? "")
      let permissions = try await request.automation.checkRemote(
        remote, password: form.password ?? "", token: form.authToken ?? "")
      return .init(
        RemoteCheck(
          registryType: "dtr",
          permissions: .init(read: permissions.read, write: permissions.write)))
    },
  ]

  // MARK: What they do

  private static func code(_ prefix: String, _ kind: PolicyKind) -> String {
    switch kind {
    case .promotion: prefix + "_PROMOTION_POLICY"
    case .pushMirroring: prefix + "_PUSH_MIRRORING_POLICY"
    case .pollMirroring: prefix + "_POLL_MIRRORING_POLICY"
    case .pruning: prefix + "_PRUNING_POLICY"
    }
  }

  /// The product answers policies that make no sense with 404; its clients look at the code.
  private static func translating<Value>(
    _ kind: PolicyKind, _ body: () async throws -> Value
  ) async throws -> Value {
    do {
      return try await body()
    } catch let error as JobError where error.code == .invalidRequest {
      throw RESTError(
        .notFound, code("INVALID", kind), error.message, detail: error.metadata)
    } catch let error as JobError where error.code == .noSuchPolicy {
      throw RESTError(.notFound, code("NO_SUCH", kind), error.message, detail: error.metadata)
    }
  }

  private static func action(_ kind: PolicyKind) -> RepositoryAction {
    kind == .promotion ? .managePromotionPolicies : .managePolicies
  }

  /// The repository, if the caller may have such policies on it, and on the target of a promotion.
  private static func authorize(
    _ kind: PolicyKind, _ target: RepositoryName?, _ request: RESTRequest
  ) async throws -> Repository {
    let repository = try await request.repository(action(kind))
    if kind == .promotion, let target {
      _ = try await request.registry.authorize(
        request.caller, .managePromotionPolicies, on: target)
    }
    return repository
  }

  private static func list(_ kind: PolicyKind, _ request: RESTRequest) async throws -> [Policy] {
    let repository = try await request.repository(.viewPolicies)
    let policies = request.automation.policies
    guard kind == .promotion, try !request.flag("source", default: true) else {
      return try await policies.policies(kind, of: repository)
    }
    var arriving: [Policy] = []
    for policy in try await policies.policies(kind) where policy.target == repository.name {
      // Where it comes from may be nothing the caller is to know of.
      guard try await request.registry.access(of: request.caller, to: policy.repository) > .none
      else { continue }
      arriving.append(policy)
    }
    return arriving
  }

  private static func policy(
    _ kind: PolicyKind, _ request: RESTRequest
  ) async throws -> (policy: Policy, repository: Repository) {
    let repository = try await request.repository(.viewPolicies)
    let policy = try await translating(kind) {
      try await request.automation.policies.policy(request.path("id"), kind)
    }
    guard policy.repositoryID == repository.id || policy.target == repository.name else {
      throw RESTError(.notFound, code("NO_SUCH", kind), "no such policy")
    }
    return (policy, repository)
  }

  private static func delete(_ policy: Policy, _ request: RESTRequest) async throws {
    // Whoever administers the source or the target may end a promotion; the path names either.
    _ = try await request.repository(action(policy.kind))
    try await request.automation.policies.delete(policy.id, policy.kind)
  }

  private static func evaluate(_ policy: Policy, _ request: RESTRequest) async throws {
    guard try request.flag("initialEvaluation"), policy.isEnabled else { return }
    try await request.automation.evaluate(policy)
  }

  private static func test(
    _ request: RESTRequest, _ rules: [Rule]
  ) async throws -> RESTAnswer<[TagReference]> {
    let repository = try await request.repository(.viewPolicies)
    guard !rules.isEmpty else { return .init([]) }
    let tags = try await translating(.pruning) {
      try await request.automation.matchingTags(rules, repository)
    }
    let start = request.pageStart
    let rest = tags.drop { tag in start.map { tag.name.description < $0 } ?? false }
    let page = rest.prefix(try request.pageSize())
    let next = rest.dropFirst(page.count).first?.name.description
    return RESTAnswer(
      page.map { TagReference(name: $0.name.description, digest: $0.digest.description) },
      next: next, count: try request.flag("count") ? tags.count : nil)
  }
}

extension String {
  fileprivate func replacingSuffix(_ suffix: String, _ other: String) -> String {
    hasSuffix(suffix) ? dropLast(suffix.count) + other : self
  }
}
