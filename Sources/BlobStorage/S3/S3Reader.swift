import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// Reads an object's bytes as they are asked for. A connection that breaks or rests too long, as it
/// does when the reader is slow, is made anew where the last one ended.
actor S3Reader {
  /// A place in a body. Iterators are for one task at a time, which the actor cannot show: it gives
  /// this one away for the time of each read, and has none meanwhile.
  private struct Source: @unchecked Sendable {
    var iterator: HTTPClientResponse.Body.AsyncIterator

    mutating func next() async throws -> ByteBuffer? { try await iterator.next() }
  }

  /// How often in a row a connection may break without a byte read.
  private static let patience = 3

  private let client: S3Client
  private let object: String
  private let tag: String?
  private var position: Int64
  private let end: Int64
  private var source: Source?
  private var failures = 0
  private var isReading = false

  /// A reader of what the answer has: the bytes of the range.
  init(
    _ client: S3Client, _ object: String, range: Range<Int64>, answer: HTTPClientResponse
  ) {
    self.client = client
    self.object = object
    tag = answer.headers.first(name: "etag")
    position = range.lowerBound
    end = range.upperBound
    source = Source(iterator: answer.body.makeAsyncIterator())
  }

  /// The next bytes; nil after the last.
  func next() async throws -> ByteBuffer? {
    guard !isReading else {
      throw BlobStorageError(.unavailable, "an object is read by two at once")
    }
    isReading = true
    defer { isReading = false }
    while position < end {
      do {
        guard let piece = try await read() else {
          throw BlobStorageError.unexpected("a body ends early")
        }
        guard piece.readableBytes > 0 else { continue }
        guard Int64(piece.readableBytes) <= end - position else {
          throw BlobStorageError.unexpected("a body is longer than announced")
        }
        position += Int64(piece.readableBytes)
        failures = 0
        // The connection goes back once the body has been seen to end.
        if position == end { _ = try? await read() }
        return piece
      } catch {
        try Task.checkCancellation()
        source = nil
        failures += 1
        guard failures < Self.patience else { throw BlobStorageError.ofS3(error) }
      }
    }
    source = nil
    return nil
  }

  private func read() async throws -> ByteBuffer? {
    var current: Source
    if let source {
      current = source
    } else {
      current = try await reopened()
    }
    source = nil
    let piece = try await current.next()
    source = current
    return piece
  }

  private func reopened() async throws -> Source {
    var request = S3Request(.GET, object)
    request.headers = [("range", "bytes=\(position)-\(end - 1)")]
    if let tag { request.headers.append(("if-match", tag)) }
    let answer = try await client.open(request)
    guard try answer.rangeRead(position..<end) == position..<end else {
      throw BlobStorageError.unexpected("another range than was asked for")
    }
    return Source(iterator: answer.body.makeAsyncIterator())
  }
}

extension HTTPClientResponse {
  /// The bytes of the object that the answer has, when these were asked for. Throws `unavailable`.
  func rangeRead(_ wanted: Range<Int64>?) throws -> Range<Int64> {
    guard let length = headers.first(name: "content-length").flatMap({ Int64($0) }), length >= 0
    else { throw BlobStorageError.unexpected("no length") }
    if status == .partialContent, let wanted {
      guard let text = headers.first(name: "content-range"), text.hasPrefix("bytes "),
        let dash = text.firstIndex(of: "-"), let slash = text.firstIndex(of: "/"), dash < slash,
        let first = Int64(text.dropFirst(6)[..<dash]),
        let last = Int64(text[text.index(after: dash)..<slash]),
        first == wanted.lowerBound, last >= first, last - first == length - 1,
        last < .max
      else { throw BlobStorageError.unexpected("the range read") }
      return first..<last + 1
    }
    return 0..<length
  }
}
