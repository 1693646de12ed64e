import DockerModel
import Host

/// Turns what a request says of mounts into mounts, in the order in which later ones win.
struct MountResolution {
  /// The mounts so far, by destination.
  private(set) var mounts: [String: MountRecord] = [:]
  /// Settings of volumes to be made, by name.
  private(set) var volumeOptions: [String: VolumeOptions] = [:]
  /// Folders to make because a `-v` names them and they are not there.
  private(set) var missingFolders: [String] = []
  /// Destinations that `-v`, `--mount` and `--tmpfs` named, which must not be named twice.
  private var explicit: Set<String> = []

  /// The mounts of a request.
  /// - Parameter volumesFrom: gives the mounts of another container, by name or id.
  /// - Throws: `invalidParameter`, or what `volumesFrom` throws.
  init(
    _ config: ContainerConfig, _ host: HostConfig,
    volumesFrom: (String) throws -> [MountRecord]
  ) throws {
    for reference in host.volumesFrom ?? [] { try inherit(reference, volumesFrom) }
    for bind in host.binds ?? [] { try addBind(bind) }
    for mount in host.mounts ?? [] { try addMount(mount) }
    for (path, options) in host.tmpfs ?? [:] {
      try add(Self.tmpfs(at: path, options: options.split(separator: ",").map(String.init)))
    }
    for path in (config.volumes ?? [:]).keys.sorted() {
      let destination = try Self.destination(path)
      if mounts[destination] != nil { continue }
      var mount = MountRecord(.volume, at: destination)
      mount.volume = Identifier.random()
      mount.isAnonymous = true
      mounts[destination] = mount
    }
  }

  /// All mounts, by destination.
  var sorted: [MountRecord] { mounts.values.sorted { $0.destination < $1.destination } }

  private mutating func add(_ mount: MountRecord) throws {
    guard explicit.insert(mount.destination).inserted else {
      throw APIError.invalidParameter("Duplicate mount point: \(mount.destination)")
    }
    mounts[mount.destination] = mount
  }

  private mutating func inherit(
    _ reference: String, _ volumesFrom: (String) throws -> [MountRecord]
  ) throws {
    let parts = reference.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let mode = parts.count == 2 ? String(parts[1]) : ""
    guard let name = parts.first, !name.isEmpty, ["", "ro", "rw", "z", "Z"].contains(mode) else {
      throw APIError.invalidParameter("invalid volumes-from: \(reference)")
    }
    for var mount in try volumesFrom(String(name)) where mount.kind != .tmpfs {
      if mode == "ro" { mount.isReadOnly = true }
      if mode == "rw" { mount.isReadOnly = false }
      if !mode.isEmpty { mount.mode = mode }
      mounts[mount.destination] = mount
    }
  }

  // MARK: - `-v SOURCE:DESTINATION[:MODE]`

  private mutating func addBind(_ text: String) throws {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard (2...3).contains(parts.count) || parts.count == 1, !parts.contains("") else {
      throw APIError.invalidParameter("invalid volume specification: '\(text)'")
    }
    if parts.count == 1 {
      var mount = MountRecord(.volume, at: try Self.destination(parts[0]))
      mount.volume = Identifier.random()
      mount.isAnonymous = true
      return try add(mount)
    }
    let isPath = parts[0].hasPrefix("/")
    var mount = MountRecord(isPath ? .bind : .volume, at: try Self.destination(parts[1]))
    if isPath {
      mount.source = Paths.cleaned(parts[0])
      missingFolders.append(mount.source)
    } else {
      mount.volume = parts[0]
      guard VolumeTable.isValid(name: mount.volume) else {
        throw APIError.invalidParameter(
          "create \(mount.volume): \"\(mount.volume)\" includes invalid characters for a local "
            + "volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass "
            + "a host directory, use absolute path")
      }
    }
    if parts.count == 3 { try Self.apply(mode: parts[2], to: &mount, text) }
    try add(mount)
  }

  private static let propagations: Set<String> = [
    "private", "rprivate", "shared", "rshared", "slave", "rslave",
  ]

  private static func apply(mode: String, to mount: inout MountRecord, _ text: String) throws {
    mount.mode = mode
    for option in mode.split(separator: ",").map(String.init) {
      switch option {
      case "ro": mount.isReadOnly = true
      case "rw", "z", "Z", "cached", "delegated", "consistent", "rbind": break
      case "bind": mount.isNonRecursive = true
      case "nocopy" where mount.kind == .volume: mount.isNoCopy = true
      case _ where propagations.contains(option) && mount.kind == .bind:
        mount.propagation = option
      default:
        throw APIError.invalidParameter("invalid mode: \(mode) in volume specification '\(text)'")
      }
    }
  }

  /// A path in the container, checked and cleaned.
  private static func destination(_ path: String) throws -> String {
    guard path.hasPrefix("/"), !path.utf8.contains(0) else {
      throw APIError.invalidParameter(
        "invalid mount path: '\(path)' mount path must be absolute")
    }
    let cleaned = Paths.cleaned(path)
    guard cleaned != "/" else {
      throw APIError.invalidParameter("invalid specification: destination can't be '/'")
    }
    return cleaned
  }

  // MARK: - `--mount type=…`

  private mutating func addMount(_ wanted: DockerModel.Mount) throws {
    func invalid(_ reason: String) -> APIError {
      .invalidParameter("invalid mount config for type \"\(wanted.type)\": \(reason)")
    }
    if wanted.target.isEmpty { throw invalid("field Target must not be empty") }
    let target = try Self.destination(wanted.target)
    switch wanted.type {
    case "bind": try add(bind(wanted, at: target, invalid))
    case "volume": try add(volume(wanted, at: target, invalid))
    case "tmpfs":
      if !wanted.source.isEmpty { throw invalid("field Source must not be specified") }
      var options: [String] = wanted.readOnly ? ["ro"] : []
      if let size = wanted.tmpfsOptions?.sizeBytes, size > 0 { options.append("size=\(size)") }
      if let mode = wanted.tmpfsOptions?.mode, mode > 0 {
        options.append("mode=" + String(mode, radix: 8))
      }
      try add(Self.tmpfs(at: target, options: options))
    default:
      throw APIError.invalidParameter(
        "invalid mount config for type \"\(wanted.type)\": mount type unknown: \"\(wanted.type)\"")
    }
  }

  private mutating func bind(
    _ wanted: DockerModel.Mount, at target: String, _ invalid: (String) -> APIError
  ) throws -> MountRecord {
    if wanted.source.isEmpty { throw invalid("field Source must not be empty") }
    guard wanted.source.hasPrefix("/") else {
      throw invalid("mount path must be absolute")
    }
    if wanted.volumeOptions != nil { throw invalid("field VolumeOptions must not be specified") }
    if wanted.tmpfsOptions != nil { throw invalid("field TmpfsOptions must not be specified") }
    var mount = MountRecord(.bind, at: target)
    mount.source = Paths.cleaned(wanted.source)
    mount.isReadOnly = wanted.readOnly
    mount.isNonRecursive = wanted.bindOptions?.nonRecursive ?? false
    mount.propagation = wanted.bindOptions?.propagation ?? ""
    guard mount.propagation.isEmpty || Self.propagations.contains(mount.propagation) else {
      throw invalid("invalid propagation mode: \(mount.propagation)")
    }
    if wanted.bindOptions?.createMountpoint == true {
      missingFolders.append(mount.source)
    } else if !Paths.exists(mount.source) {
      throw invalid("bind source path does not exist: \(mount.source)")
    }
    return mount
  }

  private mutating func volume(
    _ wanted: DockerModel.Mount, at target: String, _ invalid: (String) -> APIError
  ) throws -> MountRecord {
    if wanted.bindOptions != nil { throw invalid("field BindOptions must not be specified") }
    if wanted.tmpfsOptions != nil { throw invalid("field TmpfsOptions must not be specified") }
    var mount = MountRecord(.volume, at: target)
    mount.isReadOnly = wanted.readOnly
    mount.isNoCopy = wanted.volumeOptions?.noCopy ?? false
    mount.subpath = wanted.volumeOptions?.subpath ?? ""
    let components = mount.subpath.split(separator: "/", omittingEmptySubsequences: false)
    if mount.subpath.hasPrefix("/") || components.contains("..") {
      throw invalid("subpath must be a relative path within the volume")
    }
    if wanted.source.isEmpty {
      if !mount.subpath.isEmpty {
        throw invalid("must not set Subpath when using anonymous volumes")
      }
      mount.volume = Identifier.random()
      mount.isAnonymous = true
    } else {
      guard VolumeTable.isValid(name: wanted.source) else {
        throw invalid("\"\(wanted.source)\" includes invalid characters for a local volume name")
      }
      mount.volume = wanted.source
    }
    if let options = wanted.volumeOptions { volumeOptions[mount.volume] = options }
    return mount
  }

  private static func tmpfs(at path: String, options: [String]) throws -> MountRecord {
    var mount = MountRecord(.tmpfs, at: try destination(path))
    mount.tmpfsOptions = options
    mount.isReadOnly = options.contains("ro")
    return mount
  }
}
