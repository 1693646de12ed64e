import CLinux
import Glibc
import Host
import NIOCore
import Synchronization

/// One connection to a container's monitor, shared by all who are attached to that container.
///
/// conmon writes to each of its connections with a blocking call and closes the container's standard
/// input when any of them ends. Were every client given a connection of its own, one that stops
/// reading would stop the container's output for all, and one that only looks would close the
/// input. So there is one connection, and this class hands copies out:
///
/// - Each reader has a bounded queue. When one is full, the hub stops reading, and with it, in the
///   end, the container: nothing is lost to a slow reader that is alone.
/// - Where others wait, the slow reader is cut off after `patience`.
/// - When standard input ends with its first client (`closesInput`), the connection is kept after
///   the last reader has left, and what arrives is thrown away: letting go of it would close the
///   input too.
final class AttachHub: Sendable {
  private struct State {
    var socket: Descriptor?
    var token: UInt64 = 0
    var isReadPaused = false
    var wantsWrite = false
    var inputClosed = false
    var readers: [ObjectIdentifier: AttachQueue] = [:]
    var writers: [UInt64: CheckedContinuation<Void, Never>] = [:]
    var nextWriter: UInt64 = 1
  }

  /// The end of one client's input closes the container's.
  let closesInput: Bool
  private let acceptsInput: Bool
  private let patience: Duration
  private let folder: String
  private let state = Mutex(State())

  /// A hub for the monitor whose sockets are in `folder`; it connects with the first `attach`.
  init(folder: String, acceptsInput: Bool, closesInput: Bool, patience: Duration) {
    self.folder = folder
    self.acceptsInput = acceptsInput
    self.closesInput = acceptsInput && closesInput
    self.patience = patience
  }

  /// Adds a reader, which gets everything that is written from now on. Blocks shortly.
  /// - Throws: `ContainerRuntimeError.wrongState` when the monitor is gone.
  func attach() throws -> AttachStream {
    let queue = AttachQueue()
    try state.withLock { state in
      if state.socket == nil { try connect(&state) }
      state.readers[ObjectIdentifier(queue)] = queue
    }
    return AttachStream(hub: self, queue: queue)
  }

  private func connect(_ state: inout State) throws {
    // The path may be longer than a socket address holds; the folder's descriptor is not.
    let directory = try Descriptor.open(folder, martlet_open_path_only | O_DIRECTORY)
    let path = "/proc/self/fd/\(directory.rawValue)/attach"
    var number = martlet_connect_packets(path)
    // conmon may be busy with the runtime while more clients come than its queue holds.
    var attempts = 0
    while number < 0, errno == EAGAIN, attempts < 100 {
      usleep(2000)
      attempts += 1
      number = martlet_connect_packets(path)
    }
    guard number >= 0 else {
      throw ContainerRuntimeError(
        .wrongState, "cannot attach: the container's monitor does not answer",
        cause: SystemError.last("connect", folder + "/attach"))
    }
    let socket = Descriptor(owning: number)
    state.token = try AttachReactor.shared.add(self, socket: number)
    state.socket = socket
    state.isReadPaused = false
    state.wantsWrite = false
  }

  // MARK: output

  /// Called by the reactor when the socket is ready.
  func handle(events: UInt32, scratch: UnsafeMutableRawBufferPointer) {
    if events & EPOLLOUT.rawValue != 0 { resumeWriters() }
    guard events & ~EPOLLOUT.rawValue != 0 else { return }
    // A busy container must not keep the thread from the others.
    for _ in 0..<16 {
      guard receiveBatch(scratch) else { return }
    }
  }

  /// Reads one batch; false when there is no more for now.
  private func receiveBatch(_ scratch: UnsafeMutableRawBufferPointer) -> Bool {
    state.withLock { state in
      guard let socket = state.socket, !state.isReadPaused,
        let base = scratch.bindMemory(to: UInt8.self).baseAddress
      else { return false }
      var lengths = [UInt32](repeating: 0, count: AttachReactor.batch)
      let count = martlet_receive_packets(
        socket.rawValue, base, UInt32(AttachReactor.stride), UInt32(AttachReactor.batch), &lengths)
      if count < 0 {
        if errno != EAGAIN { end(&state) }
        return false
      }
      if count == 0 {
        end(&state)
        return false
      }
      var isFull = false
      for index in 0..<Int(count) {
        let length = Int(lengths[index])
        guard length > 0 else {
          end(&state)
          return false
        }
        let packet = UnsafeRawBufferPointer(
          rebasing: scratch[
            (index * AttachReactor.stride)..<(index * AttachReactor.stride + length)])
        // conmon marks output 2 and errors 3.
        let stream: OutputStream = packet[0] == 3 ? .standardError : .standardOutput
        let bytes = UnsafeRawBufferPointer(rebasing: packet.dropFirst())
        for reader in state.readers.values where reader.append(bytes, from: stream) {
          isFull = true
        }
      }
      for reader in state.readers.values { reader.wake() }
      if isFull { pause(&state) }
      return !isFull && count == Int32(AttachReactor.batch)
    }
  }

  private func pause(_ state: inout State) {
    state.isReadPaused = true
    updateInterest(state)
  }

  /// Called by a reader whose queue has room again.
  func readerHasRoom() {
    state.withLock { state in
      goOnReading(&state)
    }
  }

  private func goOnReading(_ state: inout State) {
    guard state.isReadPaused, !state.readers.values.contains(where: \.isFull) else { return }
    state.isReadPaused = false
    updateInterest(state)
  }

  private func updateInterest(_ state: State) {
    guard let socket = state.socket else { return }
    AttachReactor.shared.change(
      state.token, socket: socket.rawValue, reading: !state.isReadPaused,
      writing: state.wantsWrite)
  }

  /// Drops readers that have held up the others for too long.
  func cutOffSlowReaders() {
    state.withLock { state in
      guard state.isReadPaused, state.readers.count > 1 else { return }
      let stuck = state.readers.filter { $0.value.isStuck(after: patience) }
      guard !stuck.isEmpty, stuck.count < state.readers.count else { return }
      for (key, reader) in stuck {
        state.readers.removeValue(forKey: key)
        reader.finish()
      }
      goOnReading(&state)
    }
  }

  /// Removes a reader. The connection goes with the last one unless that would close the input.
  func detach(_ reader: AttachQueue) {
    state.withLock { state in
      guard state.readers.removeValue(forKey: ObjectIdentifier(reader)) != nil else { return }
      if state.readers.isEmpty && (!closesInput || state.inputClosed) {
        disconnect(&state)
      } else {
        goOnReading(&state)
      }
    }
  }

  /// The monitor has closed the connection: the process has ended and all output was read.
  private func end(_ state: inout State) {
    disconnect(&state)
    for reader in state.readers.values { reader.finish() }
    state.readers = [:]
  }

  private func disconnect(_ state: inout State) {
    guard let socket = state.socket else { return }
    AttachReactor.shared.remove(state.token, socket: socket.rawValue)
    socket.close()
    state.socket = nil
    for writer in state.writers.values { writer.resume() }
    state.writers = [:]
  }

  /// Ends everything, when the container is deleted.
  func shutDown() {
    state.withLock { end(&$0) }
  }

  // MARK: input

  private enum SendResult {
    case sent, full, closed
  }

  /// Sends input, waiting while the process does not read.
  /// - Throws: `ContainerRuntimeError.wrongState` when there is no input to write to, or
  ///   `CancellationError`.
  func write(_ bytes: ByteBuffer) async throws {
    guard acceptsInput else { return }
    var rest = bytes
    while rest.readableBytes > 0 {
      try Task.checkCancellation()
      // conmon takes at most 32 KiB at a time and cuts longer messages short.
      guard let chunk = rest.getSlice(at: rest.readerIndex, length: min(rest.readableBytes, 8192))
      else { return }
      switch send(chunk) {
      case .sent: rest.moveReaderIndex(forwardBy: chunk.readableBytes)
      case .full: await waitForRoom()
      case .closed:
        throw ContainerRuntimeError(.wrongState, "the process's standard input is closed")
      }
    }
  }

  private func send(_ chunk: ByteBuffer) -> SendResult {
    state.withLock { state in
      guard let socket = state.socket, !state.inputClosed else { return .closed }
      let count = chunk.withUnsafeReadableBytes { bytes in
        retryingInterrupts {
          Glibc.send(
            socket.rawValue, bytes.baseAddress, bytes.count,
            Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
        }
      }
      if count >= 0 { return .sent }
      return errno == EAGAIN ? .full : .closed
    }
  }

  private func waitForRoom() async {
    let number = state.withLock { state in
      defer { state.nextWriter += 1 }
      return state.nextWriter
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
        state.withLock { state in
          guard state.socket != nil else { return continuation.resume() }
          state.writers[number] = continuation
          state.wantsWrite = true
          updateInterest(state)
        }
        // A cancellation that came before found nobody to wake.
        if Task.isCancelled { wakeWriter(number) }
      }
    } onCancel: {
      wakeWriter(number)
    }
  }

  private func wakeWriter(_ number: UInt64) {
    state.withLock { $0.writers.removeValue(forKey: number) }?.resume()
  }

  private func resumeWriters() {
    state.withLock { state in
      state.wantsWrite = false
      updateInterest(state)
      for writer in state.writers.values { writer.resume() }
      state.writers = [:]
    }
  }

  /// One client's input has ended: closes the process's if it is meant to go with it.
  func closeInput() {
    guard closesInput else { return }
    state.withLock { state in
      guard let socket = state.socket, !state.inputClosed else { return }
      state.inputClosed = true
      shutdown(socket.rawValue, Int32(SHUT_WR))
      if state.readers.isEmpty { disconnect(&state) }
    }
  }
}
