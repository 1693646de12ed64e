import Glibc
import Host
import Logging
import Synchronization

extension NodeNetwork {
  /// The folder namespaces are bound in.
  var namespaceFolder: String { configuration.executionRoot + "/netns" }

  /// Makes a network namespace with loopback up for a container.
  /// - Parameter dns: the container's resolver settings; where its name server forwards to.
  /// - Returns: the path the namespace is bound to.
  /// - Throws: `NodeNetworkError` with code `system`.
  package func createSandbox(containerID: String, dns: DNSSettings) async throws -> String {
    let path = namespaceFolder + "/" + containerID
    // A container that is started again gets its old addresses only when its old links are gone.
    await reaper.settle(containerID)
    do {
      let routes = try await BlockingPool.shared.run { try NodeNetwork.makeNamespace(at: path) }
      state.withLock { state in
        state.sandboxes[containerID] = Sandbox(
          containerID: containerID, path: path, dns: dns, routes: routes)
      }
      return path
    } catch {
      throw NodeNetworkError.wrapping(error, "failed to create a network namespace")
    }
  }

  /// Takes a container off all its networks and lets go of its namespace. What cannot be undone
  /// now is logged, and undone at the next start. Links and addresses follow shortly after:
  /// `settle` waits for them.
  package func removeSandbox(containerID: String) async {
    let sandbox = state.withLock { state -> Sandbox? in
      guard let sandbox = state.sandboxes[containerID] else { return nil }
      for endpoint in sandbox.endpoints.values {
        state.networks[endpoint.networkID]?.withdrawNames(of: endpoint)
      }
      return sandbox
    }
    guard let sandbox else {
      dropEndpointsWithoutSandbox(containerID: containerID)
      return
    }
    if let resolver = sandbox.resolver { await resolver.close() }
    let endpoints = Array(sandbox.endpoints.values)
    for endpoint in endpoints { await withdrawPorts(of: endpoint) }
    do {
      try await BlockingPool.shared.run {
        sandbox.routes?.close()
        try NetworkNamespace.delete(at: sandbox.path)
      }
    } catch {
      logger.warning(
        "the next start removes what is left of a container's network",
        metadata: ["container": "\(containerID)", "error": "\(error)"])
    }
    state.withLock { state in
      for endpoint in endpoints {
        state.networks[endpoint.networkID]?.endpoints[containerID] = nil
      }
      state.sandboxes[containerID] = nil
    }
    reaper.delete(
      endpoints.compactMap(\.hostInterfaceName), of: containerID, resolver: sandbox.resolver
    ) { [weak self] in
      self?.state.withLock { state in
        for endpoint in endpoints {
          state.networks[endpoint.networkID]?.releaseAddresses(of: endpoint)
        }
      }
    }
  }

  /// Returns when nothing is left of the containers removed so far.
  package func settle() async { await reaper.settle() }

  /// Containers on the host's own network have endpoints and no namespace.
  private func dropEndpointsWithoutSandbox(containerID: String) {
    state.withLock { state in
      for id in state.networks.keys { state.networks[id]?.endpoints[containerID] = nil }
    }
  }

  /// What the interfaces of a container, loopback left out, have carried.
  /// - Throws: `notFound` for a container without a namespace, else `system`.
  package func statistics(containerID: String) async throws -> [InterfaceStatistics] {
    guard let sandbox = state.withLock({ $0.sandboxes[containerID] }) else {
      throw NodeNetworkError(.notFound, "container \(containerID) has no network namespace")
    }
    do {
      let links = try await BlockingPool.shared.run {
        try RouteSocket.inside(sandbox.path).links()
      }
      return links.filter { $0.name != "lo" }.sorted { $0.name < $1.name }.map { link in
        InterfaceStatistics(
          name: link.name, receivedBytes: link.counters[2], receivedPackets: link.counters[0],
          receiveErrors: link.counters[4], receiveDropped: link.counters[6],
          transmittedBytes: link.counters[3], transmittedPackets: link.counters[1],
          transmitErrors: link.counters[5], transmitDropped: link.counters[7])
      }
    } catch {
      throw NodeNetworkError.wrapping(error, "failed to read the counters of \(containerID)")
    }
  }

  /// Makes a namespace bound to `path`, in place of what a crash may have left there. Blocks.
  /// - Returns: a socket inside.
  private static func makeNamespace(at path: String) throws -> RouteSocket {
    do {
      return try NetworkNamespace.createWithLoopback(at: path)
    } catch let error as SystemError where error.errno == EEXIST {
      try NetworkNamespace.delete(at: path)
      return try NetworkNamespace.createWithLoopback(at: path)
    }
  }
}
