import Identity
import Testing

@Suite("Names")
struct NameTests {
  @Test("keep to the grammar", arguments: ["a", "0", "a-b", "a.b_c-d", "library", "x9"])
  func good(_ text: String) {
    #expect(AccountName(text)?.description == text)
  }

  @Test(
    "that break the grammar are none",
    arguments: ["", "A", "-a", "a-", "a--b", "a._b", "a/b", "a b", "ä", "a\n", ".", "a\0"])
  func bad(_ text: String) {
    #expect(AccountName(text) == nil)
  }

  @Test("have at most 100 bytes")
  func length() {
    #expect(AccountName(String(repeating: "a", count: 100)) != nil)
    #expect(AccountName(String(repeating: "a", count: 101)) == nil)
  }

  @Test("random text is a name exactly when a plain reading of the grammar says so")
  func property() {
    var generator = SeededGenerator()
    let letters = Array("ab09._-AZ/é ")
    var accepted = 0
    for _ in 0..<20_000 {
      let count = Int.random(in: 0...8, using: &generator)
      let text = String((0..<count).map { _ in letters.randomElement(using: &generator) ?? "a" })
      let runs = text.split(omittingEmptySubsequences: false) { "._-".contains($0) }
      let isName = runs.allSatisfy { run in
        !run.isEmpty && run.allSatisfy { "abcdefghijklmnopqrstuvwxyz0123456789".contains($0) }
      }
      #expect((AccountName(text) != nil) == isName, "\(text.debugDescription)")
      accepted += isName ? 1 : 0
    }
    #expect(accepted > 100)
  }

  @Test("identifiers hold nothing that means something in a key")
  func identifiers() {
    #expect(AccountID("0a") != nil)
    #expect(TeamID("a/b") == nil)
    #expect(AccountID("") == nil)
    #expect(AccountID(String(repeating: "a", count: 65)) == nil)
    #expect(AccessTokenID("..") == nil)
  }
}

@Suite("Timestamps")
struct TimestampTests {
  @Test(
    "are RFC 3339 text",
    arguments: [
      (0, "1970-01-01T00:00:00Z"), (951_782_400_000, "2000-02-29T00:00:00Z"),
      (1_709_164_799_250, "2024-02-28T23:59:59.250Z"), (-1, "1969-12-31T23:59:59.999Z"),
      (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ])
  func text(milliseconds: Int64, text: String) {
    #expect(Timestamp(milliseconds: milliseconds).description == text)
    #expect(Timestamp(text)?.milliseconds == milliseconds)
  }

  @Test("are read with an offset, in lower case, and with fine fractions")
  func offsets() {
    let noon = Timestamp("2026-03-01T12:00:00Z")
    #expect(Timestamp("2026-03-01T14:30:00+02:30") == noon)
    #expect(Timestamp("2026-03-01t07:00:00-05:00") == noon)
    #expect(Timestamp("2026-03-01T12:00:00.000999999Z") == noon)
  }

  @Test(
    "that are none are refused",
    arguments: [
      "", "2026", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z",
      "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Zx",
      "2026-01-01T00:00:00+0100", "2026-00-10T00:00:00Z", "-001-01-01T00:00:00Z",
    ])
  func refused(_ text: String) {
    #expect(Timestamp(text) == nil)
  }

  @Test("come back from their text")
  func roundTrip() {
    var generator = SeededGenerator()
    for _ in 0..<5_000 {
      let moment = Timestamp(
        milliseconds: Int64.random(
          in: -62_135_596_800_000...253_402_300_799_999, using: &generator))
      #expect(Timestamp(moment.description) == moment)
    }
  }

  @Test("changed text is refused or another moment within the calendar")
  func fuzz() {
    var generator = SeededGenerator()
    let bounds = Timestamp(milliseconds: -62_167_305_600_000)...Timestamp(seconds: 253_402_400_000)
    for _ in 0..<5_000 {
      var bytes = Array("2026-03-01T12:00:00.123+01:00".utf8)
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        bytes[index] = UInt8.random(in: 0...255, using: &generator)
      }
      if let moment = Timestamp(String(decoding: bytes, as: UTF8.self)) {
        #expect(bounds.contains(moment), "\(bytes)")
      }
    }
    #expect(Timestamp("2026-01-01T00:00:00." + String(repeating: "9", count: 1_000) + "Z") == nil)
  }

  @Test("hold at the ends of their range")
  func saturation() {
    let last = Timestamp(milliseconds: .max)
    #expect(last + .seconds(1) == last)
    #expect(Timestamp(seconds: .max) == last)
    #expect(Timestamp(milliseconds: -1).seconds == -1)
  }
}
