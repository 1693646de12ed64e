package import Logging
package import StateStore

/// People, their secrets, organisations and teams. All of it lies in the store under `/identity/`;
/// what is asked often is answered from memory, which a watch keeps true.
package final class IdentityService: Sendable {
  let store: any StateStore
  let settings: IdentitySettings
  let logger: Logger
  let clock: @Sendable () -> Timestamp

  /// A service over the store. Nothing is read until the first question.
  package init(
    store: any StateStore, settings: IdentitySettings = IdentitySettings(), logger: Logger,
    clock: @escaping @Sendable () -> Timestamp = { Timestamp.now() }
  ) {
    self.store = store
    self.settings = settings
    self.logger = logger
    self.clock = clock
  }
}
