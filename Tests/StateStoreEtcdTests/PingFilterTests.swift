import NIOCore
import StateStoreTesting
import Testing

@testable import StateStoreEtcd

@Suite("PING filter")
struct PingFilterTests {
  private static func frame(
    type: UInt8, flags: UInt8, stream: UInt32, payload: [UInt8]
  ) -> [UInt8] {
    let length = UInt32(payload.count)
    return [UInt8(length >> 16 & 0xFF), UInt8(length >> 8 & 0xFF), UInt8(length & 0xFF)]
      + [type, flags] + (0..<4).map { UInt8(stream >> (24 - 8 * $0) & 0xFF) } + payload
  }

  @Test("takes out PINGs alone, however the bytes are cut", arguments: 1...40)
  func random(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var sent: [UInt8] = []
    var passed: [UInt8] = []
    var pings: [UInt64] = []
    for _ in 0..<200 {
      let kind = Int.random(in: 0..<5, using: &generator)
      if kind < 2 {
        let content = UInt64.random(in: 0...UInt64.max, using: &generator)
        let payload = (0..<8).map { UInt8(truncatingIfNeeded: content >> (56 - 8 * $0)) }
        let ping = Self.frame(type: 6, flags: kind == 0 ? 0 : 1, stream: 0, payload: payload)
        sent += ping
        // The answer to a PING of ours is for the handler behind.
        if kind == 0 { pings.append(content) } else { passed += ping }
      } else {
        let payload = (0..<Int.random(in: 0...60, using: &generator)).map { _ in
          UInt8.random(in: 0...255, using: &generator)
        }
        let type = [UInt8(0), 1, 3, 4, 6][Int.random(in: 0..<5, using: &generator)]
        let length = type == 6 ? payload.count + 9 : payload.count
        let frame = Self.frame(
          type: type, flags: 0, stream: 5,
          payload: payload + [UInt8](repeating: 1, count: length - payload.count))
        sent += frame
        passed += frame
      }
    }
    var filter = PingFilter()
    var rest: [UInt8] = []
    var found: [UInt64] = []
    var position = 0
    while position < sent.count {
      let count = min(
        sent.count - position, Int.random(in: 1...(seed % 2 == 0 ? 7 : 300), using: &generator))
      let result = filter.filter(ByteBuffer(bytes: sent[position..<position + count]))
      rest += result.rest.readableBytesView
      found += result.pings
      position += count
    }
    #expect(rest == passed, "seed \(seed)")
    #expect(found == pings, "seed \(seed)")
  }

  @Test("an answer is the same PING with the flag of an answer")
  func answer() {
    let answer = PingFilter.answer(to: 0x0102_0304_0506_0708, allocator: ByteBufferAllocator())
    #expect(
      Array(answer.readableBytesView)
        == Self.frame(type: 6, flags: 1, stream: 0, payload: [1, 2, 3, 4, 5, 6, 7, 8]))
  }

  @Test("hostile bytes are passed on, and little is kept", arguments: 1...20)
  func hostile(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var filter = PingFilter()
    var sent = 0
    var passed = 0
    for _ in 0..<100 {
      let bytes = (0..<Int.random(in: 0...50, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      let result = filter.filter(ByteBuffer(bytes: bytes))
      sent += bytes.count
      passed += result.rest.readableBytes + 17 * result.pings.count
      #expect((0..<17).contains(sent - passed))
    }
  }
}
