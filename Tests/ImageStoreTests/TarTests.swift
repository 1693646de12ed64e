import Glibc
import Host
import ImageStore
import NIOCore
import OCI
import Testing

/// Our tar against GNU tar and Python's.
@Suite struct TarTests {
  private func unpack(_ bytes: [UInt8], _ purpose: Extractor.Purpose = .layer) throws -> Scratch {
    let scratch = try Scratch()
    let plain = try Compression.decompressing(MemorySource(bytes)).source
    let extractor = Extractor(root: try RootedDirectory(scratch.path), purpose: purpose)
    _ = try extractor.extract(TarReader(plain))
    return scratch
  }

  private func tar(_ arguments: [String], in folder: String) async throws -> [UInt8] {
    var command = Command("/usr/bin/tar", arguments)
    command.workingDirectory = folder
    let result = try await command.run()
    try #require(
      result.status.isSuccess, "\(String(decoding: result.errorOutput, as: UTF8.self))")
    return result.output
  }

  /// A tree with what archives find hard.
  private func tree() async throws -> Scratch {
    let scratch = try Scratch()
    let script = """
      set -e
      mkdir -p dir/deep empty
      printf content > dir/file; chmod 4711 dir/file; chown 12:34 dir/file
      ln dir/file dir/hard; ln -s ../nowhere dir/link; mkfifo dir/fifo
      mknod dir/null c 1 3; mknod dir/block b 7 9
      printf long > "$(printf 'l%.0s' $(seq 1 200))"
      mkdir -p "$(printf 'd%.0s' $(seq 1 90))/$(printf 'e%.0s' $(seq 1 90))"
      printf deep > "$(printf 'd%.0s' $(seq 1 90))/$(printf 'e%.0s' $(seq 1 90))/f"
      ln -s "$(printf 't%.0s' $(seq 1 150))" longlink
      printf x > "$(printf 'n\\303\\244me \\303\\237')"
      truncate -s 3000000 sparse; printf A | dd of=sparse bs=1 seek=1000000 conv=notrunc 2>/dev/null
      printf B | dd of=sparse bs=1 seek=2999999 conv=notrunc 2>/dev/null
      truncate -s 100000 hole
      setfattr -n user.note -v hello dir/file 2>/dev/null || true
      touch -d '2001-02-03 04:05:06.123456789' dir/file; touch -d '1999-01-01' dir
      chmod 1777 empty
      """
    var command = Command("/bin/sh", ["-c", script])
    command.workingDirectory = scratch.path
    let result = try await command.run()
    try #require(
      result.status.isSuccess, "\(String(decoding: result.errorOutput, as: UTF8.self))")
    return scratch
  }

  /// Names, types, modes, owners, sizes, link targets and contents of a tree as text.
  private func listing(_ path: String, nanoseconds: Bool) async throws -> String {
    let script = """
      import os, sys, stat, hashlib
      root, fine, seen = sys.argv[1], sys.argv[2] == '1', {}
      for folder, folders, files in sorted(os.walk(root)):
          for name in sorted(folders + files):
              p = os.path.join(folder, name); s = os.lstat(p); extra = ''
              if stat.S_ISREG(s.st_mode): extra = hashlib.sha256(open(p, 'rb').read()).hexdigest()
              if stat.S_ISLNK(s.st_mode): extra = os.readlink(p)
              if stat.S_ISBLK(s.st_mode) or stat.S_ISCHR(s.st_mode): extra = s.st_rdev
              n = seen.setdefault(s.st_ino, len(seen)) if s.st_nlink > 1 and not stat.S_ISDIR(s.st_mode) else ''
              t = s.st_mtime_ns if fine else int(s.st_mtime)
              size = 0 if stat.S_ISDIR(s.st_mode) else s.st_size
              print(os.path.relpath(p, root), oct(s.st_mode), s.st_uid, s.st_gid, size, t, extra, n)
      """
    let result = try await Command(
      "/usr/bin/env", ["python3", "-c", script, path, nanoseconds ? "1" : "0"]
    ).run()
    return String(decoding: result.output, as: UTF8.self)
  }

  @Test(arguments: [
    ["--format=gnu"], ["--format=posix"],
    ["--format=gnu", "-S"], ["--format=posix", "-S"],
    ["--format=posix", "-S", "--sparse-version=0.0"],
    ["--format=posix", "-S", "--sparse-version=0.1"], ["--format=posix", "-z"],
    ["--format=posix", "--zstd"],
  ])
  func archivesOfGNUTar(_ options: [String]) async throws {
    let source = try await tree()
    let archive = try await tar(["-c", "--numeric-owner"] + options + ["."], in: source.path)
    let made = try unpack(archive)
    let fine = options[0] == "--format=posix"
    #expect(
      try await listing(made.path, nanoseconds: fine)
        == (try await listing(source.path, nanoseconds: fine)))
    if options.contains("-S") {
      var status = stat()
      #expect(stat(made.path + "/sparse", &status) == 0)
      #expect(status.st_blocks * 512 < 1_000_000)
    }
  }

  @Test(arguments: ["ustar", "v7", "oldgnu"])
  func oldFormats(_ format: String) async throws {
    let source = try Scratch()
    try Paths.makeDirectories(source.path + "/dir/sub")
    try Descriptor.open(source.path + "/dir/file", O_WRONLY | O_CREAT, mode: 0o640)
      .write(Array("content".utf8))
    try checked("symlink", nil, symlink("file", source.path + "/dir/link"))
    let archive = try await tar(
      ["-c", "--numeric-owner", "--format=" + format, "."], in: source.path)
    let made = try unpack(archive)
    #expect(
      try await listing(made.path, nanoseconds: false)
        == (try await listing(source.path, nanoseconds: false)))
  }

  @Test func whatWeWriteOthersRead() async throws {
    let source = try await tree()
    var bytes: [UInt8] = []
    let writer = TarWriter { bytes.append(contentsOf: $0) }
    let folder = try Descriptor.open(source.path, O_RDONLY | O_DIRECTORY)
    try TreeArchiver(writer).contents(of: folder.rawValue, prefix: [])
    try writer.finish()
    let target = try Scratch()
    var command = Command("/usr/bin/tar", ["-x", "--numeric-owner", "-p", "--xattrs"])
    command.workingDirectory = target.path
    let result = try await command.run(input: bytes)
    try #require(
      result.status.isSuccess, "\(String(decoding: result.errorOutput, as: UTF8.self))")
    let expected = try await listing(source.path, nanoseconds: false)
    #expect(try await listing(target.path, nanoseconds: false) == expected)
    let again = try unpack(bytes)
    #expect(try await listing(again.path, nanoseconds: false) == expected)
  }

  @Test func attributesAndCapabilitiesSurvive() throws {
    var entry = TarEntry(path: Array("ping".utf8), kind: .file, mode: 0o755)
    // Version 2, effective, cap_net_raw.
    let capability: [UInt8] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    entry.attributes = ["security.capability": capability, "user.x": Array("y".utf8)]
    entry.user = 5
    let made = try unpack(try TarBuilder.make { try $0.add(entry, [1]) })
    #expect(
      FileSystemCalls.attribute("security.capability", of: made.path + "/ping") == capability)
    #expect(FileSystemCalls.attribute("user.x", of: made.path + "/ping") == Array("y".utf8))
  }

  @Test func membersWithoutTheirFolders() throws {
    let made = try unpack(
      try TarBuilder.make { tar in
        try tar.file("a/b/c/file", "x")
        try tar.folder("a/b/", mode: 0o700)
        try tar.file("a/b/.wh.hidden", "")
        try tar.file("a/b/hidden/later", "x")
      })
    #expect(try Paths.readText(made.path + "/a/b/c/file") == "x")
    // The whiteout made way for the folder, which goes on hiding what lies below.
    #expect(Paths.exists(made.path + "/a/b/hidden/later"))
    #expect(
      FileSystemCalls.attribute("trusted.overlay.opaque", of: made.path + "/a/b/hidden")
        == [UInt8(ascii: "y")])
  }

  @Test func laterMembersReplaceEarlierOnes() throws {
    let made = try unpack(
      try TarBuilder.make { tar in
        try tar.file("x", "one")
        try tar.file("x", "two")
        try tar.folder("d/")
        try tar.file("d/inside", "x")
        try tar.file("d", "file now")
        try tar.link("l", to: "x")
        try tar.file("l", "not the link's target")
      })
    #expect(try Paths.readText(made.path + "/x") == "two")
    #expect(try Paths.readText(made.path + "/d") == "file now")
    #expect(try Paths.readText(made.path + "/l") == "not the link's target")
  }

  @Test func copyingInAndOut() async throws {
    let scratch = try Scratch()
    try Paths.makeDirectories(scratch.path + "/root/dir/sub")
    try Paths.makeDirectories(scratch.path + "/outside")
    let root = scratch.path + "/root"
    try checked("symlink", nil, symlink("/outside", root + "/absolute"))
    try checked("symlink", nil, symlink("../../outside", root + "/up"))
    try checked("symlink", nil, symlink("dir/sub", root + "/inner"))
    try Descriptor.open(root + "/dir/file", O_WRONLY | O_CREAT, mode: 0o640).write(Array("hi".utf8))

    let status = try await RootedCopy.status(root: root, path: "/dir/file")
    #expect(status.name == "file" && status.size == 2 && status.mode & 0o777 == 0o640)
    let link = try await RootedCopy.status(root: root, path: "/inner")
    #expect(link.linkTarget == "/dir/sub")
    #expect(link.goFileMode & (1 << 27) != 0)
    await #expect(throws: SystemError.self) {
      try await RootedCopy.status(root: root, path: "/none")
    }
    let (_, archive) = try await RootedCopy.archive(root: root, path: "/dir")
    let reader = TarReader(MemorySource(try await collect(archive)))
    var names: [String] = []
    while let entry = try reader.next() { names.append(entry.name) }
    #expect(names == ["dir/", "dir/file", "dir/sub/"])

    let tar = try TarBuilder.make { tar in
      try tar.file("copied", "new")
      try tar.file("absolute/escaped", "x")
    }
    var options = RootedExtractionOptions()
    options.keepsOwners = false
    options.owner = (7, 8)
    try await RootedCopy.extract(stream(tar), root: root, path: "/inner", options: options)
    #expect(try Paths.readText(root + "/dir/sub/copied") == "new")
    var information = stat()
    #expect(stat(root + "/dir/sub/copied", &information) == 0)
    #expect(information.st_uid == 7 && information.st_gid == 8)
    // Through links that lead out of the container nothing is written outside.
    let escaping = try TarBuilder.make { try $0.file("escaped", "x") }
    for path in ["/absolute", "/up"] {
      _ = try? await RootedCopy.extract(  // there is no such folder inside the root
        stream(escaping), root: root, path: path, options: options)
    }
    #expect(try Paths.entries(of: scratch.path + "/outside").isEmpty)
    options.refusesTypeReplacement = true
    let conflict = try TarBuilder.make { try $0.file("sub", "x") }
    await #expect(throws: ArchiveError.self) {
      try await RootedCopy.extract(stream(conflict), root: root, path: "/dir", options: options)
    }
    await #expect(throws: SystemError.self) {
      try await RootedCopy.extract(stream(escaping), root: root, path: "/nowhere", options: options)
    }
  }

  @Test func abandonedStreamsEndTheirProducer() async throws {
    let source = try Scratch()
    try Descriptor.open(source.path + "/big", O_WRONLY | O_CREAT, mode: 0o600)
      .write(noise(20 << 20))
    let (_, archive) = try await RootedCopy.archive(root: source.path, path: "/big")
    for try await _ in archive { break }
  }
}
