import FoundationEssentials
import Host
package import OCI

extension ImageStore {
  /// Gives an image one more name; takes the name from the image that had it.
  /// Returns the image.
  @discardableResult
  package func tag(_ source: String, as target: String) async throws -> ImageRecord {
    let name = try Self.tagName(target)
    return try await catalog.update { state in
      let (id, _) = try ReferenceLookup(state).find(source)
      guard var image = state.images[id] else { throw ReferenceLookup.notFound(source) }
      try state.setName(name, id)
      image.stored.lastTagTime = Date().timeIntervalSince1970
      try state.set(image)
      guard let record = RecordBuilder(state).record(id) else {
        throw ReferenceLookup.notFound(source)
      }
      return record
    }
  }

  /// The full form of a name with a tag. Throws `invalidArgument`.
  static func tagName(_ text: String) throws -> String {
    let reference: ImageReference
    do {
      reference = try ImageReference(parsing: text)
    } catch let error as OCIError {
      throw ImageStoreError(.invalidArgument, error.description)
    }
    guard reference.digest == nil else {
      throw ImageStoreError(
        .invalidArgument, "refusing to create a tag with a digest reference")
    }
    return reference.tagged.description
  }

  /// Removes a name, or an image by its id, with docker's rules. `users` gives the containers made
  /// from an image (by id). With `prune` untagged parents go too. Throws `notFound`, `conflict`.
  package func remove(
    _ reference: String, force: Bool, prune: Bool,
    users: @escaping @Sendable (Digest) -> [ImageUse]
  ) async throws -> [ImageRemoval] {
    let removals = try await catalog.update { state in
      let removal = Removal(force: force, prune: prune, users: users)
      return try removal.remove(reference, from: &state)
    }
    let collected = try await collectGarbage()
    return removals + collected.layers.map { .deleted($0.description) }
  }

  /// Removes the images that `isUnwanted` chooses and that no container uses, and returns what
  /// went and the bytes that it freed.
  package func prune(
    where isUnwanted: @escaping @Sendable (ImageRecord) -> Bool,
    users: @escaping @Sendable (Digest) -> [ImageUse]
  ) async throws -> (removed: [ImageRemoval], reclaimedBytes: Int64) {
    let removals = try await catalog.update { state -> [ImageRemoval] in
      var removals: [ImageRemoval] = []
      let removal = Removal(force: false, prune: false, users: users)
      // Children go before their parents can; another round finds the parents free.
      var isProgress = true
      while isProgress {
        isProgress = false
        for record in RecordBuilder(state).all() where isUnwanted(record) {
          guard users(record.id).isEmpty, state.children(of: record.id).isEmpty else { continue }
          removals += removal.removeWhole(record.id, from: &state)
          isProgress = true
        }
      }
      return removals
    }
    let collected = try await collectGarbage()
    let (blobs, pins) = (self.blobs, self.pins)
    let partial = try await blocking("partial downloads cannot be removed") {
      try blobs.removePartials { pins.blobs().contains($0) }
    }
    return (
      removals + collected.layers.map { .deleted($0.description) }, collected.bytes + partial
    )
  }
}
