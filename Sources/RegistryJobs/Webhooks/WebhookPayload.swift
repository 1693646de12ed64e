// swift-format-ignore-file: AlwaysUseLowerCamelCase

import FoundationEssentials
package import Identity
import OCI
import Registry

/// The message of a delivery, with the names of the product's API.
package struct WebhookPayload: Codable, Sendable, Hashable {
  package var type: WebhookType
  package var createdAt: Timestamp
  package var contents: Contents
  package var location: String?

  /// What happened; which of these there are depends on the type.
  package struct Contents: Codable, Sendable, Hashable {
    package var namespace: String?
    package var repository: String?
    package var tag: String?
    package var digest: String?
    package var imageName: String?
    package var os: String?
    package var architecture: String?
    package var author: String?
    package var pushedAt: Timestamp?
    package var pulledAt: Timestamp?
    package var deletedAt: Timestamp?
    package var event: String?
    package var data: String?
    package var policyID: String?
    package var sourceRepository: String?
    package var sourceTag: String?
    package var targetRepository: String?
    package var targetTag: String?
    package var remoteHost: String?
    package var remoteRepository: String?
    package var remoteTag: String?

    /// Nothing yet.
    package init() {}
  }

  /// The document.
  func encoded() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return try Array(encoder.encode(self))
    } catch {
      throw JobError(.corrupt, "a message cannot be written", cause: error)
    }
  }

  /// The types of webhook that an event is told to.
  static func types(of event: RegistryEvent) -> [WebhookType] {
    switch (event.kind, event.object) {
    case (.push, .tag): [.tagPush, .manifestPush]
    case (.push, .manifest): [.manifestPush]
    case (.pull, .tag): [.tagPull, .manifestPull]
    case (.pull, .manifest): [.manifestPull]
    case (.delete, .tag): [.tagDelete]
    case (.delete, .manifest): [.manifestDelete]
    case (.create, .repository): [.repositoryEvent, .repositoryCreated]
    case (.update, .repository): [.repositoryEvent, .repositoryUpdated]
    case (.delete, .repository): [.repositoryEvent, .repositoryDeleted]
    case (.promotion, _): [.promotion]
    case (.mirror, _):
      event.facts?["direction"] == "poll" ? [.pollMirroring] : [.pushMirroring]
    case (.scan, _): [.scanCompleted]
    default: []
    }
  }

  /// The message of one type about an event. `host` is the registry's name in images' names.
  static func make(
    _ type: WebhookType, _ event: RegistryEvent, host: String, image: ManifestSummary?
  ) -> WebhookPayload {
    var contents = Contents()
    let name = event.repository
    contents.namespace = name?.namespace
    contents.repository = name?.name
    contents.author = event.actor
    contents.digest = event.digest?.description
    contents.os = image?.os
    contents.architecture = image?.architecture
    var location = name.map { "/repositories/\($0)" }
    switch type {
    case .tagPush, .tagPull, .tagDelete, .promotion, .pushMirroring, .pollMirroring:
      contents.tag = event.tag?.description
      if let name, let tag = event.tag {
        contents.imageName = "\(host)/\(name):\(tag)"
        location = "/repositories/\(name)/tags/\(tag)"
      }
    case .manifestPush, .manifestPull, .manifestDelete:
      if let name, let digest = event.digest { contents.imageName = "\(host)/\(name)@\(digest)" }
    default: break
    }
    contents.setTime(type, event.time)
    switch type.scope {
    case .namespace:
      contents.event =
        switch event.kind {
        case .create: WebhookType.repositoryCreated.rawValue
        case .delete: WebhookType.repositoryDeleted.rawValue
        default: WebhookType.repositoryUpdated.rawValue
        }
      contents.data = ""
    default: contents.set(event.facts ?? [:])
    }
    return WebhookPayload(
      type: type, createdAt: event.time, contents: contents, location: location)
  }

  /// A message that is made up, to try an endpoint with.
  package static func sample(_ type: WebhookType, host: String, now: Timestamp) -> WebhookPayload {
    var contents = Contents()
    contents.namespace = "foo"
    contents.repository = "bar"
    contents.author = "foo"
    if type.scope == .namespace {
      contents.event = WebhookType.repositoryCreated.rawValue
    } else if type.scope == .repository {
      contents.tag = "latest"
      contents.digest =
        "sha256:b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c"
      contents.imageName = "\(host)/foo/bar:latest"
      contents.os = "linux"
      contents.architecture = "amd64"
    }
    contents.setTime(type, now)
    return WebhookPayload(
      type: type, createdAt: now, contents: contents,
      location: type.scope == .registry ? nil : "/repositories/foo/bar/tags/latest")
  }
}

extension WebhookPayload.Contents {
  fileprivate mutating func setTime(_ type: WebhookType, _ time: Timestamp) {
    switch type {
    case .tagPush, .manifestPush: pushedAt = time
    case .tagPull, .manifestPull: pulledAt = time
    case .tagDelete, .manifestDelete: deletedAt = time
    default: break
    }
  }

  fileprivate mutating func set(_ facts: [String: String]) {
    policyID = facts["policy"]
    sourceRepository = facts["sourceRepository"]
    sourceTag = facts["sourceTag"]
    targetRepository = facts["targetRepository"]
    targetTag = facts["targetTag"]
    remoteHost = facts["remoteHost"]
    remoteRepository = facts["remoteRepository"]
    remoteTag = facts["remoteTag"]
  }
}
