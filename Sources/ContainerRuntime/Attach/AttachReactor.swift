import CLinux
import Glibc
import Host
import Synchronization

/// Reads the attach sockets of all containers on one thread.
///
/// conmon's sockets keep message boundaries (SOCK_SEQPACKET) and each message is 8 KiB at most, so
/// they are read in batches of many messages for each system call.
final class AttachReactor: Sendable {
  /// The reactor of this process.
  static let shared = AttachReactor()

  private struct State {
    var nextToken: UInt64 = 1
    var hubs: [UInt64: AttachHub] = [:]
  }

  /// Room for one message: conmon's 8 KiB and its leading byte, with some to spare.
  static let stride = 16 << 10
  static let batch = 32

  private let epoll: Int32
  private let state = Mutex(State())

  private init() {
    epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    var thread = pthread_t()
    let opaque = Unmanaged.passRetained(self).toOpaque()
    let status = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<AttachReactor>.fromOpaque(argument).takeUnretainedValue().loop()
        return nil
      }, opaque)
    if status == 0 { pthread_detach(thread) }
  }

  private func loop() {
    var events = [epoll_event](repeating: epoll_event(), count: 64)
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: Self.stride * Self.batch, alignment: 64)
    defer { buffer.deallocate() }
    while true {
      let count = retryingInterrupts { epoll_wait(epoll, &events, 64, 1000) }
      guard count >= 0 else { return }
      for event in events.prefix(Int(count)) {
        guard let hub = state.withLock({ $0.hubs[event.data.u64] }) else { continue }
        hub.handle(events: event.events, scratch: buffer)
      }
      if count < 64 {
        for hub in state.withLock({ Array($0.hubs.values) }) { hub.cutOffSlowReaders() }
      }
    }
  }

  /// Watches a hub's socket for input.
  /// - Throws: `SystemError`.
  func add(_ hub: AttachHub, socket: Int32) throws -> UInt64 {
    let token = state.withLock { state in
      defer { state.nextToken += 1 }
      state.hubs[state.nextToken] = hub
      return state.nextToken
    }
    var event = epoll_event()
    event.events = EPOLLIN.rawValue
    event.data.u64 = token
    guard epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event) == 0 else {
      let error = SystemError.last("epoll_ctl")
      state.withLock { _ = $0.hubs.removeValue(forKey: token) }
      throw error
    }
    return token
  }

  /// Chooses what a hub waits for.
  func change(_ token: UInt64, socket: Int32, reading: Bool, writing: Bool) {
    var event = epoll_event()
    event.events = (reading ? EPOLLIN.rawValue : 0) | (writing ? EPOLLOUT.rawValue : 0)
    event.data.u64 = token
    epoll_ctl(epoll, EPOLL_CTL_MOD, socket, &event)
  }

  /// Forgets a hub, whose socket is still open.
  func remove(_ token: UInt64, socket: Int32) {
    epoll_ctl(epoll, EPOLL_CTL_DEL, socket, nil)
    state.withLock { _ = $0.hubs.removeValue(forKey: token) }
  }
}
