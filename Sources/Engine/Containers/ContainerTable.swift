import DockerModel
import Synchronization

/// The containers of this daemon by id and by name. A name belongs to one container from the moment
/// it is reserved.
final class ContainerTable: Sendable {
  private struct Tables {
    var containers: [String: Container] = [:]
    /// Ids by name; a reserved name has the id of the container to come.
    var names: [String: String] = [:]
  }

  private let tables = Mutex(Tables())

  /// All containers, in no order.
  var all: [Container] { tables.withLock { Array($0.containers.values) } }

  /// How many there are.
  var count: Int { tables.withLock { $0.containers.count } }

  /// Keeps a name for a container to come.
  /// - Throws: `conflict` if the name is taken.
  func reserve(name: String, for id: String) throws {
    try tables.withLock { tables in
      if let owner = tables.names[name], owner != id {
        throw APIError.conflict(
          "Conflict. The container name \"/\(name)\" is already in use by container \"\(owner)\". "
            + "You have to remove (or rename) that container to be able to reuse that name.")
      }
      tables.names[name] = id
    }
  }

  /// Whether a name is free.
  func isFree(name: String) -> Bool { tables.withLock { $0.names[name] == nil } }

  /// Gives a name back, if it belongs to that container.
  func release(name: String, of id: String) {
    tables.withLock { if $0.names[name] == id { $0.names[name] = nil } }
  }

  /// Takes a container in, whose name is reserved or free.
  func insert(_ container: Container) {
    tables.withLock {
      $0.containers[container.id] = container
      $0.names[container.name] = container.id
    }
  }

  /// Lets go of a container and its name.
  func remove(_ container: Container) {
    tables.withLock {
      $0.containers[container.id] = nil
      if $0.names[container.name] == container.id { $0.names[container.name] = nil }
    }
  }

  /// The container of exactly that id.
  func container(id: String) -> Container? { tables.withLock { $0.containers[id] } }

  /// The container that a client names: by id, by name with or without a slash, or by the beginning
  /// of its id.
  /// - Throws: `notFound`, or `invalidParameter` if the beginning fits several.
  func find(_ reference: String) throws -> Container {
    let name = reference.hasPrefix("/") ? String(reference.dropFirst()) : reference
    return try tables.withLock { tables in
      if let exact = tables.containers[reference] { return exact }
      if let id = tables.names[name], let named = tables.containers[id] { return named }
      guard !reference.isEmpty, reference.utf8.count < 64, reference.utf8.allSatisfy(isHexadecimal)
      else { throw Self.missing(reference) }
      let matches = tables.containers.values.filter { $0.id.hasPrefix(reference) }
      if matches.count > 1 {
        throw APIError.invalidParameter(
          "Multiple IDs found with provided prefix: \(reference)")
      }
      guard let match = matches.first else { throw Self.missing(reference) }
      return match
    }
  }

  private static func missing(_ reference: String) -> APIError {
    .notFound("No such container: \(reference)")
  }
}

/// Whether a byte is a hexadecimal digit in lower case.
func isHexadecimal(_ byte: UInt8) -> Bool {
  (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
}
