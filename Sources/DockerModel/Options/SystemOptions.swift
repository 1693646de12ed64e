/// Parameters of `GET /events`.
package struct EventsOptions: Sendable, Equatable {
  /// First replay what is remembered from this instant on.
  package var since: Timestamp?
  /// End at this instant; one in the past makes the answer end after the replay.
  package var until: Timestamp?
  package var filters = Filters()
  package init() {}
}

/// Parameters of `GET /system/df`.
package struct DiskUsageOptions: Sendable, Equatable {
  /// What to account for.
  package enum Kind: String, Sendable, CaseIterable {
    case container, image, volume
    case buildCache = "build-cache"
  }
  /// The kinds asked for; all of them unless the client named some.
  package var kinds = Set(Kind.allCases)
  package init() {}
}

/// Parameters of `GET /networks/{id}`.
package struct NetworkInspectOptions: Sendable, Equatable {
  package var verbose = false
  /// `local`, `global` or `swarm`; nil looks in all.
  package var scope: String?
  package init() {}
}

/// An instant as clients give it: seconds since 1970 and nanoseconds.
package struct Timestamp: Sendable, Hashable, Comparable {
  package var seconds: Int64
  package var nanoseconds: Int32

  package init(seconds: Int64, nanoseconds: Int32 = 0) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }

  package static func < (left: Timestamp, right: Timestamp) -> Bool {
    (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
  }
}
