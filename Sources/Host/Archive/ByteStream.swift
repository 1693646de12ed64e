package import NIOCore

/// Bytes that arrive piece by piece, with back-pressure: an archive going in or out.
package typealias ByteStream = any AsyncSequence<ByteBuffer, any Error> & Sendable
