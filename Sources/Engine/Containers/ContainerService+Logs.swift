import ContainerRuntime
package import DockerModel

extension ContainerService {
  /// Sends a container's recorded output, and with `follow` what comes until it ends.
  package func logs(
    container: String, options: LogsOptions, sink: any OutputSink
  ) async throws {
    guard options.stdout || options.stderr else {
      throw APIError.invalidParameter("Bad parameters: you must choose at least one stream")
    }
    let container = try find(container)
    let record = container.record
    let settings = try logSettings(record)
    var wanted = ContainerLog.Options()
    wanted.follow = options.follow && record.lifecycle.isRunning
    wanted.since = options.since?.nanosecondsSinceEpoch
    wanted.until = options.until?.nanosecondsSinceEpoch
    wanted.tail = options.tail
    wanted.timestamps = options.timestamps
    wanted.stdout = options.stdout
    wanted.stderr = options.stderr
    let framing = try await sink.begin(tty: record.config.tty)
    let log = context.runtime.log(settings, of: record.id)
    let details = options.details ? try LogDetails(record) : nil
    if let details {
      for try await entries in log.entries(wanted) {
        try await sink.write(details.frames(entries, framing, timestamps: options.timestamps))
      }
      return
    }
    for try await bytes in log.frames(wanted, framing == .multiplexed ? .multiplexed : .raw) {
      try await sink.write(bytes)
    }
  }

  private func logSettings(_ record: ContainerRecord) throws -> LogSettings {
    let options = try LogOptions(record.hostConfig.logConfig)
    guard options.driver != .none else {
      throw APIError(
        .notImplemented, "configured logging driver does not support reading")
    }
    return options.settings(
      path: context.configuration.containerFolder(record.id) + "/container.log")
  }

  /// Sends what was recorded so far to a client that attaches with `logs`.
  func replayLogs(
    _ container: Container, _ options: AttachOptions, _ framing: StreamFraming,
    to connection: any RawConnection
  ) async throws {
    let record = container.record
    var wanted = ContainerLog.Options()
    wanted.stdout = options.stdout
    wanted.stderr = options.stderr
    let log = context.runtime.log(try logSettings(record), of: record.id)
    for try await bytes in log.frames(wanted, framing == .multiplexed ? .multiplexed : .raw) {
      try await connection.write(bytes)
    }
  }
}
