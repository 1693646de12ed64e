import Host
import NIOCore
import Testing

@testable import NodeNetwork

@Suite struct DNSMessageTests {
  @Test func queriesAreRead() throws {
    let query = try DNSQuery(message(name: ["WWW", "example", "test"], type: DNSType.aaaa))
    #expect(query.name == "www.example.test")
    #expect(query.type == DNSType.aaaa && query.recordClass == 1 && query.id == 0x1234)
    #expect(query.payloadLimit == 512 && !query.hasEDNS)
    let edns: [UInt8] = [0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0]
    let large = try DNSQuery(message(name: ["a"], type: 1, additional: edns))
    #expect(large.payloadLimit == 4096 && large.hasEDNS)
  }

  @Test func hostileNamesAreRefused() {
    let header: [UInt8] = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    let bad: [[UInt8]] = [
      [0xc0, 0x0c, 0, 1, 0, 1],  // a pointer to itself
      [1, 97, 0xc0, 0x0c, 0, 1, 0, 1],  // a loop
      [0xc0, 0xff, 0, 1, 0, 1],  // a pointer out of the message
      [63, 97, 97],  // a label longer than the message
      [0x80, 0, 0, 1, 0, 1],  // a label of no known kind
      Array(repeating: [UInt8(1), 97], count: 130).flatMap { $0 } + [0, 0, 1, 0, 1],  // too long
      [],
    ]
    for rest in bad {
      #expect(throws: DNSQuery.Failure.malformed(id: 0x1234)) { try DNSQuery(header + rest) }
    }
    #expect(throws: DNSQuery.Failure.ignored) { try DNSQuery([1, 2, 3]) }
    var answer = message(name: ["a"], type: 1)
    answer[2] |= 0x80
    #expect(throws: DNSQuery.Failure.ignored) { try DNSQuery(answer) }
    var many = message(name: ["a"], type: 1)
    many[7] = 200  // counts that lie
    #expect(throws: DNSQuery.Failure.malformed(id: 0x1234)) { try DNSQuery(many) }
  }

  /// No bytes whatever can do more than be refused, and what is accepted can be answered.
  @Test func anythingMayArrive() {
    var seed = [
      message(name: ["www", "example"], type: 1),
      message(name: ["x"], type: 12, additional: [0, 0, 41, 2, 0, 0, 0, 0, 0, 0, 0]),
    ]
    var accepted = 0
    for round in 0..<20_000 {
      var bytes = seed[round % seed.count]
      for _ in 0..<Int.random(in: 0...4) {
        switch Int.random(in: 0..<4) {
        case 0 where !bytes.isEmpty:
          bytes[.random(in: 0..<bytes.count)] = .random(in: .min ... .max)
        case 1 where !bytes.isEmpty: bytes.removeLast(.random(in: 0..<bytes.count))
        case 2:
          bytes.append(contentsOf: (0..<Int.random(in: 0..<20)).map { _ in .random(in: 0...255) })
        default: bytes.insert(0xc0, at: .random(in: 0...bytes.count))
        }
      }
      guard let query = try? DNSQuery(bytes) else { continue }  // refused is what most deserve
      accepted += 1
      let records = (0..<40).map { DNSData.address(IPAddress(10, 0, 0, UInt8($0))) }
      let answer = DNSAnswer.make(query, records, overUDP: true)
      #expect(answer.count <= max(query.payloadLimit, 12 + query.question.count))
      #expect(answer[0] == bytes[0] && answer[1] == bytes[1] && answer[2] & 0x80 != 0)
      _ = DNSAnswer.adapted(Array(bytes.shuffled()), to: query, overUDP: true)
    }
    seed.removeAll()
    #expect(accepted > 1000)
  }

  @Test func answersCarryRecords() throws {
    let query = try DNSQuery(message(name: ["web"], type: 1))
    let answer = DNSAnswer.make(query, [.address(IPAddress(10, 1, 2, 3))], overUDP: true)
    let expected: [UInt8] =
      [0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 3, 119, 101, 98, 0, 0, 1, 0, 1]
      + [0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 2, 0x58, 0, 4, 10, 1, 2, 3]
    #expect(answer == expected)
    let pointer = DNSAnswer.make(query, [.pointer("a.net")], overUDP: true)
    #expect(pointer.suffix(9).elementsEqual([0, 7, 1, 97, 3, 110, 101, 116, 0]))
  }

  @Test func answersThatAreTooLargeSaySo() throws {
    let query = try DNSQuery(message(name: ["web"], type: 1))
    let records = (0..<100).map { DNSData.address(IPAddress(10, 0, 0, UInt8($0))) }
    let cut = DNSAnswer.make(query, records, overUDP: true)
    #expect(cut.count <= 512 && cut[2] & 2 != 0)
    let whole = DNSAnswer.make(query, records, overUDP: false)
    #expect(whole[2] & 2 == 0 && whole[7] == 100)
    let foreign = DNSAnswer.adapted(whole, to: query, overUDP: true)
    #expect(foreign.count < 64 && foreign[2] & 2 != 0)
  }

  @Test func reverseNamesAreUnderstood() {
    #expect(ReverseName.address("2.0.17.172.in-addr.arpa") == IPAddress(172, 17, 0, 2))
    let six = "1" + String(repeating: ".0", count: 29) + ".d.f.ip6.arpa"
    #expect(ReverseName.address(six) == IPAddress("fd00::1"))
    for name in ["in-addr.arpa", "1.2.3.in-addr.arpa", "x.ip6.arpa", "1.2.3.4", ""] {
      #expect(ReverseName.address(name) == nil)
    }
  }

  @Test func strangersAnswersAreNotBelieved() throws {
    let query = try DNSQuery(message(name: ["web"], type: 1))
    let attempt = DNSAttempt(
      message: [], id: 7, question: query.question, overUDP: true, patience: .seconds(1))
    var answer = DNSAnswer.make(query, [], overUDP: true)
    #expect(!attempt.isAnswer(answer))
    (answer[0], answer[1]) = (0, 7)
    #expect(attempt.isAnswer(answer))
    answer[13] = 65
    #expect(!attempt.isAnswer(answer))
    #expect(!attempt.isAnswer([]) && !attempt.isAnswer(Array(repeating: 0, count: 12)))
  }

  private func message(
    name: [String], type: UInt16, additional: [UInt8] = []
  ) -> [UInt8] {
    var bytes: [UInt8] = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, additional.isEmpty ? 0 : 1]
    for label in name {
      bytes.append(UInt8(label.utf8.count))
      bytes += Array(label.utf8)
    }
    return bytes + [0] + type.bigEndianBytes + [0, 1] + additional
  }
}
