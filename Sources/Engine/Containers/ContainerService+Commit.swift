import ContainerRuntime
package import DockerModel
import ImageStore
import OCI

extension ContainerService {
  /// Makes an image of a container's file system and configuration.
  package func commit(
    _ options: CommitOptions, configuration: ContainerConfig?
  ) async throws -> IdResponse {
    let container = try find(options.container)
    let record = container.record
    var config = configuration ?? record.config
    if configuration != nil { config.merge(image: ExecutionConfiguration(record.config)) }
    try ImageChanges.apply(options.changes, to: &config)
    let request = CommitRequest(
      createdBy: record.arguments.joined(separator: " "), config: ExecutionConfiguration(config),
      parentImage: record.imageID.isEmpty ? nil : record.imageID,
      author: options.author.isEmpty ? nil : options.author,
      comment: options.comment.isEmpty ? nil : options.comment)
    let tag = ImageService.target(options.repository, options.tag)
    let context = context
    let id = try await shielded {
      try await container.operations.withLock {
        // A process that writes while its files are read would make an image of no moment.
        let pauses = options.pause && container.lifecycle.isRunning && !container.lifecycle.isPaused
        return try await translatingErrors {
          if pauses { try await context.runtime.pause(container.id) }
          let result: Result<Digest, any Error>
          do {
            result = .success(
              try await context.images.commit(containerID: container.id, request, tag: tag))
          } catch {
            result = .failure(error)
          }
          if pauses { try await context.runtime.resume(container.id) }
          return try result.get()
        }
      }
    }
    context.publish("commit", record, ["imageID": id.description, "imageRef": tag ?? ""])
    var response = IdResponse()
    response.id = id.description
    return response
  }
}
