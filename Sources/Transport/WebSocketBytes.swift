import NIOCore
import NIOWebSocket

/// Turns WebSocket frames into plain bytes and back: answers pings, joins fragments, and makes the
/// closing handshake of a half-close.
final class WebSocketBytes: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = WebSocketFrame
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = WebSocketFrame

  private let opcode: WebSocketOpcode
  private var sentClose = false

  init(binary: Bool) { opcode = binary ? .binary : .text }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let frame = Self.unwrapInboundIn(data)
    switch frame.opcode {
    case .text, .binary, .continuation:
      context.fireChannelRead(Self.wrapInboundOut(frame.unmaskedData))
    case .ping:
      let pong = WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData)
      context.writeAndFlush(Self.wrapOutboundOut(pong), promise: nil)
    case .connectionClose:
      sendClose(context: context)
      context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    default: break
    }
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let bytes = Self.unwrapOutboundIn(data)
    guard bytes.readableBytes > 0, !sentClose else {
      promise?.succeed()
      return
    }
    let frame = WebSocketFrame(fin: true, opcode: opcode, data: bytes)
    context.write(Self.wrapOutboundOut(frame), promise: promise)
  }

  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    sendClose(context: context)
    context.close(mode: mode, promise: promise)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  private func sendClose(context: ChannelHandlerContext) {
    guard !sentClose else { return }
    sentClose = true
    var reason = ByteBuffer()
    reason.write(webSocketErrorCode: .normalClosure)
    let frame = WebSocketFrame(fin: true, opcode: .connectionClose, data: reason)
    context.writeAndFlush(Self.wrapOutboundOut(frame), promise: nil)
  }
}
