import EtcdProtocol
import FoundationEssentials
import GRPCCore
import StateStore
import StateStoreTesting
import SwiftProtobuf
import Testing

@testable import StateStoreEtcd

@Suite("etcd's messages")
struct MessageTests {
  private let keys = KeySpace(prefix: "/martlet/")

  private func record(_ key: String, _ generator: inout SeededGenerator) -> EtcdKeyValue {
    EtcdKeyValue.with {
      $0.key = Data(key.utf8)
      $0.value = Data((0..<Int.random(in: 0...40, using: &generator)).map { UInt8($0) })
      $0.modRevision = Int64.random(in: 1...1000, using: &generator)
      $0.createRevision = 1
      $0.version = 3
      $0.lease = Int64.random(in: 0...2, using: &generator)
    }
  }

  private func watchResponse(_ generator: inout SeededGenerator) -> EtcdWatchResponse {
    EtcdWatchResponse.with { response in
      response.header.revision = 5
      for number in 0..<Int.random(in: 1...5, using: &generator) {
        response.events.append(
          .with {
            $0.type = number % 2 == 0 ? .put : .delete
            $0.kv = record("/martlet/k\(number)", &generator)
            $0.prevKv = record("/martlet/k\(number)", &generator)
          })
      }
    }
  }

  private func transactionResponse(_ generator: inout SeededGenerator) -> EtcdTxnResponse {
    EtcdTxnResponse.with { response in
      response.header.revision = 9
      response.succeeded = true
      response.responses = [
        .with { $0.responsePut = .init() },
        .with { $0.responseRange.kvs = [record("/martlet/a", &generator)] },
        .with { $0.responseDeleteRange.prevKvs = [record("/martlet/b", &generator)] },
        .with { $0.responseTxn.responses = [.with { $0.responsePut = .init() }] },
      ]
    }
  }

  private var transaction: Transaction {
    let inner = Transaction(do: [], otherwise: [.put("c", [])])
    return Transaction(do: [
      .put("x", []), .range(RangeRequest(.key("a"))), .delete(DeleteRequest(.prefix("b"))),
      .transaction(inner),
    ])
  }

  @Test("truncated and damaged answers are refused or read, and never stop the process")
  func damaged() throws {
    var generator = SeededGenerator(seed: 4_711)
    var refused = 0
    for round in 0..<600 {
      var bytes: [UInt8] =
        round % 2 == 0
        ? try watchResponse(&generator).serializedBytes()
        : try transactionResponse(&generator).serializedBytes()
      switch round % 3 {
      case 0: bytes.removeLast(Int.random(in: 1...bytes.count, using: &generator))
      case 1:
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
          bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(
            in: 0...255, using: &generator)
        }
      default:
        bytes = (0..<Int.random(in: 0...200, using: &generator)).map { _ in
          UInt8.random(in: 0...255, using: &generator)
        }
      }
      do {
        try read(bytes)
      } catch is RPCError {
        refused += 1
      } catch let error as StateStoreError {
        #expect(error.code == .unavailable)
        refused += 1
      }
    }
    #expect((1..<600).contains(refused), "both kinds come up")
  }

  private func read(_ bytes: [UInt8]) throws {
    let watch: EtcdWatchResponse = try EtcdDeserializer().deserialize(bytes)
    var assembler = WatchAssembler(start: 1)
    _ = try assembler.add(try watch.events.map(keys.decode), isFragment: watch.fragment)
    let answer: EtcdTxnResponse = try EtcdDeserializer().deserialize(bytes)
    _ = try keys.decode(answer, to: transaction)
  }

  @Test("messages within messages without end are refused")
  func deep() {
    // A transaction's answer in a transaction's answer: field 3, then field 4, again and again.
    var bytes: [UInt8] = []
    for _ in 0..<4_000 {
      for tag: UInt8 in [0x22, 0x1A] {
        var length = bytes.count
        var prefix: [UInt8] = [tag]
        while length >= 0x80 {
          prefix.append(UInt8(length & 0x7F) | 0x80)
          length >>= 7
        }
        bytes = prefix + [UInt8(length)] + bytes
      }
    }
    #expect(throws: RPCError.self) {
      let _: EtcdTxnResponse = try EtcdDeserializer().deserialize(bytes)
    }
  }

  @Test("answers are held to what was asked")
  func unasked() throws {
    var generator = SeededGenerator(seed: 1)
    let answer = transactionResponse(&generator)
    var response = try keys.decode(answer, to: transaction)
    #expect(response.revision == 9)
    guard case .transaction(let inner)? = response.responses.last else {
      Issue.record("the last answer is no transaction")
      return
    }
    #expect(inner.revision == 9)
    #expect(!inner.succeeded)
    var fewer = answer
    fewer.responses.removeLast()
    var swapped = answer
    swapped.responses.swapAt(0, 1)
    var foreign = answer
    foreign.responses[1].responseRange.kvs[0].key = Data("/other/a".utf8)
    var bare = answer
    bare.responses[1].responseRange.kvs[0].key = Data("/martlet/".utf8)
    for answer in [fewer, swapped, foreign, bare] {
      #expect(throws: StateStoreError.self) {
        response = try keys.decode(answer, to: transaction)
      }
    }
    for event in [EtcdEvent(), .with { $0.kv.key = Data("/martlet/k".utf8) }] {
      #expect(throws: StateStoreError.self) { try keys.decode(event) }
    }
    let strange = EtcdEvent.with {
      $0.type = .UNRECOGNIZED(7)
      $0.kv = record("/martlet/k", &generator)
    }
    #expect(throws: StateStoreError.self) { try keys.decode(strange) }
  }

  @Test("ranges stay within the prefix")
  func ranges() {
    func text(_ range: KeyRange) -> [String] {
      let (key, end) = keys.encode(range)
      return [String(decoding: key, as: UTF8.self), String(decoding: end, as: UTF8.self)]
    }
    #expect(text(.key("a")) == ["/martlet/a", ""])
    #expect(text(.interval("a", "b")) == ["/martlet/a", "/martlet/b"])
    #expect(text(.prefix("a/")) == ["/martlet/a/", "/martlet/a0"])
    #expect(text(.from("a")) == ["/martlet/a", "/martlet0"])
    #expect(text(.all) == ["/martlet/\0", "/martlet0"])
    #expect(KeySpace(folder: "/a").prefix == Array("/a/".utf8))
    #expect(KeySpace(folder: "/a/").prefix == Array("/a/".utf8))
    let whole = KeySpace(folder: "")
    #expect(whole.encode(.all).key == Data([0]))
    #expect(whole.encode(.all).end == Data([0]))
    #expect(whole.encode(.key("a")).end == Data())
  }

  @Test("overlapping ranges", arguments: 1...4)
  func overlaps(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let all = (0..<5).flatMap { first in
      [Key(bytes: [UInt8(first)])] + (0..<5).map { Key(bytes: [UInt8(first), UInt8($0)]) }
    }
    func range() -> KeyRange {
      let start = all.randomElement(using: &generator) ?? "a"
      return switch Int.random(in: 0..<4, using: &generator) {
      case 0: .key(start)
      case 1: .prefix(start)
      case 2: .from(start)
      default: .interval(start, all.randomElement(using: &generator) ?? "a")
      }
    }
    for _ in 0..<500 {
      let (left, right) = (range(), range())
      let shared = all.contains { left.contains($0) && right.contains($0) }
      if shared { #expect(left.overlaps(right), "\(left) \(right)") }
      #expect(left.overlaps(right) == right.overlaps(left))
      // Ranges that end before the other begins share nothing.
      if !left.overlaps(right) { #expect(!shared, "\(left) \(right)") }
    }
    #expect(!KeyRange.interval("a", "b").overlaps(.from("b")))
    #expect(KeyRange.interval("a", "b").overlaps(.key("a")))
    #expect(!KeyRange.key("a").overlaps(.key("b")))
    #expect(!KeyRange.interval("b", "a").overlaps(.all))
  }

  @Test("conditions that see earlier steps are found")
  func dependentConditions() {
    let join = Transaction(when: [.missing("m")], do: [.put("m", [])])
    #expect(!Transaction(do: [.put("t", []), .transaction(join)]).nestedConditionsSeeEarlierSteps)
    #expect(Transaction(do: [.delete("m"), .transaction(join)]).nestedConditionsSeeEarlierSteps)
    #expect(
      Transaction(do: [], otherwise: [.delete(DeleteRequest(.all)), .transaction(join)])
        .nestedConditionsSeeEarlierSteps)
    #expect(
      !Transaction(when: [.missing("m")], do: [.delete("m")], otherwise: [.transaction(join)])
        .nestedConditionsSeeEarlierSteps)
    let twice = Transaction(do: [
      .transaction(Transaction(do: [], otherwise: [.put("m", [])])), .transaction(join),
    ])
    #expect(twice.nestedConditionsSeeEarlierSteps)
  }
}

@Suite("A watch's batches")
struct WatchAssemblerTests {
  private func event(_ revision: Revision, _ key: Int) -> WatchEvent {
    WatchEvent(
      kind: .put,
      record: KeyValue(
        key: Key("k\(key)"), value: [], createRevision: 1, modifyRevision: revision, version: 1))
  }

  @Test(
    "come out whole and once, however answers are cut and streams break", arguments: 1...60)
  func random(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var history: [WatchBatch] = []
    var revision: Revision = 10
    for _ in 0..<60 {
      revision += Revision(Int.random(in: 1...3, using: &generator))
      let count = Int.random(in: 1...5, using: &generator)
      history.append(
        WatchBatch(revision: revision, events: (0..<count).map { event(revision, $0) }))
    }
    var assembler = WatchAssembler(start: 10)
    var told: [WatchBatch] = []
    while told.count < history.count {
      // A stream begins where the last one got to, or somewhat before, and breaks some time.
      assembler.restart()
      let back = Revision(Int.random(in: 0...4, using: &generator))
      let events = history.flatMap(\.events).filter {
        $0.record.modifyRevision >= assembler.next - back
      }
      var position = 0
      while position < events.count, Int.random(in: 0..<20, using: &generator) > 0 {
        let count = min(events.count - position, Int.random(in: 1...7, using: &generator))
        let piece = Array(events[position..<position + count])
        position += count
        let isCut =
          position < events.count
          && events[position].record.modifyRevision == piece.last?.record.modifyRevision
        told += try assembler.add(piece, isFragment: isCut)
      }
      #expect(told == Array(history.prefix(told.count)), "seed \(seed)")
    }
    #expect(told == history, "seed \(seed)")
  }

  @Test("revisions that go back are refused")
  func backwards() throws {
    var assembler = WatchAssembler(start: 1)
    #expect(throws: StateStoreError.self) {
      try assembler.add([event(5, 0), event(4, 0)], isFragment: false)
    }
  }

  @Test("progress moves on the place to resume from, but not past what was told in part")
  func progress() throws {
    var assembler = WatchAssembler(start: 1)
    assembler.pass(7)
    #expect(assembler.next == 8)
    assembler.pass(3)
    #expect(assembler.next == 8)
    #expect(try assembler.add([event(9, 0)], isFragment: true).isEmpty)
    assembler.pass(20)
    #expect(assembler.next == 8)
    #expect(
      try assembler.add([event(9, 1)], isFragment: false).map(\.events.count) == [2])
    #expect(assembler.next == 10)
  }
}
