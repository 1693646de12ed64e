import OCI

/// Docker's rules for removing images, as a pure change of the catalog.
struct Removal {
  let force: Bool
  let prune: Bool
  let users: @Sendable (Digest) -> [ImageUse]

  /// Removes what `text` names. Throws `notFound` or `conflict`.
  func remove(_ text: String, from state: inout CatalogState) throws -> [ImageRemoval] {
    let (id, name) = try ReferenceLookup(state).find(text)
    if let name { return try removeName(name, text, of: id, from: &state) }
    return try removeByID(id, from: &state)
  }

  private func removeName(
    _ name: String, _ text: String, of id: Digest, from state: inout CatalogState
  ) throws -> [ImageRemoval] {
    if !force, isSingle(references(to: id, in: state)), let user = users(id).first {
      throw ImageStoreError(
        .conflict,
        "conflict: unable to remove repository reference \"\(text)\" (must force) - container "
          + "\(user.containerID.prefix(12)) is using its referenced image \(id.short)")
    }
    var removals = [untag(name, from: &state)]
    let removed = try ImageReference(parsing: name)
    let left = references(to: id, in: state)
    // Digests go with the last tag of their repository.
    if removed.digest == nil,
      !left.contains(where: { $0.digest == nil && $0.name == removed.name })
    {
      for reference in left where reference.name == removed.name {
        removals.append(untag(reference.description, from: &state))
      }
    }
    guard state.references(to: id).isEmpty else { return removals }
    // What stands in the way now is no error: the name is gone, as was asked.
    guard conflict(with: id, in: state) == nil else { return removals }
    return removals + removeWithParents(id, from: &state)
  }

  private func removeByID(
    _ id: Digest, from state: inout CatalogState
  ) throws -> [ImageRemoval] {
    if !force, !isSingle(references(to: id, in: state)) {
      throw Self.conflict(
        id, "(must be forced)", "image is referenced in multiple repositories")
    }
    if let conflict = conflict(with: id, in: state) { throw conflict }
    return removeWithParents(id, from: &state)
  }

  /// What forbids to remove the image itself.
  private func conflict(with id: Digest, in state: CatalogState) -> ImageStoreError? {
    if !state.children(of: id).isEmpty {
      return Self.conflict(id, "(cannot be forced)", "image has dependent child images")
    }
    let users = users(id)
    if let running = users.first(where: \.isRunning) {
      return Self.conflict(
        id, "(cannot be forced)",
        "image is being used by running container \(running.containerID.prefix(12))")
    }
    if !force, let stopped = users.first {
      return Self.conflict(
        id, "(must be forced)",
        "image is being used by stopped container \(stopped.containerID.prefix(12))")
    }
    return nil
  }

  private static func conflict(_ id: Digest, _ force: String, _ reason: String) -> ImageStoreError {
    ImageStoreError(.conflict, "conflict: unable to delete \(id.short) \(force) - \(reason)")
  }

  private func references(to id: Digest, in state: CatalogState) -> [ImageReference] {
    // Names in the catalog were parsed before they came in.
    state.references(to: id).compactMap { try? ImageReference(parsing: $0) }
  }

  /// Whether the names are but one tag, with digests of its own repository, or one digest.
  private func isSingle(_ references: [ImageReference]) -> Bool {
    if references.count <= 1 { return true }
    return references.filter { $0.digest == nil }.count <= 1
      && Set(references.map(\.name)).count == 1
  }

  private func untag(_ name: String, from state: inout CatalogState) -> ImageRemoval {
    state.removeName(name)
    // A name that cannot be read is shown as it stands.
    return .untagged((try? ImageReference(parsing: name))?.familiar ?? name)
  }

  private func removeWithParents(
    _ id: Digest, from state: inout CatalogState
  ) -> [ImageRemoval] {
    let parent = state.images[id]?.stored.parent
    var removals = removeWhole(id, from: &state)
    var next = parent
    while prune, let candidate = next, state.images[candidate] != nil,
      state.references(to: candidate).isEmpty, state.children(of: candidate).isEmpty,
      users(candidate).isEmpty
    {
      next = state.images[candidate]?.stored.parent
      removals += removeWhole(candidate, from: &state)
    }
    return removals
  }

  /// Removes an image with all its names.
  func removeWhole(_ id: Digest, from state: inout CatalogState) -> [ImageRemoval] {
    let removals = state.references(to: id).map { untag($0, from: &state) }
    state.removeImage(id)
    return removals + [.deleted(id.description)]
  }
}
