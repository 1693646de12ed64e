// swift-tools-version: 6.2
import PackageDescription

/// Flags every target of ours is built with: warnings are errors, existentials are spelled out,
/// and an import is visible only in the file that names it.
let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .treatAllWarnings(as: .error),
  // Tests are built in the one configuration that is built at all: the one that is shipped.
  .unsafeFlags(["-enable-testing"], .when(configuration: .release)),
]

let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioWebSocket = Target.Dependency.product(name: "NIOWebSocket", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let collections = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let orderedCollections = Target.Dependency.product(
  name: "OrderedCollections", package: "swift-collections")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let unixSignals = Target.Dependency.product(
  name: "UnixSignals", package: "swift-service-lifecycle")
let lifecycle = Target.Dependency.product(
  name: "ServiceLifecycle", package: "swift-service-lifecycle")
let grpcCore = Target.Dependency.product(name: "GRPCCore", package: "grpc-swift-2")
let grpcTransport = Target.Dependency.product(
  name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")

/// A module of ours with the strict flags.
func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// The unit tests of one module.
func tests(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: name + "Tests", dependencies: [.byName(name: name)] + dependencies, swiftSettings: strict)
}

/// All targets, or, when `MARTLET_MODULE` names one, that module with its tests and what they need,
/// so that one module can be built and tested while another is being changed.
func selected(_ targets: [Target]) -> [Target] {
  guard let name = Context.environment["MARTLET_MODULE"] else { return targets }
  var wanted: Set<String> = []
  func want(_ name: String) {
    guard let target = targets.first(where: { $0.name == name }), wanted.insert(name).inserted
    else { return }
    for case .byNameItem(let dependency, _) in target.dependencies { want(dependency) }
  }
  want(name)
  want(name + "Tests")
  return targets.filter { wanted.contains($0.name) }
}

let package = Package(
  name: "martlet",
  platforms: [.macOS(.v15)],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    // Its default traits bring in the whole of Foundation, with ICU.
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
    .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
    .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
    .package(
      url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0", traits: []),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: selected([
    // ground: values, storage, transport and the operating system
    .systemLibrary(name: "CArgon2", pkgConfig: "libargon2"),
    .systemLibrary(name: "CNFTables", pkgConfig: "libnftables"),
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3"),
    .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1"),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib"),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd"),
    .target(name: "CLinux"),
    module("OCI", [crypto]),
    module("DockerModel", [nioCore]),
    module(
      "Host",
      [
        "CLinux", "CNFTables", "CZlib", "CZstd", crypto, log, nioCore,
        nioPosix,
      ]),
    module("DaemonConfiguration", ["Host", log]),
    module("StateStore", []),
    module("StateStoreSQLite", ["StateStore", "CSQLite"]),
    module("StateStoreTesting", ["StateStore"]),
    // What is generated is not held to our warnings.
    .target(name: "EtcdProtocol", dependencies: [protobuf], exclude: ["etcd.proto"]),
    module(
      "StateStoreEtcd",
      [
        "StateStore", "EtcdProtocol", grpcCore, grpcTransport, protobuf, log, nioCore, nioPosix,
        nioSSL,
      ]),
    module(
      "Transport",
      [
        "Host", hummingbirdCore, log, nioCore, nioPosix, nioHTTP1, nioSSL, nioWebSocket, lifecycle,
      ]),

    // node: containers, networks and images of one machine
    module(
      "ImageStore",
      [
        "OCI", "Host", "StateStore", "Transport", crypto, httpClient, log, nioCore, nioPosix,
        nioHTTP1, nioSSL,
      ]),
    // CLinux: the importer counts structures of the C library, as `stat`, as its members.
    module("ContainerRuntime", ["OCI", "Host", "CLinux", log, nioCore, nioPosix]),
    module("NodeNetwork", ["Host", "StateStore", log, nioCore, nioPosix]),
    module(
      "Engine",
      [
        "OCI", "DockerModel", "Host", "StateStore", "ImageStore", "ContainerRuntime",
        "NodeNetwork", collections, orderedCollections, log, nioCore,
      ]),

    // people
    module("Identity", ["StateStore", "Host", "CArgon2", crypto, log, nioCore, nioPosix]),

    // registry: contents, their rules and the work on them
    module(
      "BlobStorage", ["OCI", "Host", crypto, httpClient, log, nioCore, nioPosix, nioHTTP1, nioSSL]),
    module(
      "Registry",
      ["OCI", "Host", "StateStore", "BlobStorage", "Identity", crypto, collections, log, nioCore]),
    module(
      "RegistryJobs",
      [
        "OCI", "Host", "Transport", "StateStore", "BlobStorage", "Identity", "Registry",
        "ImageStore", crypto, httpClient, log, nioCore, nioPosix, nioHTTP1, nioSSL,
      ]),

    // doors: what clients talk to
    module(
      "RegistryConfiguration",
      ["CYAML", "Host", "Identity", "BlobStorage", "RegistryJobs", log]),
    module(
      "RegistryAPI",
      [
        "OCI", "Host", "Transport", "StateStore", "BlobStorage", "Identity", "Registry",
        "RegistryJobs", crypto, log, nioCore, nioPosix, nioHTTP1,
      ]),
    module(
      "DockerAPI",
      [
        "DockerModel", "Host", "Transport", log, nioCore, nioHTTP1,
      ]),
    .executableTarget(
      name: "martlet",
      dependencies: [
        "OCI", "DockerModel", "Host", "StateStore", "StateStoreSQLite", "Transport", "ImageStore",
        "ContainerRuntime", "NodeNetwork", "Engine", "DockerAPI", "DaemonConfiguration",
        "StateStoreEtcd", "Identity", "BlobStorage", "Registry", "RegistryJobs",
        "RegistryConfiguration", "RegistryAPI", crypto, httpClient, nioHTTP1, arguments,
        log, lifecycle, unixSignals, nioCore, nioPosix, nioSSL,
      ],
      swiftSettings: strict),

    tests("OCI"),
    tests("DockerModel"),
    tests("Host", [nioCore, nioPosix]),
    tests("DaemonConfiguration", [log]),
    tests("StateStore", ["StateStoreTesting", "StateStoreSQLite"]),
    tests(
      "StateStoreEtcd",
      ["StateStore", "StateStoreTesting", "EtcdProtocol", grpcCore, protobuf, log, nioCore]),
    tests("Identity", ["StateStore", crypto, log, nioCore]),
    tests(
      "BlobStorage", ["OCI", "Host", crypto, httpClient, log, nioCore, nioPosix, nioHTTP1]),
    tests(
      "Registry",
      ["OCI", "StateStore", "StateStoreSQLite", "BlobStorage", "Identity", crypto, log, nioCore]),
    tests(
      "RegistryJobs",
      [
        "OCI", "StateStore", "StateStoreSQLite", "BlobStorage", "Identity", "Registry", crypto,
        httpClient, log, nioCore, nioPosix, nioHTTP1, nioSSL,
      ]),
    tests("RegistryConfiguration", ["BlobStorage", "RegistryJobs", log]),
    tests(
      "RegistryAPI",
      [
        "OCI", "Host", "Transport", "StateStore", "BlobStorage", "Identity", "Registry",
        "RegistryJobs", crypto, httpClient, log, nioCore, nioPosix, nioHTTP1,
      ]),
    tests(
      "Transport",
      ["Host", httpClient, lifecycle, log, nioCore, nioHTTP1, nioPosix, nioSSL]),
    tests("ImageStore", ["OCI", "Host", "StateStore", crypto, log, nioCore, nioPosix]),
    tests("ContainerRuntime", ["Host", log, nioCore]),
    tests("NodeNetwork", ["Host", "StateStore", log, nioCore, nioPosix]),
    tests("Engine", ["ContainerRuntime", "DockerModel", "StateStore", log, nioCore]),
    tests(
      "DockerAPI",
      ["DockerModel", "Transport", log, nioCore, nioHTTP1, nioPosix]),
  ]),
  swiftLanguageModes: [.v6]
)
