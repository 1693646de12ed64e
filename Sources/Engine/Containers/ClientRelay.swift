import ContainerRuntime
import DockerModel
import NIOCore

/// Carries bytes between a client's connection and a process's streams until one of them ends.
struct ClientRelay: Sendable {
  let connection: any RawConnection
  let stream: AttachStream
  let framing: StreamFraming
  var wantsInput = false
  var wantsOutput = true
  var wantsErrors = true
  /// The keys that leave without ending the process; nil where there is no terminal.
  var detachKeys: DetachKeys?

  /// Done when the process has closed its streams, before the client is told.
  var onStreamsEnded: @Sendable () async -> Void = {}

  /// How a relay ended.
  enum Ending: Sendable {
    /// The process closed its streams.
    case streamsEnded
    /// The client typed the keys that detach.
    case detached
    /// The client is gone.
    case clientLeft
  }

  /// Relays to the end.
  func run() async -> Ending {
    defer { stream.close() }
    let ending = await withTaskGroup(of: Ending?.self) { group in
      group.addTask { await sendOutput() }
      group.addTask { await passInput() }
      while let ending = await group.next() {
        // The input's end alone does not end the relay: the process may still write.
        if let ending {
          group.cancelAll()
          return ending
        }
      }
      return .streamsEnded
    }
    if case .streamsEnded = ending { await onStreamsEnded() }
    if ending != .clientLeft {
      try? await connection.finishOutput()  // a client that is gone needs no end of file
    }
    return ending
  }

  private func sendOutput() async -> Ending {
    do {
      while let bytes = try await stream.nextFrames(
        multiplexed: framing == .multiplexed, stdout: wantsOutput, stderr: wantsErrors)
      {
        try await connection.write(bytes)
      }
      return .streamsEnded
    } catch {
      return .clientLeft
    }
  }

  private func passInput() async -> Ending? {
    var scanner = detachKeys.map(DetachKeyScanner.init)
    do {
      for try await bytes in connection.input {
        guard wantsInput else { continue }
        guard let (pass, detached) = scanner?.scan(bytes.readableBytesView) else {
          await forward(bytes)
          continue
        }
        if !pass.isEmpty { await forward(ByteBuffer(bytes: pass)) }
        if detached { return .detached }
      }
      if wantsInput { stream.closeInput() }
      return nil
    } catch {
      if wantsInput { stream.closeInput() }
      return Task.isCancelled ? nil : .clientLeft
    }
  }

  /// Passes input on; a process that reads no more is no reason to stop showing what it writes.
  private func forward(_ bytes: ByteBuffer) async {
    try? await stream.write(bytes)  // closed: the output tells the rest
  }
}
