/// How Identity treats secrets. The defaults are right for most.
package struct IdentitySettings: Sendable {
  /// The work that a password costs (RFC 9106). Changing it re-hashes each password at its next use.
  package struct HashParameters: Hashable, Sendable {
    /// Memory in KiB.
    package var memory: UInt32
    /// Passes over the memory.
    package var passes: UInt32
    /// Lanes.
    package var lanes: UInt32

    /// These costs.
    package init(memory: UInt32 = 19_456, passes: UInt32 = 2, lanes: UInt32 = 1) {
      self.memory = memory
      self.passes = passes
      self.lanes = lanes
    }
  }

  /// The costs of hashing passwords.
  package var hashing = HashParameters()
  /// The fewest characters of a new password.
  package var passwordMinimum = 8
  /// How long a secret that was right is believed without being looked at again; a changed password
  /// ends it at once.
  package var verifiedFor: Duration = .seconds(300)
  /// How long a refresh token works after it was issued or last used.
  package var refreshTokenLifetime: Duration = .seconds(30 * 86_400)
  /// What failed sign-ins cost.
  package var throttle = ThrottlePolicy()

  /// The defaults.
  package init() {}
}

/// What failed sign-ins cost: after some that are free, each doubles the time until the next may be
/// tried.
package struct ThrottlePolicy: Hashable, Sendable {
  /// Failures for one name that cost nothing.
  package var freePerName = 5
  /// Failures from one address that cost nothing; more, for many people share one.
  package var freePerAddress = 30
  /// The wait after the first failure that costs.
  package var firstDelay: Duration = .seconds(1)
  /// The longest wait: the lock-out.
  package var longestDelay: Duration = .seconds(900)
  /// How long without a failure until the failures are forgotten.
  package var forgetAfter: Duration = .seconds(1_800)
  /// How many names and addresses are remembered at most.
  package var capacity = 20_000

  /// The defaults.
  package init() {}
}
