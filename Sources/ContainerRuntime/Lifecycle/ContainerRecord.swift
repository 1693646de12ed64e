import FoundationEssentials
import Glibc
import Host

/// What is kept beside a container's bundle so that another daemon can take the container over.
struct ContainerRecord: Codable, Sendable {
  /// Raised when the form changes in a way that older daemons cannot read.
  var version = 1
  var settings: ContainerSettings
  var cgroupPath: String

  private static let file = "record.json"
  private static let handleFile = "handle.json"
  static let specificationFile = "config.json"

  init(settings: ContainerSettings, cgroupPath: String) {
    self.settings = settings
    self.cgroupPath = cgroupPath
  }

  /// Reads the record of the container in `folder`; nil when there is none that can be read.
  init?(folder: String) {
    guard let record = Self.decode(ContainerRecord.self, folder + "/" + Self.file),
      record.version == 1
    else { return nil }
    self = record
  }

  /// Writes the record. A half-written one cannot be decoded and counts as none.
  /// - Throws: `SystemError`.
  func write(to folder: String) throws {
    try Self.write(self, folder + "/" + Self.file)
  }

  /// The processes that were started for the container or exec in `folder`; nil before that.
  static func handle<Handle: Decodable>(_ type: Handle.Type, in folder: String) -> Handle? {
    decode(type, folder + "/" + handleFile)
  }

  /// Writes the processes that were started.
  /// - Throws: `SystemError`.
  static func write(handle: some Encodable, to folder: String) throws {
    try write(handle, folder + "/" + handleFile)
  }

  private static func decode<Value: Decodable>(_ type: Value.Type, _ path: String) -> Value? {
    // Missing and torn files mean the same: the daemon was killed before it had written them.
    guard let bytes = try? Paths.read(path) else { return nil }
    return try? JSONDecoder().decode(type, from: Data(bytes))  // torn, see above
  }

  /// Writes a value as JSON, without waiting for the disk: the folder does not outlive a reboot.
  /// - Throws: `SystemError`, `EncodingError`.
  static func write(_ value: some Encodable, _ path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    let data = try encoder.encode(value)
    let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
    try file.write(data)
  }
}
