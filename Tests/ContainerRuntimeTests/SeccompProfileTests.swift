import FoundationEssentials
import Testing

@testable import ContainerRuntime

@Suite struct SeccompProfileTests {
  private let platform = SeccompProfile.Platform(
    architecture: "amd64", seccompArchitecture: "SCMP_ARCH_X86_64", kernel: (6, 1))

  /// The filter for some capabilities, read back as a profile.
  private func filter(
    _ capabilities: [String], _ platform: SeccompProfile.Platform
  ) throws -> SeccompProfile {
    let filter = SeccompProfile.builtin.resolved(
      capabilities: Set(capabilities), platform: platform)
    let json = try JSONEncoder().encode(filter)
    return try SeccompProfile(json: String(decoding: json, as: UTF8.self))
  }

  @Test func rulesDependOnCapabilities() throws {
    let usual = try filter(CapabilitySet.usual, platform)
    let plain = (usual.syscalls ?? []).filter {
      ($0.args ?? []).isEmpty && $0.action == "SCMP_ACT_ALLOW"
    }
    let calls = Set(plain.flatMap { rule -> [String] in rule.names ?? [] })
    #expect(calls.contains("openat") && calls.contains("chroot") && calls.contains("arch_prctl"))
    #expect(!calls.contains("mount") && !calls.contains("bpf") && !calls.contains("breakpoint"))
    #expect(usual.architectures == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"])
    #expect(usual.syscalls?.contains { $0.names == ["clone3"] && $0.errnoRet == 38 } == true)
    let admin = try filter(["CAP_SYS_ADMIN"], platform)
    #expect(admin.syscalls?.contains { ($0.names ?? []).contains("mount") } == true)
    #expect(admin.syscalls?.contains { $0.errnoRet == 38 } == false)
  }

  @Test func kernelVersions() throws {
    #expect(SeccompProfile.Platform.version("6.1.0-13-amd64")?.0 == 6)
    #expect(SeccompProfile.Platform.version("x") == nil)
    let old = SeccompProfile.Platform(
      architecture: "amd64", seccompArchitecture: "SCMP_ARCH_X86_64", kernel: (4, 4))
    let filter = try self.filter([], old)
    #expect(filter.syscalls?.contains { ($0.names ?? []).contains("ptrace") } == false)
  }

  @Test(arguments: [
    "", "[]", "{}", #"{"defaultAction": 1}"#,
    #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action": "SCMP_ACT_ALLOW"}]}"#,
    #"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["A"], "archMap": [{"architecture": "A"}]}"#,
  ])
  func badProfiles(_ json: String) {
    #expect(throws: ContainerRuntimeError.self) { try SeccompProfile(json: json) }
  }
}
