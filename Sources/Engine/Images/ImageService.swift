package import DockerModel
import FoundationEssentials
import ImageStore
import OCI

/// The images of this engine, as the API sees them.
package final class ImageService: Sendable {
  let context: EngineContext

  init(_ context: EngineContext) { self.context = context }

  /// What images are chosen for when nobody says.
  var platform: Platform { .host }

  // MARK: - Looking

  private static let filterNames: Set<String> = [
    "before", "dangling", "label", "reference", "since", "until",
  ]

  /// Images that match, newest first.
  package func list(_ options: ImageListOptions) async throws -> [ImageSummary] {
    try options.filters.validate(accepting: Self.filterNames)
    let filter = try await ImageFilter(options.filters, context)
    let uses = imageUses()
    return context.images.list().compactMap { image in
      guard let image = filter.matching(image) else { return nil }
      return summary(image, options, uses[image.id.description]?.count ?? 0)
    }
  }

  private func summary(
    _ image: ImageRecord, _ options: ImageListOptions, _ containers: Int
  ) -> ImageSummary {
    var summary = ImageSummary()
    summary.id = image.id.description
    summary.parentId = image.parent?.description ?? ""
    summary.repoTags = image.repoTags
    summary.repoDigests = image.repoDigests
    summary.created = image.created.map { Int64($0.timeIntervalSince1970) } ?? 0
    summary.size = image.size
    summary.sharedSize = options.sharedSize ? image.sharedSize : -1
    summary.labels = image.configuration.config?.labels
    summary.containers = options.sharedSize ? Int64(containers) : -1
    return summary
  }

  /// The containers made from each image, by the image's id.
  func imageUses() -> [String: [ImageUse]] {
    Dictionary(
      grouping: context.containers.all.map(\.record).filter { !$0.imageID.isEmpty }, by: \.imageID
    ).mapValues { records in
      records.map { ImageUse(containerID: $0.id, isRunning: $0.lifecycle.isRunning) }
    }
  }

  /// All that is known of an image.
  package func inspect(image reference: String) async throws -> ImageInspect {
    try await translatingErrors { inspection(try await context.images.resolve(reference)) }
  }

  private func inspection(_ image: ImageRecord) -> ImageInspect {
    let configuration = image.configuration
    var inspect = ImageInspect()
    inspect.id = image.id.description
    inspect.repoTags = image.repoTags
    inspect.repoDigests = image.repoDigests
    inspect.parent = image.parent?.description ?? ""
    inspect.comment = configuration.comment ?? ""
    inspect.created = configuration.created ?? ""
    inspect.dockerVersion = configuration.dockerVersion ?? ""
    inspect.author = configuration.author ?? ""
    inspect.config = DockerModel.ContainerConfig(configuration.config)
    inspect.architecture = image.architecture
    inspect.variant = configuration.variant ?? ""
    inspect.os = image.os
    inspect.osVersion = configuration.osVersion ?? ""
    inspect.size = image.size
    inspect.virtualSize = image.size
    inspect.graphDriver.name = "overlay2"
    inspect.graphDriver.data = [:]
    inspect.rootFS.layers = image.layers.map(\.description)
    inspect.metadata.lastTagTime = image.lastTagTime.map(Timestamp.init) ?? .zero
    return inspect
  }

  /// The steps that made an image, newest first.
  package func history(image reference: String) async throws -> [ImageHistoryResponseItem] {
    try await translatingErrors {
      try await context.images.history(reference).map { item in
        var result = ImageHistoryResponseItem()
        result.id = item.id?.description ?? "<missing>"
        result.created = item.created.map { Int64($0.timeIntervalSince1970) } ?? 0
        result.createdBy = item.createdBy
        result.tags = item.tags.isEmpty ? nil : item.tags
        result.size = item.size
        result.comment = item.comment
        return result
      }
    }
  }

  /// All images with their sizes, and the room that layers take together (`docker system df`).
  func usage() async throws -> ([ImageSummary], Int64) {
    var options = ImageListOptions()
    options.sharedSize = true
    let uses = imageUses()
    let usage = try await translatingErrors { try await context.images.usage() }
    let summaries = usage.images.map {
      summary($0, options, uses[$0.id.description]?.count ?? 0)
    }
    return (summaries, usage.layersSize)
  }

  // MARK: - Names and removal

  /// Gives an image one more name.
  package func tag(image: String, repository: String, tag: String) async throws {
    let target = tag.isEmpty ? repository : repository + ":" + tag
    let record = try await translatingErrors {
      try await context.images.tag(image, as: target)
    }
    publish("tag", record, name: target)
  }

  private func publish(_ action: String, _ image: ImageRecord, name: String) {
    var attributes = image.configuration.config?.labels ?? [:]
    attributes["name"] = name
    context.events.publish("image", action, id: image.id.description, attributes)
  }

  /// Removes a name, or an image.
  package func remove(
    image: String, options: ImageRemoveOptions
  ) async throws -> [ImageDeleteResponseItem] {
    let uses = imageUses()
    let context = context
    let removals = try await shielded {
      try await translatingErrors {
        try await context.images.remove(
          image, force: options.force, prune: !options.noPrune,
          users: { uses[$0.description] ?? [] })
      }
    }
    return report(removals)
  }

  private func report(_ removals: [ImageRemoval]) -> [ImageDeleteResponseItem] {
    removals.map { removal in
      var item = ImageDeleteResponseItem()
      switch removal {
      case .untagged(let name):
        item.untagged = name
        context.events.publish("image", "untag", id: name, ["name": name])
      case .deleted(let id):
        item.deleted = id
        context.events.publish("image", "delete", id: id, ["name": id])
      }
      return item
    }
  }

  /// Removes images that no container uses and that match: dangling ones unless told otherwise.
  package func prune(_ filters: Filters) async throws -> ImagePruneResponse {
    try filters.validate(accepting: ["dangling", "label", "label!", "until"])
    let onlyDangling = try filters.boolean("dangling") ?? true
    let bound = try PruneBound(filters)
    let uses = imageUses()
    let context = context
    let (removed, reclaimed) = try await shielded {
      try await translatingErrors {
        try await context.images.prune(
          where: { image in
            let created = image.created.map(Timestamp.init) ?? .zero
            return (image.isDangling || !onlyDangling) && bound.includes(created: created)
              && bound.includes(labels: image.configuration.config?.labels ?? [:])
          }, users: { uses[$0.description] ?? [] })
      }
    }
    var response = ImagePruneResponse()
    response.imagesDeleted = removed.isEmpty ? nil : report(removed)
    response.spaceReclaimed = reclaimed
    context.events.publish("image", "prune", id: "", ["reclaimed": "\(reclaimed)"])
    return response
  }

  /// Searching is a service of one public registry's web site, which this engine does not ask.
  package func search(_ options: ImageSearchOptions) async throws -> [ImageSearchResult] {
    if options.term.isEmpty { throw APIError.invalidParameter("invalid search term: empty") }
    throw APIError(
      .notImplemented, "searching images is not supported by this engine: use your registry's pages"
    )
  }
}

extension Timestamp {
  /// The instant of a date.
  init(_ date: Date) {
    self.init(nanosecondsSinceEpoch: Int64(date.timeIntervalSince1970 * 1e9))
  }
}

extension DockerModel.ContainerConfig {
  /// An image's settings in the API's words.
  init(_ image: ExecutionConfiguration?) {
    self.init()
    guard let image else { return }
    hostname = image.hostname ?? ""
    domainname = image.domainname ?? ""
    user = image.user ?? ""
    exposedPorts = (image.exposedPorts ?? [:]).mapValues { _ in DockerModel.EmptyObject() }
    env = image.env
    cmd = image.cmd.map(StringList.init)
    entrypoint = image.entrypoint.map(StringList.init)
    healthcheck = image.healthcheck.map(HealthConfig.init)
    argsEscaped = image.argsEscaped
    volumes = image.volumes?.mapValues { _ in DockerModel.EmptyObject() }
    workingDir = image.workingDir ?? ""
    onBuild = image.onBuild
    labels = image.labels
    stopSignal = image.stopSignal ?? ""
    shell = image.shell.map(StringList.init)
  }
}
