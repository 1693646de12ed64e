import BlobStorage
import Glibc
import Host
import NIOCore

/// Reads small stored content into memory.
enum BlobReader {
  /// All bytes of a body. Throws `unavailable`.
  static func bytes(_ body: BlobBody) async throws -> ByteBuffer {
    do {
      switch body {
      case .file(let file, let offset, let length):
        return try await BlockingPool.shared.run {
          try read(file, offset: offset, length: Int(length))
        }
      case .stream(let length, let parts):
        var buffer = ByteBuffer()
        for try await var part in parts {
          buffer.writeBuffer(&part)
          guard buffer.readableBytes <= length else { break }
        }
        guard buffer.readableBytes == length else {
          throw RegistryError(.unavailable, "stored content is not of the length announced")
        }
        return buffer
      }
    } catch let error as SystemError {
      throw RegistryError(.unavailable, "stored content cannot be read", cause: error)
    } catch let error as BlobStorageError {
      throw RegistryService.translated(error)
    }
  }

  private static func read(_ file: Descriptor, offset: Int64, length: Int) throws -> ByteBuffer {
    var done = 0
    let bytes = try [UInt8](unsafeUninitializedCapacity: length) { buffer, initialized in
      while done < length {
        let count = pread(
          file.rawValue, buffer.baseAddress?.advanced(by: done), length - done, Int(offset) + done)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else {
          throw RegistryError(
            .unavailable, "stored content cannot be read", metadata: ["error": "\(errno)"])
        }
        done += count
      }
      initialized = done
    }
    return ByteBuffer(bytes: bytes)
  }
}
