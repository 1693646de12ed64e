package import StateStore

/// What the conformance cases need to know of a kind of store.
package struct StateStoreHarness: Sendable {
  /// Makes a store without records; the case closes it.
  package var makeStore: @Sendable () async throws -> any StateStore
  /// Lets this much of the store's time go by.
  package var advance: @Sendable (Duration) async throws -> Void
  /// A time to live that the store grants as it is.
  package var timeToLive: Duration

  /// A harness of these parts.
  package init(
    makeStore: @escaping @Sendable () async throws -> any StateStore,
    advance: @escaping @Sendable (Duration) async throws -> Void,
    timeToLive: Duration = .seconds(10)
  ) {
    self.makeStore = makeStore
    self.advance = advance
    self.timeToLive = timeToLive
  }
}

/// Something a store does otherwise than the protocol says.
package struct ConformanceViolation: Error, CustomStringConvertible {
  /// What was expected, and what was found.
  package let description: String
}

/// One thing that every store must do. Only uses the protocol, and revisions relative to the one it
/// finds.
package struct ConformanceCase: Sendable, CustomStringConvertible {
  /// What the store must do.
  package let description: String
  let body: @Sendable (any StateStore, StateStoreHarness) async throws -> Void

  init(
    _ description: String,
    _ body: @escaping @Sendable (any StateStore, StateStoreHarness) async throws -> Void
  ) {
    self.description = description
    self.body = body
  }

  /// Runs the case against a new store; throws `ConformanceViolation`, or what the store threw.
  package func run(_ harness: StateStoreHarness) async throws {
    let store = try await harness.makeStore()
    do {
      try await body(store, harness)
    } catch {
      await store.close()
      throw error
    }
    await store.close()
  }
}

/// What every `StateStore` must do.
package enum StateStoreConformance {
  /// Every case. Each stands alone.
  package static let cases: [ConformanceCase] =
    rangeCases + transactionCases + watchCases + historyCases + leaseCases + closingCases
    + [randomOperations]
}

func expect(
  _ condition: Bool, _ message: @autoclosure () -> String, line: Int = #line,
  file: String = #fileID
) throws {
  guard condition else {
    throw ConformanceViolation(description: "\(file):\(line): \(message())")
  }
}

func expectEqual<Value: Equatable>(
  _ found: Value, _ expected: Value, _ what: @autoclosure () -> String = "", line: Int = #line,
  file: String = #fileID
) throws {
  try expect(
    found == expected, "\(what()) expected \(expected), found \(found)", line: line, file: file)
}

func expectError<Result>(
  _ code: StateStoreError.Code, line: Int = #line, file: String = #fileID,
  _ body: () async throws -> Result
) async throws {
  do {
    let result = try await body()
    throw ConformanceViolation(
      description: "\(file):\(line): expected the error \(code), found \(result)")
  } catch let error as StateStoreError {
    try expectEqual(error.code, code, line: line, file: file)
  }
}

extension WatchStream {
  /// The next batch, waiting for it for a limited time.
  func batch(line: Int = #line, file: String = #fileID) async throws -> WatchBatch {
    try await withThrowingTaskGroup(of: WatchBatch?.self) { group in
      group.addTask { try await self.next() }
      group.addTask {
        try await Task.sleep(for: .seconds(20))
        throw ConformanceViolation(description: "\(file):\(line): no batch came")
      }
      defer { group.cancelAll() }
      guard let batch = try await group.next() ?? nil else {
        throw ConformanceViolation(description: "\(file):\(line): the stream ended")
      }
      return batch
    }
  }

  /// The next `count` batches that have events.
  func batches(_ count: Int, line: Int = #line, file: String = #fileID) async throws
    -> [WatchBatch]
  {
    var batches: [WatchBatch] = []
    while batches.count < count {
      let batch = try await batch(line: line, file: file)
      if !batch.events.isEmpty { batches.append(batch) }
    }
    return batches
  }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
