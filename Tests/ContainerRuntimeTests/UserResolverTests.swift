import Glibc
import Host
import Testing

@testable import ContainerRuntime

@Suite struct UserResolverTests {
  private let resolver = UserResolver(
    passwd: """
      root:x:0:0:root:/root:/bin/sh
      user:x:1000:1001::/home/user:/bin/sh
      broken line
      negative:x:-1:0::/:
      12:x:77:78::/twelve:
      huge:x:99999999999:0::/:
      """,
    group: "root:x:0:\nstaff:x:50:user,root\nwheel:x:10:user\nbad:x:y:user\n")

  @Test func namesAndNumbers() throws {
    #expect(
      try resolver.resolve("") == .init(uid: 0, gid: 0, additionalGids: [0, 50], home: "/root"))
    #expect(
      try resolver.resolve("user")
        == .init(uid: 1000, gid: 1001, additionalGids: [1001, 50, 10], home: "/home/user"))
    #expect(
      try resolver.resolve("user:staff")
        == .init(uid: 1000, gid: 50, additionalGids: [50], home: "/home/user"))
    #expect(try resolver.resolve("1000").gid == 1001)
    #expect(try resolver.resolve("555") == .init(uid: 555, gid: 0, additionalGids: [0], home: nil))
    #expect(try resolver.resolve("555:666").gid == 666)
    #expect(try resolver.resolve("12").uid == 12)
    #expect(
      try resolver.resolve("0", additionalGroups: ["wheel", "4000"]).additionalGids
        == [0, 50, 10, 4000])
  }

  @Test(arguments: ["nosuch", "user:nosuch", "2147483648", "0:99999999999", "negative", "huge"])
  func refusals(_ text: String) {
    #expect(throws: ContainerRuntimeError.self) { try resolver.resolve(text) }
  }

  @Test func hostileFiles() throws {
    var template = Array("/tmp/martlet-users-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let root = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer { try? TreeRemoval.remove(root) }
    try Paths.makeDirectories(root + "/etc")
    // A link that would lead to the host's file leads to the container's, which is not there.
    symlink("/etc/shadow", root + "/etc/passwd")
    // A pipe would be waited for for ever.
    mkfifo(root + "/etc/group", 0o644)
    let resolver = UserResolver(rootfs: root)
    #expect(try resolver.resolve("5:6").uid == 5)
    #expect(throws: ContainerRuntimeError.self) { try resolver.resolve("root") }
    unlink(root + "/etc/passwd")
    symlink("../../../../../../outside", root + "/etc/passwd")
    try RuntimeFixture.write("inside:x:7:8::/:\n", root + "/outside")
    #expect(try UserResolver(rootfs: root).resolve("inside").uid == 7)
    unlink(root + "/etc/passwd")
    symlink("/proc/self/environ", root + "/etc/passwd")
    #expect(throws: ContainerRuntimeError.self) { try UserResolver(rootfs: root).resolve("PATH") }
    unlink(root + "/etc/passwd")
    try RuntimeFixture.write(
      String(repeating: "a:x:1:1::/:\n", count: 600_000) + "late:x:9:9::/:\n",
      root + "/etc/passwd")
    #expect(throws: ContainerRuntimeError.self) { try UserResolver(rootfs: root).resolve("late") }
  }
}
