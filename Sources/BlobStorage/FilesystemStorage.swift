import Glibc
package import Host
package import NIOCore
import OCI

/// Stores blobs as files: `blobs/ab/KEY`, and uploads as `uploads/ID`, below one folder.
///
/// A file appears under its name by a rename after it was synced, so what has a name is whole; this
/// holds on NFS as well.
package struct FilesystemStorage: BlobStorage {
  package let name = "filesystem"
  /// The folder that everything lies in.
  package let root: String
  let pool: BlockingPool
  let restingHashes = RestingHashes<FileStamp, DigestHasher>()

  /// A storage in this folder, which is made if it is not there. Blocks; throws
  /// `BlobStorageError` (`badConfiguration`).
  package init(root: String, pool: BlockingPool = .shared) throws {
    self.root = root
    self.pool = pool
    do {
      for folder in ["blobs", "uploads"] {
        try Paths.makeDirectories("\(root)/\(folder)", mode: 0o700)
      }
      // Made once, so that storing a file never makes a folder that would have to be synced too.
      for number in 0..<256 {
        let name = (number < 16 ? "0" : "") + String(number, radix: 16)
        try Paths.makeDirectories("\(root)/blobs/\(name)", mode: 0o700)
      }
      try DurableFile.syncDirectory("\(root)/blobs")
      try DurableFile.syncDirectory(root)
    } catch let error as SystemError {
      throw BlobStorageError(
        .badConfiguration, "the storage folder cannot be used", metadata: ["folder": root],
        cause: error)
    }
  }

  // MARK: - Uploads

  func uploadPath(_ id: UploadID) -> String { "\(root)/uploads/\(id)" }

  package func beginUpload(_ id: UploadID) async throws -> any BlobUpload {
    let path = uploadPath(id)
    let file = try await blocking {
      try Descriptor.open(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
    }
    return FileUpload(id: id, storage: self, file: file, size: 0, hasher: DigestHasher())
  }

  package func resumeUpload(_ id: UploadID) async throws -> any BlobUpload {
    let path = uploadPath(id)
    let (file, stamp) = try await blocking {
      let file = try Descriptor.open(path, O_RDWR)
      return (file, try FileStamp(file))
    }
    // Without the hash of what is there it is hashed at the end, in one go.
    let hasher = restingHashes.take(id, stamp) ?? (stamp.size == 0 ? DigestHasher() : nil)
    return FileUpload(id: id, storage: self, file: file, size: stamp.size, hasher: hasher)
  }

  package func uploadSize(_ id: UploadID) async throws -> Int64 {
    let path = uploadPath(id)
    return try await blocking { try Self.size(of: Descriptor.open(path, O_RDONLY)) }
  }

  package func uploads() async throws -> [UploadInfo] {
    let folder = root + "/uploads"
    return try await blocking {
      try Paths.entries(of: folder).compactMap { name in
        guard let id = UploadID(name), let file = Self.facts("\(folder)/\(name)") else {
          return nil  // finished meanwhile, or not ours
        }
        return UploadInfo(id: id, size: file.size, changedAt: file.changedAt)
      }
    }
  }

  package func cancelUpload(_ id: UploadID) async throws {
    restingHashes.forget(id)
    let path = uploadPath(id)
    try await blocking {
      guard unlink(path) == 0 || errno == ENOENT else { throw SystemError.last("unlink", path) }
    }
  }

  // MARK: - Files

  func path(_ key: StorageKey) -> String {
    "\(root)/blobs/\(key.description.prefix(2))/\(key)"
  }

  package func store(_ bytes: ByteBuffer) async throws -> StorageKey {
    let key = StorageKey.random()
    // Written as an upload is: what a crash leaves is found and removed with abandoned uploads.
    let (temporary, path) = (uploadPath(.random()), path(key))
    try await blocking {
      do {
        let file = try Descriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        try file.write(bytes.readableBytesView)
        try checked("fsync", temporary, retryingInterrupts { fsync(file.rawValue) })
        try checked("rename", path, rename(temporary, path))
      } catch {
        unlink(temporary)
        throw error
      }
      try DurableFile.syncDirectory(Paths.parent(of: path))
    }
    return key
  }

  package func size(of key: StorageKey) async throws -> Int64 {
    let path = path(key)
    return try await blocking { try Self.size(of: Descriptor.open(path, O_RDONLY)) }
  }

  package func read(_ key: StorageKey, range: Range<Int64>?) async throws -> BlobBody {
    let path = path(key)
    return try await blocking {
      let file = try Descriptor.open(path, O_RDONLY)
      let size = try Self.size(of: file)
      let range = range ?? 0..<size
      guard range.lowerBound >= 0, range.upperBound <= size else {
        throw BlobStorageError(
          .invalidRange, "the range reaches beyond the file",
          metadata: ["range": "\(range)", "size": "\(size)"])
      }
      return .file(file, offset: range.lowerBound, length: Int64(range.count))
    }
  }

  package func delete(_ key: StorageKey) async throws {
    let path = path(key)
    try await blocking {
      guard unlink(path) == 0 || errno == ENOENT else { throw SystemError.last("unlink", path) }
    }
  }

  package func keys() -> AsyncThrowingStream<StoredFile, any Error> {
    let storage = self
    let folders = (0..<256).map { number in
      "\(root)/blobs/" + (number < 16 ? "0" : "") + String(number, radix: 16)
    }
    let position = FolderPosition(folders)
    return AsyncThrowingStream { try await position.next(storage) }
  }

  package func redirect(to key: StorageKey) async throws -> String? { nil }

  package func localPath(of key: StorageKey) -> String? { path(key) }

  package func check() async throws {
    let probe = "\(root)/uploads/.check-\(Identifier.hexadecimal(bytes: 6))"
    try await blocking {
      defer { unlink(probe) }
      try Descriptor.open(probe, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600).write([0])
    }
  }

  // MARK: - Blocking work

  /// Runs blocking work on the pool and gives its errors our codes.
  func blocking<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    do {
      return try await pool.run(body)
    } catch let error as SystemError {
      throw BlobStorageError(error)
    }
  }

  static func size(of file: Descriptor) throws -> Int64 {
    var information = stat()
    try checked("stat", nil, fstat(file.rawValue, &information))
    return Int64(information.st_size)
  }

  /// Size and time of the last change of a file; nil when it is gone.
  static func facts(_ path: String) -> (size: Int64, changedAt: Int64)? {
    var information = stat()
    guard lstat(path, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
      return nil
    }
    // Not that of the last write: an upload may rest for days before it becomes a stored file,
    // which is young then.
    let time = information.st_ctim
    return (
      Int64(information.st_size), Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    )
  }
}

/// Lists one folder after the other, as the reader asks for more.
private actor FolderPosition {
  private var folders: ArraySlice<String>
  private var files: ArraySlice<StoredFile> = []

  init(_ folders: [String]) { self.folders = folders[...] }

  func next(_ storage: FilesystemStorage) async throws -> StoredFile? {
    while files.isEmpty {
      guard let folder = folders.popFirst() else { return nil }
      files = try await storage.blocking {
        try Paths.entries(of: folder).compactMap { name -> StoredFile? in
          guard let key = StorageKey(name), let file = FilesystemStorage.facts("\(folder)/\(name)")
          else { return nil }
          return StoredFile(key: key, size: file.size, storedAt: file.changedAt)
        }
      }[...]
    }
    return files.popFirst()
  }
}

extension BlobStorageError {
  /// What an error of the system means for a file or an upload.
  init(_ error: SystemError) {
    switch error.errno {
    case ENOENT: self.init(.notFound, "no such content in the storage", cause: error)
    case ENOSPC, EDQUOT, EFBIG: self.init(.storageFull, "the storage is full", cause: error)
    default: self.init(.unavailable, "the storage cannot be used", cause: error)
    }
  }
}
