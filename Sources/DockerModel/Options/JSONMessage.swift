/// One line of the progress that pull, push, load and import answer with.
package struct JSONMessage: Sendable, Equatable, Codable {
  /// How far one item has come.
  package struct Progress: Sendable, Equatable, Codable {
    /// Bytes (or units) done.
    package var current: Int64?
    /// Bytes (or units) in all.
    package var total: Int64?
    /// Clients older than API 1.47 print this in place of a bar.
    package var units: String?

    package init(current: Int64? = nil, total: Int64? = nil, units: String? = nil) {
      self.current = current
      self.total = total
      self.units = units
    }
  }

  /// What went wrong after the answer had begun.
  package struct Failure: Sendable, Equatable, Codable {
    package var code: Int?
    package var message: String

    package init(code: Int? = nil, message: String) {
      self.code = code
      self.message = message
    }
  }

  package var stream: String?
  package var status: String?
  package var progressDetail: Progress?
  /// The bar that old clients print, drawn by the daemon.
  package var progress: String?
  /// The short id of the layer, or the tag, that this line is about.
  package var id: String?
  package var errorDetail: Failure?
  package var error: String?
  package var aux: Aux?

  /// Facts for programs: what was pushed, or the id of what was made.
  package struct Aux: Sendable, Equatable, Codable {
    package var id: String?
    package var tag: String?
    package var digest: String?
    package var size: Int64?

    package init(
      id: String? = nil, tag: String? = nil, digest: String? = nil, size: Int64? = nil
    ) {
      self.id = id
      self.tag = tag
      self.digest = digest
      self.size = size
    }

    private enum CodingKeys: String, CodingKey {
      case id = "ID"
      case tag = "Tag"
      case digest = "Digest"
      case size = "Size"
    }
  }

  package init(
    status: String? = nil, id: String? = nil, progressDetail: Progress? = nil,
    stream: String? = nil, aux: Aux? = nil
  ) {
    self.status = status
    self.id = id
    self.progressDetail = progressDetail
    self.stream = stream
    self.aux = aux
  }

  /// The line that tells a failure after the answer has begun.
  package static func failure(_ message: String) -> JSONMessage {
    var line = JSONMessage()
    line.errorDetail = Failure(message: message)
    line.error = message
    return line
  }
}
