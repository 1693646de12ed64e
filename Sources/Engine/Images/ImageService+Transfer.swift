package import DockerModel
import FoundationEssentials
import Host
import ImageStore
import OCI

extension RegistryCredentials {
  /// A client's credentials; `auth` holds both name and password.
  init(_ config: AuthConfig) {
    var username = config.username
    var password = config.password
    if username.isEmpty, !config.auth.isEmpty, let data = Data(base64Encoded: config.auth) {
      let text = String(decoding: data, as: UTF8.self)
      let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      username = String(parts[0])
      password = parts.count == 2 ? String(parts[1]) : ""
    }
    self.init(
      username: username, password: password,
      identityToken: config.identitytoken.isEmpty ? nil : config.identitytoken,
      registryToken: config.registrytoken.isEmpty ? nil : config.registrytoken)
  }
}

extension ImageService {
  /// Runs a transfer whose progress comes on any thread, and tells it in order. The progress is
  /// bounded: what a slow client has not taken is dropped for the next figure.
  private func reporting<Value: Sendable>(
    to progress: @escaping ProgressReporter,
    _ transfer: @escaping @Sendable (@escaping ProgressHandler) async throws -> Value
  ) async throws -> Value {
    let (steps, feed) = AsyncStream.makeStream(
      of: TransferProgress.self, bufferingPolicy: .bufferingOldest(16_384))
    return try await withThrowingTaskGroup(of: Value?.self) { group in
      group.addTask {
        for await step in steps { await progress(JSONMessage(step)) }
        return nil
      }
      group.addTask {
        defer { feed.finish() }
        return try await translatingErrors { try await transfer { feed.yield($0) } }
      }
      var value: Value?
      while let result = try await group.next() {
        if let result { value = result }
      }
      guard let value else { throw CancellationError() }
      return value
    }
  }

  /// Pulls an image, or with no tag all of a repository.
  package func pull(_ options: ImagePullOptions, progress: @escaping ProgressReporter) async throws
  {
    let (reference, allTags) = Self.reference(options.fromImage, options.tag)
    let platform = try await translatingErrors {
      try options.platform.flatMap { $0.isEmpty ? nil : try Platform(parsing: $0) }
    }
    let credentials = options.authentication.map(RegistryCredentials.init)
    let image = try await reporting(to: progress) { [context] report in
      try await context.images.pull(
        reference, platform: platform, credentials: credentials, allTags: allTags, progress: report)
    }
    context.events.publish(
      "image", "pull", id: reference, ["name": image.repoTags.first ?? reference])
  }

  /// The reference of a pull: a tag beside the name, or a digest, goes behind it.
  private static func reference(_ name: String, _ tag: String) -> (String, allTags: Bool) {
    if !tag.isEmpty {
      return (tag.utf8.contains(UInt8(ascii: ":")) ? name + "@" + tag : name + ":" + tag, false)
    }
    let lastSlash = name.lastIndex(of: "/") ?? name.startIndex
    let hasTag = name[lastSlash...].contains { $0 == ":" || $0 == "@" }
    return (name, !hasTag)
  }

  /// The name of an image to be made: a tag beside the repository, in it, or none; nil without a name.
  static func target(_ repository: String, _ tag: String) -> String? {
    if repository.isEmpty { return nil }
    let (name, hasNoTag) = reference(repository, tag)
    return hasNoTag ? name + ":latest" : name
  }

  /// Pushes an image, or with no tag all of a repository.
  package func push(
    image: String, options: ImagePushOptions, progress: @escaping ProgressReporter
  ) async throws {
    let reference = options.tag.isEmpty ? image : image + ":" + options.tag
    let credentials = options.authentication.map(RegistryCredentials.init)
    let allTags = options.tag.isEmpty && Self.reference(image, "").allTags
    _ = try await reporting(to: progress) { [context] report in
      try await context.images.push(
        reference, allTags: allTags, credentials: credentials, progress: report)
      return true
    }
    context.events.publish("image", "push", id: reference, ["name": reference])
  }

  /// What a registry says of an image.
  package func distribution(
    image: String, authentication: AuthConfig?
  ) async throws -> DistributionInspect {
    try await translatingErrors {
      let found = try await context.images.distribution(
        image, credentials: authentication.map(RegistryCredentials.init))
      var inspect = DistributionInspect()
      inspect.descriptor.mediaType = found.descriptor.mediaType
      inspect.descriptor.digest = found.descriptor.digest.description
      inspect.descriptor.size = found.descriptor.size
      inspect.platforms = found.platforms.map { platform in
        var result = OCIPlatform()
        result.architecture = platform.architecture
        result.os = platform.os
        result.variant = platform.variant ?? ""
        result.osVersion = platform.osVersion ?? ""
        return result
      }
      return inspect
    }
  }

  // MARK: - Archives

  /// Sends images as one archive.
  package func save(images: [String], sink: any ByteSink) async throws {
    let stream = try await translatingErrors { try await context.images.save(images) }
    try await sink.begin()
    for try await bytes in stream { try await sink.write(bytes) }
    for image in images { context.events.publish("image", "save", id: image, ["name": image]) }
  }

  /// Reads images from an archive.
  package func load(
    _ archive: DockerModel.ByteStream, quiet: Bool, progress: @escaping ProgressReporter
  ) async throws {
    let loaded = try await reporting(to: progress) { [context] report in
      try await context.images.load(archive, quiet: quiet, progress: report)
    }
    for name in loaded { context.events.publish("image", "load", id: name, ["name": name]) }
  }

  /// Makes an image from a root file system's archive.
  package func importImage(
    _ options: ImageImportOptions, body: DockerModel.ByteStream,
    progress: @escaping ProgressReporter
  ) async throws {
    guard options.source == "-" else {
      throw APIError.invalidParameter(
        "importing from a URL is not supported: fetch the archive and pass it as the body")
    }
    var config = ContainerConfig()
    try ImageChanges.apply(options.changes, to: &config)
    let target = Self.target(options.repository, options.tag)
    let settings = ExecutionConfiguration(config)
    let id = try await translatingErrors {
      let platform = try options.platform.flatMap { $0.isEmpty ? nil : try Platform(parsing: $0) }
      return try await context.images.importImage(
        body, config: settings, comment: options.message.isEmpty ? nil : options.message,
        platform: platform, tag: target)
    }
    await progress(JSONMessage(status: id.description))
    context.events.publish(
      "image", "import", id: id.description, ["name": target ?? id.description])
  }
}

extension JSONMessage {
  /// A transfer's step as clients draw it.
  init(_ step: TransferProgress) {
    self.init(status: step.status.isEmpty ? nil : step.status, id: step.id, stream: step.stream)
    if let pushed = step.pushed {
      aux = Aux(tag: pushed.tag, digest: pushed.digest.description, size: pushed.size)
      if step.status.isEmpty { status = nil }
    }
    if step.id != nil || step.current != nil {
      progressDetail = Progress(current: step.current, total: step.total)
      progress = step.current.map { Self.bar($0, of: step.total) }
    }
  }

  /// The bar that clients draw which do not draw one themselves.
  private static func bar(_ current: Int64, of total: Int64?) -> String {
    guard let total, total > 0, current <= total else { return shown(current) }
    let filled = Int(current * 50 / total)
    let head = filled < 50 ? ">" : ""
    let bar =
      String(repeating: "=", count: filled) + head
      + String(repeating: " ", count: 50 - filled - head.count)
    return "[\(bar)]  \(shown(current))/\(shown(total))"
  }

  private static func shown(_ bytes: Int64) -> String {
    var value = Double(bytes)
    var unit = 0
    let units = ["B", "kB", "MB", "GB", "TB"]
    while value >= 1000 && unit < units.count - 1 {
      value /= 1000
      unit += 1
    }
    let tenths = Int((value * 10).rounded())
    return tenths % 10 == 0
      ? "\(tenths / 10)\(units[unit])" : "\(tenths / 10).\(tenths % 10)\(units[unit])"
  }
}
