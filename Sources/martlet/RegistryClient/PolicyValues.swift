import ArgumentParser
import Glibc
import Host

/// A rule of a policy as an argument: `FIELD OPERATOR VALUE…`.
struct RuleArgument: ExpressibleByArgument, Sendable {
  let document: JSONValue

  init?(argument: String) {
    let words = argument.split { $0 == " " || $0 == "\t" }.map(String.init)
    guard words.count >= 3 else { return nil }
    document = [
      "field": .string(words[0]), "operator": .string(words[1]),
      "values": .array(words[2...].map { .string($0) }),
    ]
  }
}

/// The rules of a policy.
struct RuleOptions: ParsableArguments {
  @Option(
    name: .customLong("rule"),
    help: ArgumentHelp(
      "Which tags are meant: FIELD OPERATOR VALUE…; those that every rule fits.",
      valueName: "rule"))
  var rules: [RuleArgument] = []

  var document: JSONValue? { rules.isEmpty ? nil : .array(rules.map(\.document)) }

  /// What rules look like, for people.
  static let text = """
    A rule is FIELD OPERATOR VALUE…, several values being alternatives:
      tag                  eq, sw (starts with), ew (ends with), c (contains), oo (one of),
                           noo (not one of), matches (a regular expression)
      updated_at           bf (before), af (after): a time such as 2026-01-31T12:00:00Z
      updated_at_duration  bf, af: how long ago, such as 720h
    """
}

/// A repository of another registry.
struct RemoteOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The repository of the other registry; https:// unless http:// is said.",
      valueName: "host/namespace/name"))
  var remote: String?
  @Option(help: "Who logs in there.") var remoteUsername: String?
  @Flag(help: "Read the password for it from standard input. Else $MARTLET_REMOTE_PASSWORD.")
  var remotePasswordStdin = false
  @Option(help: "PEM certificates that the other registry's may be signed by.")
  var remoteCa: String?
  @Flag(inversion: .prefixedNo, help: "Whether to take any certificate there.")
  var remoteInsecure: Bool?

  /// Adds what is given to a document. Throws ``ClientError``.
  func fill(_ form: inout Form) async throws {
    if let remote {
      let scheme = remote.firstRange(of: "://").map { String(remote[..<$0.upperBound]) } ?? ""
      let rest = remote.dropFirst(scheme.count)
      guard let slash = rest.firstIndex(of: "/"), slash != rest.startIndex else {
        throw ClientError.usage("--remote must be HOST/NAMESPACE/NAME, not \(remote)")
      }
      form.set("remoteHost", String(scheme + rest[..<slash]))
      form.set("remoteRepository", String(rest[rest.index(after: slash)...]))
    }
    form.set("username", remoteUsername)
    form.set("skipTLSVerification", remoteInsecure)
    if remotePasswordStdin {
      form.set("password", try await StandardInput.line("password for the other registry"))
    } else if let password = Environment.all["MARTLET_REMOTE_PASSWORD"], !password.isEmpty {
      form.set("password", password)
    }
    if let remoteCa {
      do {
        let bytes = try await BlockingPool.shared.run { try Paths.read(remoteCa, limit: 1 << 20) }
        form.set("remoteCA", String(decoding: bytes, as: UTF8.self))
      } catch {
        throw ClientError.usage("\(remoteCa) cannot be read: \(error)")
      }
    }
  }
}

/// One kind of policy: what it is called, and what is set of it.
protocol PolicySort: Sendable {
  /// What is set of such a policy.
  associatedtype Settings: ParsableArguments
  /// The segment of the API's path.
  static var segment: String { get }
  /// What the command is called, and what people call the policy.
  static var name: String { get }
  static var noun: String { get }
  /// What it does, and examples.
  static var abstract: String { get }
  static var discussion: String { get }
  /// The columns between the id and the state.
  static var columns: [Column] { get }
  /// When it last did something.
  static var lastRun: String { get }
  /// Adds what is given to a document. Throws ``ClientError``.
  static func fill(_ form: inout Form, _ settings: Settings) async throws
}

extension PolicySort {
  static func root(_ repository: RepositoryPath) -> String { repository.path + "/" + segment }

  static func path(_ repository: RepositoryPath, _ id: String) -> String {
    RegistryClient.path(root(repository), id)
  }

  static var allColumns: [Column] {
    [Column("ID", "id")] + columns + [
      Column("STATE") { $0["enabled"].isTrue ? "enabled" : "disabled" },
      .time("LAST RUN", lastRun), Column("RESULT") { status($0["lastStatus"]) },
    ]
  }

  private static func status(_ status: JSONValue) -> String {
    let words = [status["code"].text, status["detail"].text].filter { !$0.isEmpty }
    return words.joined(separator: ": ")
  }
}

/// Copies tags to another repository of the same registry.
enum PromotionSort: PolicySort {
  struct Settings: ParsableArguments {
    @Option(help: "The repository that gets the tags, NAMESPACE/NAME.") var target: RepositoryPath?
    @Option(help: "What a tag is called there, such as %n-released; the same unless given.")
    var tagTemplate: String?
    @OptionGroup var rules: RuleOptions
  }

  static let segment = "promotionPolicies"
  static let name = "promotion"
  static let noun = "promotion policy"
  static let abstract = "Give tags that fit rules to another repository."
  static let lastRun = "lastPromotedAt"
  static let discussion = """
    \(RuleOptions.text)

    EXAMPLES
      martlet registry policy promotion create library/dev --target library/app --rule "tag sw v"
      martlet registry policy promotion create library/dev --target library/app \\
        --rule "tag ew -ok" --tag-template "%n-%Y%m%d" --now
      martlet registry policy promotion list library/dev
    """
  static let columns = [
    Column("SOURCE", "sourceRepository"), Column("TARGET", "targetRepository"),
    Column("TEMPLATE", "tagTemplate"), Column("RULES") { Human.rules($0["rules"]) },
  ]

  static func fill(_ form: inout Form, _ settings: Settings) async throws {
    form.set("targetRepository", settings.target?.description)
    form.set("tagTemplate", settings.tagTemplate)
    form.set("rules", settings.rules.document)
  }
}

/// Deletes tags.
enum PruningSort: PolicySort {
  struct Settings: ParsableArguments {
    @OptionGroup var rules: RuleOptions
  }

  static let segment = "pruningPolicies"
  static let name = "pruning"
  static let noun = "pruning policy"
  static let abstract = "Delete tags that fit rules."
  static let lastRun = "lastPrunedAt"
  static let discussion = """
    \(RuleOptions.text)

    EXAMPLES
      martlet registry policy pruning test library/app --rule "updated_at_duration bf 720h"
      martlet registry policy pruning create library/app \\
        --rule "tag sw nightly-" --rule "updated_at_duration bf 720h"
      martlet registry policy pruning update library/app 6dc8f2… --disable
    """
  static let columns = [
    Column("REPOSITORY", "repository"), Column("RULES") { Human.rules($0["rules"]) },
  ]

  static func fill(_ form: inout Form, _ settings: Settings) async throws {
    form.set("rules", settings.rules.document)
  }
}

/// Sends tags to another registry.
enum PushMirroringSort: PolicySort {
  struct Settings: ParsableArguments {
    @OptionGroup var remote: RemoteOptions
    @Option(help: "What a tag is called there; the same unless given.") var tagTemplate: String?
    @OptionGroup var rules: RuleOptions
  }

  static let segment = "pushMirroringPolicies"
  static let name = "push"
  static let noun = "push mirroring policy"
  static let abstract = "Send tags to another registry as they are pushed."
  static let lastRun = "lastMirroredAt"
  static let discussion = """
    \(RuleOptions.text)

    EXAMPLES
      martlet registry mirror push create library/app --remote mirror.example.com/library/app \\
        --remote-username ci --remote-password-stdin --rule "tag sw v" < password
      martlet registry mirror push run library/app 6dc8f2…
    """
  static let columns = mirroringColumns + [Column("RULES") { Human.rules($0["rules"]) }]

  static let mirroringColumns = [
    Column("REPOSITORY", "localRepository"),
    Column("REMOTE") { "\($0["remoteHost"].text)/\($0["remoteRepository"].text)" },
  ]

  static func fill(_ form: inout Form, _ settings: Settings) async throws {
    try await settings.remote.fill(&form)
    form.set("tagTemplate", settings.tagTemplate)
    form.set("rules", settings.rules.document)
  }
}

/// Fetches tags from another registry.
enum PollMirroringSort: PolicySort {
  struct Settings: ParsableArguments {
    @OptionGroup var remote: RemoteOptions
  }

  static let segment = "pollMirroringPolicies"
  static let name = "poll"
  static let noun = "poll mirroring policy"
  static let abstract = "Fetch the tags of another registry, again and again."
  static let lastRun = "lastMirroredAt"
  static let discussion = """
    EXAMPLES
      martlet registry mirror poll create library/debian --remote registry.example.com/library/debian
      martlet registry mirror poll list library/debian
    """
  static let columns = PushMirroringSort.mirroringColumns

  static func fill(_ form: inout Form, _ settings: Settings) async throws {
    try await settings.remote.fill(&form)
  }
}
