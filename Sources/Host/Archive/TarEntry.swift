/// One member of a tar archive, its extended headers already applied.
package struct TarEntry: Sendable, Hashable {
  /// What a member is.
  package enum Kind: Sendable, Hashable {
    case file
    case directory
    case symbolicLink
    case hardLink
    case characterDevice
    case blockDevice
    case fifo
  }

  /// A piece of a sparse file that has data.
  package struct Segment: Sendable, Hashable {
    package var offset: Int64
    package var length: Int64
  }

  /// The name as it stands in the archive; bytes, since nothing says that it is text.
  package var path: [UInt8]
  /// Where a link leads.
  package var linkPath: [UInt8] = []
  package var kind: Kind
  /// Permission bits with set-id and sticky bits.
  package var mode: UInt32
  package var user: UInt32 = 0
  package var group: UInt32 = 0
  /// Bytes of the file, holes included.
  package var size: Int64 = 0
  /// Modification time, seconds and nanoseconds since 1970.
  package var seconds: Int64 = 0
  package var nanoseconds: Int64 = 0
  package var deviceMajor: UInt32 = 0
  package var deviceMinor: UInt32 = 0
  /// Extended attributes by their names.
  package var attributes: [String: [UInt8]] = [:]
  /// Where the data of a sparse file belongs; nil for an ordinary one.
  package var segments: [Segment]?

  package init(path: [UInt8], kind: Kind, mode: UInt32) {
    self.path = path
    self.kind = kind
    self.mode = mode
  }

  /// The name as text, damaged characters replaced.
  package var name: String { String(decoding: path, as: UTF8.self) }
}
