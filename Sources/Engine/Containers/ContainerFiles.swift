import DockerModel
import Glibc
import Host

/// The three files that a container gets from its own folder: `hosts`, `hostname`, `resolv.conf`.
enum ContainerFiles {
  /// Makes the files that are mounted into the container; their text may follow later, in place.
  static func prepare(in folder: String, _ record: ContainerRecord) async throws {
    try await BlockingPool.shared.run {
      try Paths.makeDirectories(folder, mode: 0o710)
      try write(fullHostname(record.config) + "\n", to: folder + "/hostname")
      for name in ["hosts", "resolv.conf"] where !Paths.exists(folder + "/" + name) {
        try write("", to: folder + "/" + name)
      }
    }
  }

  /// Writes over a file without putting another in its place: what is mounted in a container is the
  /// file itself, not its name.
  static func write(_ text: String, to path: String) throws {
    let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
    try file.write(Array(text.utf8))
  }

  /// The host name with its domain.
  static func fullHostname(_ config: ContainerConfig) -> String {
    config.domainname.isEmpty ? config.hostname : config.hostname + "." + config.domainname
  }

  /// The three files as mounts, unless the container mounts something of its own there.
  static func mounts(
    in folder: String, besides record: ContainerRecord
  ) -> [(source: String, destination: String)] {
    let own = Set(record.mounts.map(\.destination))
    return ["resolv.conf", "hostname", "hosts"].compactMap { name in
      own.contains("/etc/" + name) ? nil : (folder + "/" + name, "/etc/" + name)
    }
  }
}
