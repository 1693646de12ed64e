package import DockerModel
import Host
import ImageStore
import OCI

extension ContainerService {
  /// Creates a container; it is durable when this returns.
  /// - Throws: `invalidParameter`, `notFound` for the image, `conflict` for the name.
  package func create(
    _ request: ContainerCreateRequest, name: String?, platform: String?
  ) async throws -> ContainerCreateResponse {
    try await shielded { [self] in
      try await translatingErrors { try await build(request, name: name, platform: platform) }
    }
  }

  private func build(
    _ request: ContainerCreateRequest, name: String?, platform: String?
  ) async throws -> ContainerCreateResponse {
    let id = Identifier.random()
    let image = try await image(of: request, platform: platform)
    var warnings: [String] = []
    var record = try Self.resolve(
      request, id: id, image: image, context: context, warnings: &warnings)
    let mounts = try MountResolution(record.config, record.hostConfig) { reference in
      try find(reference).record.mounts
    }
    record.mounts = mounts.sorted
    record.name = try reserveName(name, for: id)
    var undo = UndoStack()
    let reserved = record.name
    undo.add { [context] in context.containers.release(name: reserved, of: id) }
    do {
      let paths = try await context.images.prepareRootFilesystem(
        containerID: id, imageID: image?.id)
      undo.add { [context] in await context.removeRootFilesystem(id) }
      let folder = context.configuration.containerFolder(id)
      let missing = mounts.missingFolders
      try await BlockingPool.shared.run {
        try Paths.makeDirectories(folder, mode: 0o710)
        for path in missing where !Paths.exists(path) { try Paths.makeDirectories(path) }
      }
      undo.add { [context] in await context.removeFolder(of: id) }
      try await makeVolumes(&record, mounts.volumeOptions, &undo)
      try await supervisor.populateVolumes(record, merged: paths.merged)
      try await context.save(record)
    } catch {
      await undo.rollBack()
      throw error
    }
    context.containers.insert(Container(record))
    context.publish("create", record)
    var response = ContainerCreateResponse()
    response.id = id
    response.warnings = warnings
    return response
  }

  private func image(
    of request: ContainerCreateRequest, platform: String?
  ) async throws -> ImageRecord? {
    let reference = request.config.image
    guard !reference.isEmpty else { return nil }
    do {
      let image = try await context.images.resolve(reference)
      if let platform, !platform.isEmpty {
        let parts = platform.split(separator: "/").map(String.init)
        let isOther =
          parts.first.map { $0 != image.os } ?? false
          || parts.count > 1
            && Platform(os: parts[0], architecture: parts[1]).normalized.architecture
              != image.architecture
        if isOther {
          throw APIError.notFound(
            "image with reference \(reference) was found but does not match the specified platform: "
              + "wanted \(platform), actual: \(image.os)/\(image.architecture)")
        }
      }
      return image
    } catch let error as ImageStoreError where error.code == .notFound {
      throw APIError.notFound("No such image: \(Self.withTag(reference))")
    }
  }

  /// The name as the message shows it: with its tag, for clients look for exactly this text before
  /// they pull.
  private static func withTag(_ reference: String) -> String {
    let lastSlash = reference.lastIndex(of: "/") ?? reference.startIndex
    let hasTag = reference[lastSlash...].contains { $0 == ":" || $0 == "@" }
    return hasTag ? reference : reference + ":latest"
  }

  private func reserveName(_ wanted: String?, for id: String) throws -> String {
    if let wanted, !wanted.isEmpty {
      let name = wanted.hasPrefix("/") ? String(wanted.dropFirst()) : wanted
      guard ContainerName.isValid(name) else { throw Self.invalidName(name) }
      try context.containers.reserve(name: name, for: id)
      return name
    }
    for attempt in 0..<64 {
      let name = ContainerName.random(attempt: attempt)
      if context.containers.isFree(name: name) {
        try context.containers.reserve(name: name, for: id)
        return name
      }
    }
    let name = String(id.prefix(12))
    try context.containers.reserve(name: name, for: id)
    return name
  }

  /// Makes the volumes that are not there yet and fills in where each lies.
  private func makeVolumes(
    _ record: inout ContainerRecord, _ options: [String: VolumeOptions], _ undo: inout UndoStack
  ) async throws {
    let volumes = context.volumes
    for index in record.mounts.indices where record.mounts[index].kind == .volume {
      let mount = record.mounts[index]
      let wanted = options[mount.volume]
      if let driver = wanted?.driverConfig?.name ?? nonEmpty(record.hostConfig.volumeDriver),
        !["", "local"].contains(driver)
      {
        throw APIError.notFound(
          "error looking up volume plugin \(driver): plugin \"\(driver)\" not found")
      }
      var volume = VolumeRecord(
        name: mount.volume, createdAt: .now, labels: wanted?.labels,
        options: wanted?.driverConfig?.options)
      volume.isAnonymous = mount.isAnonymous
      if mount.isAnonymous {
        volume.labels = (volume.labels ?? [:]).merging(["com.docker.volume.anonymous": ""]) {
          old, _ in old
        }
      }
      let (made, isNew) = try await volumes.operations.withLock {
        try await volumes.create(volume)
      }
      record.mounts[index].source = volumes.mountpoint(made.name)
      if isNew {
        context.events.publish("volume", "create", id: made.name, ["driver": "local"])
        undo.add { [context] in await context.removeVolumeQuietly(made.name) }
      }
    }
  }

  private func nonEmpty(_ text: String) -> String? { text.isEmpty ? nil : text }
}
