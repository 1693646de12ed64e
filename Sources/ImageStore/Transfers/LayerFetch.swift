import AsyncHTTPClient
import Glibc
import Host
import NIOCore
import NIOHTTP1
import OCI
import Synchronization

/// Brings one layer: downloads its blob, verifying it as it streams, and unpacks it meanwhile.
struct LayerFetch: Sendable {
  /// What the fetch made; either may have been there.
  struct Outcome: Sendable {
    var unpacked: LayerUnpacker.Unpacked?
  }

  let session: RegistrySession
  let blobs: BlobDirectory
  let unpacker: LayerUnpacker
  let slots: AsyncSemaphore
  let maximumAttempts: Int
  let localRegistriesPath: String
  let descriptor: ContentDescriptor
  let diffID: Digest
  let progress: ProgressHandler

  private var id: String { descriptor.digest.short }

  /// - Parameter needsLayer: whether the layer must be unpacked, not only its blob be here.
  func run(needsLayer: Bool) async throws -> Outcome {
    let (blobs, digest) = (self.blobs, descriptor.digest)
    var isHere = try await BlockingPool.shared.run { blobs.contains(digest) }
    if !isHere { isHere = try await linkFromThisMachine() }
    if isHere {
      guard needsLayer else { return Outcome() }
      let file = try await BlockingPool.shared.run { try blobs.open(digest) }
      isDownloaded.set()
      return Outcome(unpacked: try await unpack { FileSource(file) })
    }
    if !slots.tryEnter() {
      progress(TransferProgress(id: id, status: "Waiting"))
      try await slots.enter()
    }
    let hasLeft = Mutex(false)
    let leave = { @Sendable [slots] in
      if hasLeft.withLock({ left in
        defer { left = true }
        return !left
      }) {
        slots.leave()
      }
    }
    defer { leave() }
    let path = blobs.partialPath(digest)
    let file = try await BlockingPool.shared.run {
      try Descriptor.open(path, O_RDWR | O_CREAT, mode: 0o600)
    }
    let growth = GrowingFile()
    return try await withTaskCancellationHandler {
      try await withThrowingTaskGroup(of: LayerUnpacker.Unpacked?.self) { group in
        group.addTask {
          do {
            try await download(into: file, growth)
            growth.finish()
            leave()
            return nil
          } catch {
            growth.finish(error)
            throw error
          }
        }
        if needsLayer {
          group.addTask { try await unpack { GrowingFileSource(file, growth) } }
        }
        return try await collect(&group, path: path, growth)
      }
    } onCancel: {
      growth.finish(CancellationError())
    }
  }

  /// Takes the blob over from a registry on this machine without copying it; false when it must be
  /// downloaded.
  private func linkFromThisMachine() async throws -> Bool {
    let (host, folder) = (session.endpoint.host, localRegistriesPath)
    let registry = try await BlockingPool.shared.run {
      LocalRegistry(host: host, announcedIn: folder)
    }
    guard let registry else { return false }
    let response = try await session.send(
      .HEAD, "blobs/\(descriptor.digest)", headers: [LocalRegistry.offerHeader: "1"])
    guard response.status == .ok, let path = response.headers.first(name: LocalRegistry.pathHeader)
    else { return false }
    let (blobs, descriptor) = (self.blobs, descriptor)
    let isLinked = try await BlockingPool.shared.run {
      let incoming = blobs.incomingPath()
      guard
        try registry.link(path, as: descriptor.digest, size: descriptor.size, to: incoming)
      else { return false }
      try blobs.adopt(incoming, as: descriptor.digest)
      return true
    }
    if isLinked { progress(TransferProgress(id: id, status: "Download complete")) }
    return isLinked
  }

  private func collect(
    _ group: inout ThrowingTaskGroup<LayerUnpacker.Unpacked?, any Error>, path: String,
    _ growth: GrowingFile
  ) async throws -> Outcome {
    var outcome = Outcome()
    do {
      while let unpacked = try await group.next() {
        if let unpacked { outcome.unpacked = unpacked }
      }
      let (blobs, digest) = (self.blobs, descriptor.digest)
      try await BlockingPool.shared.run { try blobs.adopt(path, as: digest) }
      return outcome
    } catch {
      growth.finish(error)
      group.cancelAll()
      // The other half may have finished all the same; what it made must not stay.
      while let result = await group.nextResult() {
        if case .success(let late?) = result { outcome.unpacked = late }
      }
      if let made = outcome.unpacked {
        let folder = "\(unpacker.overlayPath)/\(made.directory)"
        try? await Task { try await BlockingPool.shared.run { try TreeRemoval.remove(folder) } }
          .value  // the first error counts; recovery sweeps what is left
      }
      throw error
    }
  }

  private func unpack(
    _ source: @escaping @Sendable () -> any ByteSource
  ) async throws -> LayerUnpacker.Unpacked {
    let (progress, id, total, unpacker) = (self.progress, id, descriptor.size, self.unpacker)
    let diffID = self.diffID
    let isDownloaded = self.isDownloaded
    let isCancelled = SharedFlag()
    return try await withTaskCancellationHandler {
      try await DedicatedThread.run {
        let throttle = ProgressThrottle()
        return try unpacker.unpack(source(), expected: diffID) { current in
          if isCancelled.isSet { throw CancellationError() }
          // Clients show one line per layer: unpacking is shown once downloading is over.
          guard isDownloaded.isSet else { return }
          throttle.pass(current, total) {
            progress(
              TransferProgress(id: id, status: "Extracting", current: current, total: total))
          }
        }
      }
    } onCancel: {
      isCancelled.set()
    }
  }

  private let isDownloaded = SharedFlag()

  // MARK: - Downloading

  private func download(into file: Descriptor, _ growth: GrowingFile) async throws {
    var state = DownloadState(descriptor.digest.algorithm)
    try await state.takeOver(file, size: descriptor.size, growth)
    var failures = 0
    while state.offset < descriptor.size || state.offset == 0 {
      if descriptor.size == 0 { break }
      let before = state.offset
      do {
        try await transfer(&state, file, growth)
      } catch let error as ImageStoreError where error.code == .registryUnavailable {
        if state.offset > before { failures = 0 }
        failures += 1
        guard failures < maximumAttempts else { throw error }
        try await countDown(failures)
      }
    }
    progress(TransferProgress(id: id, status: "Verifying Checksum"))
    let found = state.hasher.finalize()
    guard found == descriptor.digest else {
      // Not a beginning of anything: the next try must not build on it.
      unlink(blobs.partialPath(descriptor.digest))
      throw ImageStoreError(
        .invalidContent, "filesystem layer verification failed for digest \(descriptor.digest)",
        metadata: ["found": "\(found)"])
    }
    isDownloaded.set()
    progress(TransferProgress(id: id, status: "Download complete"))
  }

  private func countDown(_ failures: Int) async throws {
    for seconds in stride(from: min(1 << (failures - 1), 30), to: 0, by: -1) {
      progress(
        TransferProgress(
          id: id, status: "Retrying in \(seconds) second\(seconds == 1 ? "" : "s")"))
      try await Task.sleep(for: .seconds(1))
    }
  }

  /// One request for what is missing.
  private func transfer(
    _ state: inout DownloadState, _ file: Descriptor, _ growth: GrowingFile
  ) async throws {
    var headers = HTTPHeaders()
    if state.offset > 0 { headers.add(name: "Range", value: "bytes=\(state.offset)-") }
    let response = try await session.send(.GET, "blobs/\(descriptor.digest)", headers: headers)
    var skip: Int64 = 0
    switch response.status.code {
    case 206: try checkRange(response, state.offset)
    case 200: skip = state.offset  // it knows no ranges: what we have comes again
    default: throw await session.failure(response, "blob \(descriptor.digest)")
    }
    var pending: [ByteBuffer] = []
    var pendingBytes = 0
    let throttle = ProgressThrottle()
    do {
      for try await piece in response.body {
        var piece = piece
        let skipped = Int(min(skip, Int64(piece.readableBytes)))
        piece.moveReaderIndex(forwardBy: skipped)
        skip -= Int64(skipped)
        pendingBytes += piece.readableBytes
        guard state.offset + Int64(pendingBytes) <= descriptor.size else {
          unlink(blobs.partialPath(descriptor.digest))
          throw ImageStoreError(
            .invalidContent, "the blob is larger than the manifest says",
            metadata: ["digest": "\(descriptor.digest)", "size": "\(descriptor.size)"])
        }
        pending.append(piece)
        if pendingBytes >= 1 << 20 {
          try await state.write(pending, to: file, growth)
          (pending, pendingBytes) = ([], 0)
          throttle.pass(state.offset, descriptor.size) { report(state.offset) }
        }
      }
    } catch let error as ImageStoreError {
      throw error
    } catch {
      if Task.isCancelled { throw CancellationError() }
      // What came before the break counts.
      try await state.write(pending, to: file, growth)
      throw ImageStoreError(
        .registryUnavailable, "the download broke off",
        metadata: ["digest": "\(descriptor.digest)", "at": "\(state.offset)"], cause: error)
    }
    try await state.write(pending, to: file, growth)
    report(state.offset)
    guard state.offset == descriptor.size else {
      throw ImageStoreError(
        .registryUnavailable, "the download ended early",
        metadata: ["digest": "\(descriptor.digest)", "at": "\(state.offset)"])
    }
  }

  private func report(_ offset: Int64) {
    progress(
      TransferProgress(id: id, status: "Downloading", current: offset, total: descriptor.size))
  }

  private func checkRange(_ response: HTTPClientResponse, _ offset: Int64) throws {
    guard let range = response.headers.first(name: "Content-Range"),
      range.hasPrefix("bytes \(offset)-")
    else {
      throw ImageStoreError(
        .registryUnavailable, "the registry sent another part of the blob than was asked for",
        metadata: ["digest": "\(descriptor.digest)"])
    }
  }

  init(
    session: RegistrySession, blobs: BlobDirectory, unpacker: LayerUnpacker,
    slots: AsyncSemaphore, maximumAttempts: Int, localRegistriesPath: String,
    descriptor: ContentDescriptor, diffID: Digest, progress: @escaping ProgressHandler
  ) {
    self.session = session
    self.blobs = blobs
    self.unpacker = unpacker
    self.slots = slots
    self.maximumAttempts = maximumAttempts
    self.localRegistriesPath = localRegistriesPath
    self.descriptor = descriptor
    self.diffID = diffID
    self.progress = progress
  }
}

/// A flag that is set once.
final class SharedFlag: Sendable {
  private let value = Mutex(false)

  func set() { value.withLock { $0 = true } }
  var isSet: Bool { value.withLock { $0 } }
}

/// How far a download is, with the hash of all up to there.
private struct DownloadState: Sendable {
  var offset: Int64 = 0
  var hasher: DigestHasher

  init(_ algorithm: Digest.Algorithm) { hasher = DigestHasher(algorithm) }

  /// Builds on what an earlier download has left in the file.
  mutating func takeOver(_ file: Descriptor, size: Int64, _ growth: GrowingFile) async throws {
    let start = self
    self = try await BlockingPool.shared.run {
      var state = start
      var information = stat()
      try checked("stat", nil, fstat(file.rawValue, &information))
      guard Int64(information.st_size) <= size else {
        try checked("truncate", nil, ftruncate(file.rawValue, 0))
        return state
      }
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
      defer { memory.deallocate() }
      let source = FileSource(file)
      while true {
        let count = try source.read(into: memory)
        if count == 0 { break }
        state.hasher.update(UnsafeRawBufferPointer(rebasing: memory[..<count]))
        state.offset += Int64(count)
      }
      return state
    }
    growth.grow(to: offset)
  }

  /// Adds what came.
  mutating func write(
    _ pieces: [ByteBuffer], to file: Descriptor, _ growth: GrowingFile
  ) async throws {
    guard !pieces.isEmpty else { return }
    let start = self
    self = try await BlockingPool.shared.run {
      var state = start
      for piece in pieces {
        try piece.withUnsafeReadableBytes { bytes in
          state.hasher.update(bytes)
          var done = 0
          while done < bytes.count {
            let count = retryingInterrupts {
              pwrite(
                file.rawValue, bytes.baseAddress.map { $0 + done }, bytes.count - done,
                Int(state.offset))
            }
            guard count >= 0 else { throw SystemError.last("write") }
            done += count
            state.offset += Int64(count)
          }
        }
      }
      return state
    }
    growth.grow(to: offset)
  }
}
