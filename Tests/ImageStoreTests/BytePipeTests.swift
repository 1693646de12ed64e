import Host
import NIOCore
import Synchronization
import Testing

/// The pipe between threads and tasks.
@Suite struct BytePipeTests {
  @Test func everythingArrivesInOrder() async throws {
    let total = 3 << 20
    let stream = BytePipe.stream(capacity: 10_000) { pipe in
      let writer = PipeWriter(pipe, capacity: 4096)
      try noise(total).withUnsafeBytes { bytes in
        var rest = bytes[...]
        while !rest.isEmpty {
          try writer.write(UnsafeRawBufferPointer(rebasing: rest.prefix(1000)))
          rest = rest.dropFirst(1000)
        }
      }
      try writer.flush()
    }
    #expect(try await collect(stream) == noise(total))
    let count = try await BytePipe.consume(
      ImageStoreTests.stream(noise(total), piece: 777), capacity: 5000
    ) { (source: PipeSource) in
      let reader = BufferedReader(source, capacity: 1024)
      var count = 0
      while true {
        let piece = try reader.take(upTo: 500)
        if piece.isEmpty { return count }
        count += piece.count
      }
    }
    #expect(count == total)
  }

  @Test func errorsArrive() async throws {
    struct Broken: Error {}
    let stream = BytePipe.stream { pipe in
      try pipe.write(ByteBuffer(string: "x"))
      throw Broken()
    }
    await #expect(throws: Broken.self) { _ = try await collect(stream) }
    let failing: ByteStream = AsyncThrowingStream<ByteBuffer, any Error> { continuation in
      continuation.yield(ByteBuffer(string: "x"))
      continuation.finish(throwing: Broken())
    }
    await #expect(throws: Broken.self) {
      try await BytePipe.consume(failing) { (source: PipeSource) in
        let reader = BufferedReader(source)
        try reader.drain()
      }
    }
  }

  @Test func aProducerNobodyReadsEnds() async throws {
    let flag = EndFlag()
    do {
      let stream = BytePipe.stream(capacity: 1000) { pipe in
        defer { flag.set() }
        while true { try pipe.write(ByteBuffer(repeating: 0, count: 500)) }
      }
      for try await _ in stream { break }
    }
    let deadline = ContinuousClock.now + .seconds(10)
    while !flag.isSet {
      try #require(ContinuousClock.now < deadline)
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  private final class EndFlag: Sendable {
    private let value = Mutex(false)
    func set() { value.withLock { $0 = true } }
    var isSet: Bool { value.withLock { $0 } }
  }
}
