import ArgumentParser
import NIOHTTP1

extension RegistryRepositoryCommand {
  struct Tags: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "List the tags of a repository.")
    @Argument(help: "NAMESPACE/NAME.") var repository: RepositoryPath
    @Argument(help: "Only this tag, or the tags on this digest; a line for each platform.")
    var reference: String?
    @OptionGroup var list: ListOptions
    @OptionGroup var options: ClientOptions

    static let columns = [
      Column("TAG", "name"), Column("DIGEST") { Human.digest($0["digest"].text) },
      Column("PLATFORM") { platform($0["manifest"]) },
      Column("SIZE") { $0["manifest"]["size"].integer.map(Human.bytes) ?? "" },
      .time("UPDATED", "updatedAt"), Column("BY", "author"),
    ]

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let root = repository.path + "/tags"
      let found =
        if let reference {
          try await client.list(
            RegistryClient.path(root, reference), key: nil, .whole, limit: list.limit)
        } else {
          try await client.list(root, key: nil, .header, limit: list.limit)
        }
      try out.list(found, id: { $0["name"].text }, Self.columns)
    }
  }

  struct DeleteTag: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      commandName: "delete-tag",
      abstract: "Delete a tag; its manifest stays until garbage is collected.")
    @Argument(help: "NAMESPACE/NAME.") var repository: RepositoryPath
    @Argument(help: "The tag.") var tag: String
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      try await client.send(.DELETE, RegistryClient.path(repository.path + "/tags", tag))
      try out.did("tag \(repository):\(tag) deleted", id: tag)
    }
  }

  struct Manifests: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the manifests of a repository.")
    @Argument(help: "NAMESPACE/NAME.") var repository: RepositoryPath
    @OptionGroup var list: ListOptions
    @OptionGroup var options: ClientOptions

    static let columns = [
      Column("DIGEST", "digest"),
      Column("KIND") { row in
        row["artifactType"].string.map { "artifact \($0)" }
          ?? (row["manifests"] == .null
            ? "image" : "index of \(row["manifests"].elements.count)")
      },
      Column("PLATFORM") { platform($0) }, .bytes("SIZE", "size"), .time("CREATED", "createdAt"),
    ]

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let found = try await client.list(
        repository.path + "/manifests", key: nil, .header, limit: list.limit)
      try out.list(found, id: { $0["digest"].text }, Self.columns)
    }
  }

  struct DeleteManifest: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      commandName: "delete-manifest", abstract: "Delete a manifest and every tag on it.")
    @Argument(help: "NAMESPACE/NAME.") var repository: RepositoryPath
    @Argument(help: "The digest.") var digest: String
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      try await client.send(.DELETE, RegistryClient.path(repository.path + "/manifests", digest))
      try out.did("manifest \(digest) deleted", id: digest)
    }
  }

  struct Uploads: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "List uploads that are not finished.",
      discussion: "Without a repository, those of the whole registry, for administrators.")
    @Argument(help: "NAMESPACE/NAME.") var repository: RepositoryPath?
    @OptionGroup var options: ClientOptions

    static let columns = [
      Column("ID", "id"), Column("REPOSITORY", "repository"), Column("BY", "account"),
      .time("STARTED", "startedAt"),
    ]

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let path = repository.map { $0.path + "/uploads" } ?? "/api/v0/uploads"
      let found = try await client.list(path, key: nil, .whole)
      try out.list(found, id: { $0["id"].text }, Self.columns)
    }
  }

  struct CancelUpload: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      commandName: "cancel-upload", abstract: "Cancel an upload.")
    @Argument(help: "NAMESPACE/NAME.") var repository: RepositoryPath
    @Argument(help: "The upload's id.") var id: String
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      try await client.send(.DELETE, RegistryClient.path(repository.path + "/uploads", id))
      try out.did("upload \(id) cancelled", id: id)
    }
  }

  private static func platform(_ manifest: JSONValue) -> String {
    [manifest["os"].text, manifest["architecture"].text].filter { !$0.isEmpty }
      .joined(separator: "/")
  }
}
