import ContainerRuntime
import DockerModel
import Host
import ImageStore
import NodeNetwork
import OCI
import StateStore

extension APIError {
  /// Puts an error of a lower module into the terms of the API; one table for all of them.
  init(translating error: any Error) {
    switch error {
    case let error as APIError: self = error
    case let error as ImageStoreError:
      self.init(Self.code(error.code), error.text, cause: error)
    case let error as NodeNetworkError:
      self.init(Self.code(error.code), error.description, cause: error)
    case let error as ContainerRuntimeError:
      self.init(Self.code(error.code), error.description, cause: error)
    case let error as OCIError: self.init(.invalidParameter, "\(error)", cause: error)
    case let error as SystemError: self.init(.system, error.description, cause: error)
    default: self.init(.system, "\(error)", cause: error)
    }
  }

  private static func code(_ code: ImageStoreError.Code) -> Code {
    switch code {
    case .invalidArgument, .invalidContent, .hostileArchive: .invalidParameter
    case .notFound: .notFound
    case .conflict: .conflict
    case .unauthorized: .unauthorized
    case .denied: .forbidden
    case .registryUnavailable: .unavailable
    case .system: .system
    case .unsupported: .invalidParameter
    }
  }

  private static func code(_ code: NodeNetworkError.Code) -> Code {
    switch code {
    case .invalidParameter: .invalidParameter
    case .notFound: .notFound
    case .conflict: .conflict
    case .forbidden: .forbidden
    case .portUnavailable, .system: .system
    }
  }

  private static func code(_ code: ContainerRuntimeError.Code) -> Code {
    switch code {
    case .notFound: .notFound
    case .wrongState: .conflict
    case .invalidSetting, .commandNotFound, .commandNotExecutable: .invalidParameter
    case .runtimeFailed, .timedOut, .system: .system
    }
  }
}

extension ImageStoreError {
  /// The message with what lay behind it; of registries' errors with the facts, too, since nobody
  /// but the user can act on them.
  fileprivate var text: String {
    switch code {
    case .registryUnavailable, .denied, .unauthorized: return description
    default: return cause.map { "\(message): \($0)" } ?? message
    }
  }
}

/// Runs `body` and puts what it throws into the terms of the API. Cancellation stays cancellation.
func translatingErrors<Value>(_ body: () async throws -> Value) async throws -> Value {
  do {
    return try await body()
  } catch let error as CancellationError {
    throw error
  } catch {
    throw APIError(translating: error)
  }
}
