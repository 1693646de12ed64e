import BlobStorage
import NIOHTTP1
import Transport

/// Sends stored bytes as an answer.
enum BlobResponse {
  /// Files go out by themselves, streams piece by piece as the client takes them.
  static func send(
    _ body: BlobBody, _ status: HTTPResponseStatus, _ headers: HTTPHeaders,
    through exchange: Exchange
  ) async throws {
    switch body {
    case .file(let file, let offset, let length):
      try await exchange.respondFile(
        status, headers: headers, file: file, offset: offset, length: length)
    case .stream(_, let pieces):
      try await exchange.begin(status, headers: headers)
      for try await piece in pieces { try await exchange.write(piece) }
      try await exchange.finish()
    }
  }
}
