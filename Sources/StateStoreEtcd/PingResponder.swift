import NIOCore

/// Takes the PING frames (RFC 9113, section 6.7) out of a server's bytes.
///
/// Servers written in Go measure the way to a client with a PING for nearly every request, so a
/// busy connection sees hundreds in a second. The HTTP/2 handler closes a connection after 200 such
/// frames in 30 seconds, and its limit cannot be set from here.
struct PingFilter {
  private static let headerLength = 9
  private static let pingLength = 17

  /// The bytes of a frame whose beginning does not tell yet what it is.
  private var held = ByteBuffer()
  /// How many bytes of the frame that has begun are still to be passed on.
  private var left = 0

  /// Takes some of the server's bytes; returns what is not a PING, and the contents of the PINGs
  /// that want an answer.
  mutating func filter(_ input: ByteBuffer) -> (rest: ByteBuffer, pings: [UInt64]) {
    var input = input
    if held.readableBytes > 0 {
      held.writeBuffer(&input)
      input = held
      held = ByteBuffer()
    }
    var rest: ByteBuffer?
    var pings: [UInt64] = []
    var bytes = input
    var start = input.readerIndex
    while bytes.readableBytes > 0 {
      if left > 0 {
        let count = min(left, bytes.readableBytes)
        bytes.moveReaderIndex(forwardBy: count)
        left -= count
        continue
      }
      guard let frame = PingFilter.header(of: bytes) else { break }
      guard frame.isPing else {
        left = PingFilter.headerLength + frame.length
        continue
      }
      guard bytes.readableBytes >= PingFilter.pingLength else { break }
      pass(input, from: start, to: bytes.readerIndex, &rest)
      bytes.moveReaderIndex(forwardBy: PingFilter.headerLength)
      if let content = bytes.readInteger(as: UInt64.self) { pings.append(content) }
      start = bytes.readerIndex
    }
    if bytes.readableBytes > 0 { held = ByteBuffer(buffer: bytes) }
    if rest == nil, start == input.readerIndex, bytes.readableBytes == 0 { return (input, pings) }
    pass(input, from: start, to: bytes.readerIndex, &rest)
    return (rest ?? ByteBuffer(), pings)
  }

  /// The frame that answers a PING.
  static func answer(to content: UInt64, allocator: ByteBufferAllocator) -> ByteBuffer {
    var frame = allocator.buffer(capacity: pingLength)
    frame.writeBytes([0, 0, 8, 6, 1, 0, 0, 0, 0])
    frame.writeInteger(content)
    return frame
  }

  private func pass(
    _ input: ByteBuffer, from start: Int, to end: Int, _ rest: inout ByteBuffer?
  ) {
    guard end > start, var slice = input.getSlice(at: start, length: end - start) else { return }
    if rest == nil { rest = slice } else { rest?.writeBuffer(&slice) }
  }

  /// What a frame's first bytes say; nil when there are too few of them.
  private static func header(of bytes: ByteBuffer) -> (length: Int, isPing: Bool)? {
    let at = bytes.readerIndex
    guard bytes.readableBytes >= headerLength,
      let first = bytes.getInteger(at: at, as: UInt32.self),
      let flags = bytes.getInteger(at: at + 4, as: UInt8.self)
    else { return nil }
    let length = Int(first >> 8)
    return (length, first & 0xFF == 6 && length == 8 && flags & 1 == 0)
  }
}

/// Answers a server's PINGs before they come to the HTTP/2 handler.
final class PingResponder: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// How many answers may wait while the connection takes none: far more than come up while large
  /// requests are sent. A server that asks that often without reading is not worth the memory.
  private static let waitingLimit = 10_000

  private var filter = PingFilter()
  private var hasAnswers = false
  /// The answers since the connection last took some.
  private var waiting = 0

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let (rest, pings) = filter.filter(unwrapInboundIn(data))
    for ping in pings {
      waiting = context.channel.isWritable ? 0 : waiting + 1
      guard waiting <= PingResponder.waitingLimit else {
        context.close(promise: nil)
        return
      }
      let answer = PingFilter.answer(to: ping, allocator: context.channel.allocator)
      context.write(wrapOutboundOut(answer), promise: nil)
      hasAnswers = true
    }
    if rest.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(rest)) }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if hasAnswers {
      hasAnswers = false
      context.flush()
    }
    context.fireChannelReadComplete()
  }
}
