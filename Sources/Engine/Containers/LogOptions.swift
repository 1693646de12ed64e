import ContainerRuntime
import DockerModel

/// A log driver and its options, checked.
struct LogOptions: Sendable {
  let driver: LogSettings.Driver
  private var maximumSize: Int64?
  private var maximumFiles = 1

  /// The options that both file drivers take; those that only shape what is written beside a line
  /// are accepted and kept.
  private static let known: Set<String> = [
    "max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag", "mode",
    "max-buffer-size",
  ]

  /// - Throws: `invalidParameter`.
  init(_ config: LogConfig) throws {
    guard let driver = LogSettings.Driver(rawValue: config.type) else {
      throw APIError.invalidParameter(
        "logger: no log driver named '\(config.type)' is registered")
    }
    self.driver = driver
    if driver == .local {
      maximumSize = 20 << 20
      maximumFiles = 5
    }
    for (key, value) in config.config.sorted(by: { $0.key < $1.key }) {
      guard driver == .none || Self.known.contains(key) else {
        throw APIError.invalidParameter(
          "unknown log opt '\(key)' for \(config.type) log driver")
      }
      switch key {
      case "max-size":
        if value == "-1" {
          maximumSize = nil
          continue
        }
        guard let size = ByteCount.parse(value), size > 0 else {
          throw APIError.invalidParameter("invalid max-size: \(value)")
        }
        maximumSize = size
      case "max-file":
        guard let count = Int(value), count > 0 else {
          throw APIError.invalidParameter("max-file cannot be less than 1")
        }
        maximumFiles = count
      default: break
      }
    }
    if driver == .jsonFile && config.config["max-file"] != nil && maximumFiles > 1
      && maximumSize == nil
    {
      throw APIError.invalidParameter(
        "max-file cannot be greater than 1 when max-size is not set")
    }
  }

  /// The settings for a container whose log lies at that path.
  func settings(path: String) -> LogSettings {
    driver == .none
      ? LogSettings()
      : LogSettings(driver, path: path, maximumSize: maximumSize, maximumFiles: maximumFiles)
  }
}
