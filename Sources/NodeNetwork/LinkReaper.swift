import Host
import Logging
import Synchronization

/// Deletes links of containers that are gone, behind their backs.
///
/// The kernel takes 15 ms and more to let go of one link, and no longer for many of one group; so
/// nobody waits for it who need not. A crash leaves links that the next start deletes.
final class LinkReaper: Sendable {
  private struct Grave {
    var container: String
    var links: [String]
    /// The container's name server, whose socket of rules may be slow to close.
    var resolver: SandboxResolver?
    /// What is to be done once the links are gone: addresses become free.
    var finish: @Sendable () -> Void
  }

  private struct State {
    var waiting: [Grave] = []
    /// Whose links are being deleted now.
    var current: [Grave] = []
    var worker: Task<Void, Never>?
  }

  private let group: UInt32
  private let logger: Logger
  private let state = Mutex(State())

  /// - Parameter name: the daemon's table; links on their way out get a group made from it.
  init(name: String, logger: Logger) {
    // Any number does that no other daemon of the machine is likely to have (FNV-1a).
    group = name.utf8.reduce(2_166_136_261) { ($0 ^ UInt32($1)) &* 16_777_619 } | 0x8000_0000
    self.logger = logger
  }

  /// Has links deleted soon; `finish` runs when they are gone.
  func delete(
    _ links: [String], of container: String, resolver: SandboxResolver?,
    finish: @escaping @Sendable () -> Void
  ) {
    guard !links.isEmpty || resolver != nil else { return finish() }
    state.withLock { state in
      state.waiting.append(
        Grave(container: container, links: links, resolver: resolver, finish: finish))
      // One worker at a time, which `settle` waits for; it ends when nothing is left.
      if state.worker == nil { state.worker = Task { await self.work() } }
    }
  }

  /// Returns when all links handed over so far are gone.
  func settle() async {
    while let worker = state.withLock({ $0.worker }) { await worker.value }
  }

  /// Returns when the links of a container are gone.
  func settle(_ container: String) async {
    let isPending = state.withLock { state in
      (state.waiting + state.current).contains { $0.container == container }
    }
    if isPending { await settle() }
  }

  /// Whether links are still to be deleted.
  var isBusy: Bool { state.withLock { $0.worker != nil } }

  private func work() async {
    while true {
      let graves = state.withLock { state in
        state.current = state.waiting
        state.waiting = []
        if state.current.isEmpty { state.worker = nil }
        return state.current
      }
      guard !graves.isEmpty else { return }
      let group = group
      let links = graves.flatMap(\.links)
      do {
        try await BlockingPool.shared.run {
          for grave in graves { grave.resolver?.closeRules() }
          try RouteSocket().perform { changes in
            for link in links { changes.setGroup(named: link, group) }
            if !links.isEmpty { changes.deleteLinks(group: group) }
          }
        }
      } catch {
        logger.warning(
          "the next start removes links of containers that are gone",
          metadata: ["error": "\(error)"])
      }
      for grave in graves { grave.finish() }
    }
  }
}
