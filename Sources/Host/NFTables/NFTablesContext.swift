import CNFTables
import Synchronization

/// nft(8) in the process: whole rule sets, written as text and applied as one transaction.
///
/// For what happens once: tables, chains, rules. Elements that come and go with containers are
/// written by `NFTablesSocket`, whose cost does not grow with the rule set.
package final class NFTablesContext: Sendable {
  /// Safe to share: the pointer is only used inside `lock`.
  private struct Context: @unchecked Sendable {
    var pointer: OpaquePointer
  }

  private let lock: Mutex<Context>

  /// Opens a context in the calling thread's network namespace.
  /// - Parameter json: whether what commands print is JSON (libnftables-json(5)), with handles.
  /// - Throws: `NFTablesError`.
  package init(json: Bool = false) throws {
    guard let pointer = nft_ctx_new(UInt32(NFT_CTX_DEFAULT)) else {
      throw NFTablesError(message: "cannot open a context of libnftables", text: "")
    }
    if json {
      nft_ctx_output_set_flags(
        pointer, UInt32(NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_HANDLE))
    }
    nft_ctx_buffer_output(pointer)
    nft_ctx_buffer_error(pointer)
    lock = Mutex(Context(pointer: pointer))
  }

  deinit { lock.withLock { nft_ctx_free($0.pointer) } }

  /// Applies commands in nft's own language, all of them or none. Blocks.
  /// - Returns: what the commands print.
  /// - Throws: `NFTablesError` with libnftables' words.
  @discardableResult
  package func run(_ commands: String) throws -> String {
    try lock.withLock { context in
      let status = nft_run_cmd_from_buffer(context.pointer, commands)
      let output = nft_ctx_get_output_buffer(context.pointer).map { String(cString: $0) } ?? ""
      guard status == 0 else {
        let text = nft_ctx_get_error_buffer(context.pointer).map { String(cString: $0) } ?? ""
        throw NFTablesError(message: "nftables refused the rules", text: text)
      }
      return output
    }
  }
}

/// nftables refused something.
package struct NFTablesError: Error, Sendable, CustomStringConvertible {
  /// What was refused.
  package var message: String
  /// libnftables' or the kernel's words.
  package var text: String

  package var description: String { text.isEmpty ? message : "\(message): \(text)" }
}
