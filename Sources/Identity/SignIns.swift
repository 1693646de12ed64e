/// Sign-ins under way, and the throttle that lets them in.
struct SignIns {
  /// A verification that others may wait for: not one that began before the last change of secrets.
  struct Attempt: Hashable {
    let mark: VerifiedSecrets.Mark
    let epoch: UInt64
  }

  /// Counts failures.
  var throttle: LoginThrottle
  /// Verifications under way: a client that opens eight connections with one password has it
  /// verified once.
  var running: [Attempt: Task<VerifiedSecrets.Entry, any Error>] = [:]

  init(throttle: LoginThrottle) {
    self.throttle = throttle
  }
}
