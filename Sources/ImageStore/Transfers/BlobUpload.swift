import AsyncHTTPClient
import Glibc
import Host
import NIOCore
import NIOHTTP1
import OCI

/// Brings one blob into a repository, by the cheapest way that works: it is there, it can be
/// mounted from another repository, or it is sent.
struct BlobUpload: Sendable {
  let session: RegistrySession
  let blobs: BlobDirectory
  let descriptor: ContentDescriptor
  /// Repositories of the same registry that are known to have it, best last.
  let sources: [String]
  /// The id that progress lines carry; nil for content that has no line.
  let id: String?
  let maximumAttempts: Int
  let progress: ProgressHandler

  private static let maximumMounts = 3

  func run() async throws {
    var failures = 0
    while true {
      do {
        try await attempt()
        return
      } catch let error as ImageStoreError where error.code == .registryUnavailable {
        failures += 1
        guard failures < maximumAttempts else { throw error }
        report("Retrying in \(failures) second\(failures == 1 ? "" : "s")")
        try await Task.sleep(for: .seconds(failures))
      }
    }
  }

  private func report(_ status: String, _ current: Int64? = nil) {
    guard let id else { return }
    let total = current == nil ? nil : descriptor.size
    progress(TransferProgress(id: id, status: status, current: current, total: total))
  }

  private func attempt() async throws {
    let head = try await session.send(.HEAD, "blobs/\(descriptor.digest)")
    if head.status == .ok {
      report("Layer already exists")
      return
    }
    guard head.status == .notFound else {
      throw await session.failure(head, "blob \(descriptor.digest)")
    }
    let candidates = sources.reversed().filter { $0 != session.repository }
      .prefix(Self.maximumMounts)
    for source in candidates {
      let response = try await session.send(
        .POST, "blobs/uploads/?mount=\(descriptor.digest)&from=\(source)",
        extraScopes: ["repository:\(source):pull"])
      if response.status == .created {
        report("Mounted from \(source)")
        return
      }
      // No mount, but an upload was begun instead. While another source may do better it is left
      // behind; registries sweep such uploads away.
      if response.status == .accepted, source == candidates.last {
        return try await send(to: response)
      }
    }
    let response = try await session.send(.POST, "blobs/uploads/")
    guard response.status == .accepted else {
      throw await session.failure(response, "upload of \(descriptor.digest)")
    }
    try await send(to: response)
  }

  private func send(to begun: HTTPClientResponse) async throws {
    guard let location = begun.headers.first(name: "Location") else {
      throw ImageStoreError(.registryUnavailable, "the registry begins an upload nowhere")
    }
    let base = try RegistrySession.absolute(
      location, against: "\(session.endpoint.base)/v2/\(session.repository)/blobs/uploads/")
    let url = base + (base.contains("?") ? "&" : "?") + "digest=\(descriptor.digest)"
    let (blobs, digest) = (self.blobs, descriptor.digest)
    let file = try await BlockingPool.shared.run { try blobs.open(digest) }
    var headers = HTTPHeaders()
    headers.add(name: "Content-Type", value: "application/octet-stream")
    let (descriptor, id, progress) = (self.descriptor, self.id, self.progress)
    let response = try await session.send(.PUT, url, headers: headers) {
      if descriptor.size == 0 { return .bytes(ByteBuffer()) }
      let body = FileByteSequence(file: file, size: descriptor.size) { sent in
        guard let id else { return }
        progress(
          TransferProgress(id: id, status: "Pushing", current: sent, total: descriptor.size))
      }
      return .stream(body, length: .known(descriptor.size))
    }
    guard response.status == .created || response.status == .noContent else {
      throw await session.failure(response, "upload of \(descriptor.digest)")
    }
    report("Pushed")
  }
}
