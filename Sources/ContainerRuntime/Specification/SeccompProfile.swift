import FoundationEssentials
import Glibc
import OCI

/// A seccomp profile in the form that Docker reads: rules that hold only with a capability, on an
/// architecture or from a kernel on. `resolved` picks those that hold here.
struct SeccompProfile: Codable, Sendable {
  /// An architecture and those that its processes can also run.
  struct Architecture: Codable, Sendable {
    var architecture: String
    var subArchitectures: [String]?

    init(_ architecture: String, _ subArchitectures: [String]) {
      self.architecture = architecture
      self.subArchitectures = subArchitectures
    }
  }

  /// When a rule holds, or does not.
  struct Condition: Codable, Sendable {
    var caps: [String]?
    var arches: [String]?
    var minKernel: String?

    init(caps: [String]? = nil, arches: [String]? = nil, minKernel: String? = nil) {
      self.caps = caps
      self.arches = arches
      self.minKernel = minKernel
    }
  }

  /// What happens to some calls.
  struct Rule: Codable, Sendable {
    var name: String?
    var names: [String]?
    var action: String
    var errnoRet: UInt?
    var args: [RuntimeSpecification.Seccomp.Argument]?
    var includes: Condition?
    var excludes: Condition?

    init(
      names: [String], action: String = "SCMP_ACT_ALLOW", errnoRet: UInt? = nil,
      args: [RuntimeSpecification.Seccomp.Argument]? = nil, includes: Condition? = nil,
      excludes: Condition? = nil
    ) {
      self.names = names
      self.action = action
      self.errnoRet = errnoRet
      self.args = args
      self.includes = includes
      self.excludes = excludes
    }
  }

  var defaultAction: String
  var defaultErrnoRet: UInt?
  var architectures: [String]?
  var archMap: [Architecture]?
  var flags: [String]?
  var listenerPath: String?
  var listenerMetadata: String?
  var syscalls: [Rule]?

  init(
    defaultAction: String, defaultErrnoRet: UInt?, archMap: [Architecture], syscalls: [Rule]
  ) {
    self.defaultAction = defaultAction
    self.defaultErrnoRet = defaultErrnoRet
    self.archMap = archMap
    self.syscalls = syscalls
  }

  /// Reads a profile.
  /// - Throws: `ContainerRuntimeError.invalidSetting`.
  init(json: String) throws {
    guard json.utf8.count <= 4 << 20 else {
      throw ContainerRuntimeError(.invalidSetting, "the seccomp profile is larger than 4 MiB")
    }
    do {
      self = try JSONDecoder().decode(SeccompProfile.self, from: Data(json.utf8))
    } catch {
      throw ContainerRuntimeError(
        .invalidSetting, "the seccomp profile is not valid", cause: error)
    }
    if architectures?.isEmpty == false, archMap?.isEmpty == false {
      throw ContainerRuntimeError(
        .invalidSetting,
        "'architectures' and 'archMap' were specified in the seccomp profile, use either")
    }
    for rule in syscalls ?? [] where (rule.name != nil) == (rule.names?.isEmpty == false) {
      throw ContainerRuntimeError(
        .invalidSetting, "a seccomp rule must have either 'name' or 'names'")
    }
  }

  /// The machine a profile is resolved for.
  struct Platform: Sendable {
    /// Docker's name of the architecture, e.g. `amd64`.
    var architecture: String
    /// seccomp's name of it, e.g. `SCMP_ARCH_X86_64`.
    var seccompArchitecture: String
    /// Major and minor number of the kernel.
    var kernel: (Int, Int)

    /// This machine.
    static let current: Platform = {
      var names = utsname()
      uname(&names)
      let machine = withUnsafeBytes(of: &names.machine) { text($0) }
      let release = withUnsafeBytes(of: &names.release) { text($0) }
      let (architecture, seccomp) =
        switch machine {
        case "x86_64": ("amd64", "SCMP_ARCH_X86_64")
        case "aarch64": ("arm64", "SCMP_ARCH_AARCH64")
        case "riscv64": ("riscv64", "SCMP_ARCH_RISCV64")
        case "s390x": ("s390x", "SCMP_ARCH_S390X")
        case "ppc64le": ("ppc64le", "SCMP_ARCH_PPC64LE")
        default: (machine, "")
        }
      return Platform(
        architecture: architecture, seccompArchitecture: seccomp,
        kernel: version(release) ?? (0, 0))
    }()

    private static func text(_ bytes: UnsafeRawBufferPointer) -> String {
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// The first two numbers of a version.
    static func version(_ text: String) -> (Int, Int)? {
      let numbers = text.split(separator: ".").prefix(2)
        .map { Int($0.prefix { $0.isASCII && $0.isNumber }) }
      guard numbers.count == 2, let major = numbers[0], let minor = numbers[1] else { return nil }
      return (major, minor)
    }
  }

  /// The filter for a process with `capabilities` (names with `CAP_`) on `platform`.
  func resolved(
    capabilities: Set<String>, platform: Platform = .current
  ) -> RuntimeSpecification.Seccomp {
    let rules = (syscalls ?? []).filter {
      Self.includes($0.includes, capabilities, platform)
        && !Self.excludes($0.excludes, capabilities, platform)
    }
    var filter = RuntimeSpecification.Seccomp(
      defaultAction: defaultAction,
      rules: rules.map {
        .init(
          names: $0.names ?? $0.name.map { [$0] } ?? [], action: $0.action, errnoRet: $0.errnoRet,
          args: $0.args)
      })
    filter.defaultErrnoRet = defaultErrnoRet
    filter.flags = flags
    filter.listenerPath = listenerPath
    filter.listenerMetadata = listenerMetadata
    if let map = archMap?.first(where: { $0.architecture == platform.seccompArchitecture }) {
      filter.architectures = [map.architecture] + (map.subArchitectures ?? [])
    } else if let architectures, !architectures.isEmpty {
      filter.architectures = architectures
    }
    return filter
  }

  private static func includes(
    _ condition: Condition?, _ capabilities: Set<String>, _ platform: Platform
  ) -> Bool {
    guard let condition else { return true }
    if let arches = condition.arches, !arches.isEmpty, !arches.contains(platform.architecture) {
      return false
    }
    if let caps = condition.caps, !caps.allSatisfy(capabilities.contains) { return false }
    return isKernel(platform, atLeast: condition.minKernel)
  }

  private static func excludes(
    _ condition: Condition?, _ capabilities: Set<String>, _ platform: Platform
  ) -> Bool {
    guard let condition else { return false }
    if let arches = condition.arches, arches.contains(platform.architecture) { return true }
    if let caps = condition.caps, caps.contains(where: capabilities.contains) { return true }
    return condition.minKernel != nil && isKernel(platform, atLeast: condition.minKernel)
  }

  private static func isKernel(_ platform: Platform, atLeast minimum: String?) -> Bool {
    guard let minimum, !minimum.isEmpty else { return true }
    guard let wanted = Platform.version(minimum) else { return false }
    return platform.kernel >= wanted
  }
}
