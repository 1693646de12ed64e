import ContainerRuntime
package import DockerModel

extension ContainerService {
  /// Joins a client to a container's streams, now or at its next start.
  package func attach(
    container: String, options: AttachOptions, connection: any RawConnection
  ) async throws {
    let container = try find(container)
    let record = container.record
    if record.lifecycle.isPaused {
      throw APIError.conflict(
        "Container \(container.id) is paused, unpause the container before attach.")
    }
    if record.lifecycle.phase == .restarting {
      throw APIError.conflict(
        "Container \(container.id) is restarting, wait until the container is running")
    }
    let isRunning = record.lifecycle.isRunning
    let waiting = options.stream && !isRunning ? container.registerAttacher() : nil
    let now =
      options.stream && isRunning
      ? try await translatingErrors { try await context.runtime.attach(container.id) } : nil
    let framing = try await connection.begin(tty: record.config.tty)
    if options.logs {
      try await replayLogs(container, options, framing, to: connection)
    }
    if let now {
      await relay(container, now, options, framing, connection)
    } else if let waiting {
      for await stream in waiting {
        await relay(container, stream, options, framing, connection)
      }
    }
  }

  private func relay(
    _ container: Container, _ stream: AttachStream, _ options: AttachOptions,
    _ framing: StreamFraming, _ connection: any RawConnection
  ) async {
    let record = container.record
    context.publish("attach", record)
    var relay = ClientRelay(connection: connection, stream: stream, framing: framing)
    relay.wantsInput = options.stdin && record.config.openStdin
    relay.wantsOutput = options.stdout
    relay.wantsErrors = options.stderr
    relay.detachKeys = record.config.tty ? options.detachKeys ?? .standard : nil
    if await relay.run() == .detached { context.publish("detach", record) }
  }
}
