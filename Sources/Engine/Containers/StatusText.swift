import DockerModel

/// The words of `docker ps` for what a container does.
enum StatusText {
  /// `Up 5 minutes (healthy)`, `Exited (0) 2 hours ago`.
  static func describe(_ record: ContainerRecord, at now: Timestamp) -> String {
    let lifecycle = record.lifecycle
    let ended = "(\(lifecycle.exitCode)) \(span(lifecycle.finishedAt, now)) ago"
    switch lifecycle.phase {
    case .created: return "Created"
    case .running:
      return "Up \(span(lifecycle.startedAt, now))" + health(record.health)
    case .paused: return "Up \(span(lifecycle.startedAt, now)) (Paused)"
    case .restarting: return "Restarting " + ended
    case .exited: return "Exited " + ended
    case .removing: return "Removal In Progress"
    case .dead: return "Dead"
    }
  }

  private static func health(_ health: Health?) -> String {
    switch health?.status {
    case nil, "none": ""
    case "starting": " (health: starting)"
    case let status?: " (\(status))"
    }
  }

  private static func span(_ start: Timestamp, _ end: Timestamp) -> String {
    let seconds = max(0, end.elapsed(since: start).components.seconds)
    let hours = Int((Double(seconds) / 3600).rounded())
    switch seconds {
    case 0: return "Less than a second"
    case 1: return "1 second"
    case ..<60: return "\(seconds) seconds"
    case ..<120: return "About a minute"
    case ..<3600: return "\(seconds / 60) minutes"
    case _ where hours == 1: return "About an hour"
    case _ where hours < 48: return "\(hours) hours"
    case _ where hours < 24 * 7 * 2: return "\(hours / 24) days"
    case _ where hours < 24 * 30 * 2: return "\(hours / 24 / 7) weeks"
    case _ where hours < 24 * 365 * 2: return "\(hours / 24 / 30) months"
    default: return "\(hours / 24 / 365) years"
    }
  }
}
