import Glibc
import Host
import NIOCore
import OCI
import Testing

@testable import BlobStorage

@Suite struct FilesystemStorageTests {
  private func withStorage(
    at folder: String = "/tmp/martlet-storage-\(Identifier.hexadecimal(bytes: 8))",
    _ body: (FilesystemStorage) async throws -> Void
  ) async throws {
    let storage = try await BlockingPool.shared.run { try FilesystemStorage(root: folder) }
    do {
      try await body(storage)
    } catch {
      try await BlockingPool.shared.run { try TreeRemoval.remove(folder) }
      throw error
    }
    try await BlockingPool.shared.run { try TreeRemoval.remove(folder) }
  }

  @Test func conformance() async throws {
    try await withStorage { try await StorageConformance(storage: $0).runAll() }
  }

  @Test func aFileLiesWhereItsPathSays() async throws {
    try await withStorage { storage in
      let key = try await storage.store(ByteBuffer(string: "here"))
      let path = try #require(storage.localPath(of: key))
      #expect(path.hasPrefix(storage.root + "/blobs/\(key.description.prefix(2))/"))
      #expect(try Paths.readText(path) == "here")
    }
  }

  @Test func everythingIsThereForTheNextProcess() async throws {
    try await withStorage { storage in
      let key = try await storage.store(ByteBuffer(string: "kept"))
      let upload = try await storage.beginUpload(.random())
      try await upload.append(ByteBuffer(string: "half"))
      try await upload.suspend()
      let next = try FilesystemStorage(root: storage.root)
      #expect(try await next.size(of: key) == 4)
      #expect(try await next.uploads().map(\.id) == [upload.id])
      let resumed = try await next.resumeUpload(upload.id)
      let stored = try await resumed.commit(Digest.sha256(of: Array("half".utf8)))
      #expect(try await next.size(of: stored.key) == 4)
    }
  }

  @Test func whatRestsIsHashedOnlyOnce() async throws {
    try await withStorage { storage in
      let upload = try await storage.beginUpload(.random())
      try await upload.append(ByteBuffer(string: "some"))
      try await upload.suspend()
      #expect(storage.restingHashes.count == 1)
      let path = storage.uploadPath(upload.id)
      let stamp = try FileStamp(Descriptor.open(path, O_RDONLY))
      let hasher = try #require(storage.restingHashes.take(upload.id, stamp))
      #expect(hasher.finalize() == Digest.sha256(of: Array("some".utf8)))
      #expect(storage.restingHashes.take(upload.id, stamp) == nil, "it is handed out once")
      storage.restingHashes.keep(hasher, of: upload.id, stamp)
      let resumed = try await storage.resumeUpload(upload.id)
      #expect(storage.restingHashes.count == 0)
      try await resumed.append(ByteBuffer(string: "thing"))
      try await resumed.suspend()
      let again = try await storage.resumeUpload(upload.id)
      _ = try await again.commit(Digest.sha256(of: Array("something".utf8)))
    }
  }

  @Test func whatAnotherProcessWroteIsHashedAnew() async throws {
    try await withStorage { storage in
      let upload = try await storage.beginUpload(.random())
      try await upload.append(ByteBuffer(string: "some"))
      try await upload.suspend()
      let other = try FilesystemStorage(root: storage.root)
      let theirs = try await other.resumeUpload(upload.id)
      try await theirs.append(ByteBuffer(string: "thing"))
      try await theirs.suspend()
      let ours = try await storage.resumeUpload(upload.id)
      try await ours.append(ByteBuffer(string: " more"))
      _ = try await ours.commit(Digest.sha256(of: Array("something more".utf8)))
    }
  }

  @Test func hashesThatRestAreBounded() async throws {
    try await withStorage { storage in
      let upload = try await storage.beginUpload(.random())
      try await upload.suspend()
      let path = storage.uploadPath(upload.id)
      let stamp = try FileStamp(Descriptor.open(path, O_RDONLY))
      let hashes = RestingHashes<FileStamp, DigestHasher>(limit: 10)
      for _ in 0..<100 { hashes.keep(DigestHasher(), of: .random(), stamp) }
      hashes.keep(DigestHasher(), of: upload.id, stamp)
      #expect(hashes.count == 10)
      #expect(hashes.take(upload.id, stamp) != nil, "the newest stays")
      try await storage.cancelUpload(upload.id)
      #expect(storage.restingHashes.count == 0, "what is cancelled is forgotten")
    }
  }

  @Test func aFolderThatCannotBeUsedIsTold() {
    do {
      _ = try FilesystemStorage(root: "/dev/null/x")
      Issue.record("nothing was thrown")
    } catch {
      #expect((error as? BlobStorageError)?.code == .badConfiguration)
    }
  }

  @Test(.enabled(if: geteuid() == 0, "mounting takes root"))
  func aFullDiskIsToldAndGivesTheSpaceBack() async throws {
    let folder = "/tmp/martlet-full-\(Identifier.hexadecimal(bytes: 8))"
    try Paths.makeDirectories(folder)
    try checked("mount", folder, mount("tmpfs", folder, "tmpfs", 0, "size=8m"))
    defer {
      umount2(folder, Int32(MNT_DETACH))
      rmdir(folder)
    }
    let storage = try FilesystemStorage(root: folder + "/data")
    let upload = try await storage.beginUpload(.random())
    do {
      for _ in 0..<20 {
        try await upload.append(ByteBuffer(repeating: 7, count: 1 << 20))
      }
      _ = try await upload.commit(Digest.sha256(of: [UInt8](repeating: 7, count: 20 << 20)))
      Issue.record("nothing was thrown")
    } catch let error as BlobStorageError {
      #expect(error.code == .storageFull, "\(error)")
    }
    await #expect(throws: BlobStorageError.self, "nothing is taken behind a hole") {
      try await upload.append(ByteBuffer(bytes: [1]))
    }
    await #expect(throws: BlobStorageError.self, "nor is it acknowledged") {
      try await upload.suspend()
    }
    let whole = ByteBuffer(repeating: 2, count: 9 << 20)
    await #expect(throws: BlobStorageError.self) { _ = try await storage.store(whole) }
    #expect(try await storage.uploads().map(\.id) == [upload.id])
    try await upload.cancel()
    let small = [UInt8](repeating: 1, count: 1 << 20)
    let stored = try await StorageConformance(storage: storage).upload(small)
    #expect(try await storage.size(of: stored.key) == 1 << 20)
  }

  @Test func keysAndIDsAreOnlyWhatWeMake() {
    for text in [
      "", "a", String(repeating: "A", count: 32), "../" + String(repeating: "a", count: 29),
      String(repeating: "a", count: 33), String(repeating: "é", count: 16),
    ] {
      #expect(StorageKey(text) == nil)
      #expect(UploadID(text) == nil)
    }
    let key = StorageKey.random()
    #expect(StorageKey(key.description) == key && key != StorageKey.random())
  }
}
