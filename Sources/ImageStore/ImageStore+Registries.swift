import AsyncHTTPClient
import NIOHTTP1
import OCI

extension ImageStore {
  /// Checks credentials with a registry. `server` may be a host, a URL or empty for docker.io.
  package func login(
    server: String, credentials: RegistryCredentials
  ) async throws -> LoginResult {
    var firstError: ImageStoreError?
    for endpoint in registries.loginEndpoints(server) {
      do {
        let session = try await registries.session(
          endpoint, repository: "", actions: "", credentials: credentials
        ).forLogin(credentials)
        let response = try await session.send(.GET, "\(endpoint.base)/v2/")
        guard response.status == .ok else {
          let failure = await session.failure(response, "registry")
          throw ImageStoreError(
            failure.code == .unauthorized || failure.code == .denied
              ? .unauthorized : .registryUnavailable,
            "login attempt to \(endpoint.base)/v2/ failed with status: "
              + "\(response.status.code) \(response.status.reasonPhrase)")
        }
        return LoginResult(identityToken: await session.refreshToken)
      } catch let error as ImageStoreError
        where error.cause is UnreachableRegistry && !endpoint.verifies
      {
        firstError = firstError ?? error
      }
    }
    throw firstError ?? ImageStoreError(.registryUnavailable, "the registry cannot be reached")
  }

  /// What the registry has under a name, without pulling it.
  package func distribution(
    _ reference: String, credentials: RegistryCredentials? = nil
  ) async throws -> DistributionInspection {
    let parsed = try Self.parse(reference).tagged
    do {
      return try await registries.withSession(
        parsed, actions: "pull", credentials: credentials
      ) { session in
        let found = try await session.manifest(parsed)
        switch found.document {
        case .index(let index):
          return DistributionInspection(
            descriptor: found.descriptor, platforms: index.manifests.compactMap(\.platform))
        case .image(let manifest):
          let bytes = try await session.blob(
            manifest.config, limit: ImageConfiguration.maximumBytes)
          let configuration = try ImageConfiguration(parsing: bytes)
          return DistributionInspection(
            descriptor: found.descriptor, platforms: [configuration.platform])
        }
      }
    } catch let error as CancellationError {
      throw error
    } catch {
      throw ImageStoreError.unpacking(error)
    }
  }
}
