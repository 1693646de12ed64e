import Glibc

/// The cgroup hierarchies of this machine: one for each controller (v1), or one for all (v2).
package struct CgroupTree: Sendable, Equatable {
  /// Mount point of the one hierarchy of v2; nil on v1.
  package var unifiedRoot: String?
  /// Mount points of v1 by controller; `name=systemd` and the hybrid layout's `unified` are among
  /// them.
  package var roots: [String: String]

  /// The tree of this machine, read once.
  package static let current: CgroupTree = {
    // Without a mount table nothing can be limited; every look-up then finds nothing.
    CgroupTree(mounts: (try? Mount.table()) ?? [])
  }()

  /// The tree that a mount table shows.
  package init(mounts: [MountEntry]) {
    roots = [:]
    var unified: String?
    for mount in mounts {
      if mount.type == "cgroup2" {
        unified = mount.target
      } else if mount.type == "cgroup" {
        for option in mount.superOptions.split(separator: ",") where Self.isController(option) {
          roots[String(option)] = roots[String(option)] ?? mount.target
        }
      }
    }
    if roots.isEmpty {
      unifiedRoot = unified
    } else if let unified {
      roots["unified"] = unified
    }
  }

  private static func isController(_ option: Substring) -> Bool {
    let flags: Set<Substring> = ["rw", "ro", "xattr", "noprefix", "clone_children"]
    return !flags.contains(option) && !option.hasPrefix("release_agent=")
  }

  /// Whether this machine has the one hierarchy of v2 only.
  package var isUnified: Bool { unifiedRoot != nil }

  /// The folder of the cgroup `path` (absolute below each root) for a controller; nil when the
  /// machine lacks the controller.
  package func directory(for controller: String, _ path: String) -> String? {
    if let unifiedRoot { return unifiedRoot + path }
    return roots[controller].map { $0 + path }
  }

  /// The folders of the cgroup `path` in all hierarchies.
  package func directories(of path: String) -> [String] {
    if let unifiedRoot { return [unifiedRoot + path] }
    return Set(roots.values).sorted().map { $0 + path }
  }
}
