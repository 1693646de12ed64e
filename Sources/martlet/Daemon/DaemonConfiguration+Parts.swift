import DaemonConfiguration
import DockerModel
import Engine
import Glibc
import Host
import ImageStore
import NodeNetwork
import Transport

/// What each part of the daemon is told, out of the daemon's one configuration.
extension DaemonConfiguration {
  /// A short name for this daemon that no other one of the machine has: two daemons never share an
  /// exec root. The default one has none.
  private var instance: String {
    if execRoot == DaemonConfiguration().execRoot { return "" }
    // FNV-1a: short, and the same in every process.
    let hash = execRoot.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 8 - digits.utf8.count) + digits
  }

  /// How images are kept and fetched.
  var imageStore: ImageStoreConfiguration {
    var images = ImageStoreConfiguration(
      imagesPath: dataRoot + "/images", overlayPath: dataRoot + "/overlay")
    images.maximumConcurrentDownloads = maxConcurrentDownloads > 0 ? maxConcurrentDownloads : 64
    images.maximumConcurrentUploads = maxConcurrentUploads > 0 ? maxConcurrentUploads : 64
    images.maximumDownloadAttempts = maxDownloadAttempts
    images.mirrors = registryMirrors
    images.insecureRegistries = insecureRegistries
    images.userAgent = "martlet/\(Version.text)"
    return images
  }

  /// How networks are made.
  var nodeNetwork: NodeNetworkConfiguration {
    var network = NodeNetworkConfiguration(executionRoot: execRoot)
    network.tableName = instance.isEmpty ? "martlet" : "martlet_" + instance
    network.defaultBridge = defaultBridge
    if !defaultAddressPools.isEmpty {
      network.addressPools = defaultAddressPools.compactMap { pool in
        Subnet(pool.base).map { .init(base: $0, size: pool.size) }
      }
    }
    network.defaultHostAddress =
      bridge.publishAddress == "0.0.0.0" ? nil : IPAddress(bridge.publishAddress)
    network.masquerade = bridge.masquerade
    network.enableForwarding = ipForward
    network.dns = DNSSettings(servers: dns, searchDomains: dnsSearch, options: dnsOptions)
    network.hostGateways = hostGatewayIPs.compactMap { IPAddress($0) }
    return network
  }

  private var defaultBridge: NodeNetworkConfiguration.DefaultBridge? {
    if bridge.name == "none" { return nil }
    var settings = NodeNetworkConfiguration.DefaultBridge()
    settings.name = bridge.name ?? (instance.isEmpty ? "martlet0" : "ml" + instance)
    settings.address = bridge.address.flatMap { InterfaceAddress($0) }
    settings.fixedIPv4 = bridge.fixedCIDR.flatMap { Subnet($0) }
    settings.gatewayIPv4 = bridge.defaultGateway.flatMap { IPAddress($0) }
    settings.enableIPv6 = bridge.ipv6
    settings.fixedIPv6 =
      bridge.fixedCIDRv6.flatMap { Subnet($0) }
      ?? bridge.addressV6.flatMap { InterfaceAddress($0)?.subnet }
    settings.gatewayIPv6 = bridge.defaultGatewayV6.flatMap { IPAddress($0) }
    settings.interContainerCommunication = bridge.interContainerCommunication
    settings.mtu = bridge.mtu == 0 ? nil : bridge.mtu
    return settings
  }

  /// How containers are run.
  /// - Throws: `CommandFailure` when the seccomp profile cannot be read. Blocks for it.
  func engine() throws -> EngineConfiguration {
    var engine = EngineConfiguration(dataRoot: dataRoot, executionRoot: execRoot)
    engine.version = Version.text
    engine.labels = labels
    engine.isDebugging = debug
    engine.logConfig.type = logDriver
    engine.logConfig.config = logOptions
    engine.defaultShmSize = defaultShmSize
    engine.defaultIpcMode = defaultIpcMode
    let isUnified = Paths.exists("/sys/fs/cgroup/cgroup.controllers")
    engine.defaultCgroupnsMode = defaultCgroupnsMode ?? (isUnified ? "private" : "host")
    engine.defaultUlimits = defaultUlimits.sorted { $0.key < $1.key }.map { name, limit in
      var ulimit = DockerModel.Ulimit()
      ulimit.name = name
      ulimit.soft = limit.soft
      ulimit.hard = limit.hard
      return ulimit
    }
    engine.usesInit = initProcess
    engine.noNewPrivileges = noNewPrivileges
    if bridge.name == "none" { engine.defaultNetwork = "none" }
    engine.shutdownTimeout = shutdownTimeout
    engine.runtimePath = runtimePath
    engine.initPath = initPath ?? "/usr/bin/tini-static"
    engine.registryMirrors = registryMirrors
    engine.insecureRegistries = insecureRegistries
    engine.addressPools = defaultAddressPools.map { pool in
      var shown = DockerModel.AddressPool()
      shown.base = pool.base
      shown.size = pool.size
      return shown
    }
    switch seccompProfile {
    case "builtin", "": break
    case "unconfined": engine.seccompProfile = "unconfined"
    default:
      do {
        engine.seccompProfile = try Paths.readText(seccompProfile)
      } catch {
        throw CommandFailure("opening seccomp profile (\(seccompProfile)) failed: \(error)")
      }
    }
    return engine
  }

  /// The OCI runtime's program.
  var runtimePath: String {
    let wanted = runtimes[defaultRuntime]?.path ?? defaultRuntime
    if wanted.hasPrefix("/") { return wanted }
    let folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
    return folders.map { $0 + "/" + wanted }.first { access($0, X_OK) == 0 } ?? "/usr/sbin/"
      + wanted
  }

  /// Where the API is served, and how.
  var listeners: [ListenerConfiguration] {
    let settings = TLSSettings(
      certificatePath: tlsCertificate, keyPath: tlsKey,
      clientAuthorityPaths: tlsVerify ? [tlsCACertificate] : [])
    return hosts.map { host in
      switch host {
      case .unix(let path):
        ListenerConfiguration(
          .unix(path: path), group: given.contains("group") ? .named(group) : .dockerIfPresent)
      case .tcp(let name, let port):
        ListenerConfiguration(
          .tcp(host: name, port: Int(port)), tls: tls ? settings : nil, allowsPlainTCP: !tls)
      }
    }
  }
}
