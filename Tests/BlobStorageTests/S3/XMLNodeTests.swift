import Testing

@testable import BlobStorage

@Suite struct XMLNodeTests {
  private static let listing = """
    <?xml version="1.0" encoding="UTF-8"?>
    <!-- a page -->
    <s3:ListBucketResult xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/" a='>'>
      <Name>bucket</Name><IsTruncated>true</IsTruncated>
      <Contents><Key>a&amp;b&#47;&#x41;&lt;</Key><Size>5</Size><Owner/></Contents>
      <Contents><Key><![CDATA[<raw> & more]]></Key><Size>6</Size></Contents>
    </s3:ListBucketResult>

    """

  private func problem(_ text: String) -> XMLNode.Problem? {
    do {
      _ = try XMLNode(parsing: Array(text.utf8))
      return nil
    } catch {
      return error as? XMLNode.Problem
    }
  }

  @Test func answersAreRead() throws {
    let root = try XMLNode(parsing: Array(Self.listing.utf8))
    #expect(root.name == "ListBucketResult")
    #expect(root.text(of: "Name") == "bucket")
    #expect(root.all("Contents").map { $0.text(of: "Key") } == ["a&b/A<", "<raw> & more"])
    #expect(root["Contents"]?["Owner"] == XMLNode(name: "Owner"))
    #expect(root.text(of: "Nothing") == nil)
  }

  @Test func whatIsNoDocumentIsRefused() {
    for text in [
      "", " ", "<a>", "<a", "<a b='", "<a><!-- ", "<a><![CDATA[x", "</", "<?xml", "<a>x",
    ] {
      #expect(problem(text) == .endsEarly, "\(text)")
    }
    for text in [
      "x", "<a></b>", "<a/><b/>", "<a>&nope;</a>", "<a>&#xD800;</a>", "<a>&#99999999;</a>",
      "<a>& </a>", "</a>", "<>", "<a/>x", "<a < b></a>", "<a/ >", "<![CDATA[x]]><a/>",
    ] {
      guard case .malformed = problem(text) else {
        Issue.record("\(text): \(String(describing: problem(text)))")
        continue
      }
    }
    #expect(problem("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>") == .documentType)
    #expect(problem(String(repeating: "<a>", count: 100_000)) == .tooDeep)
    #expect(
      problem("<a>" + String(repeating: "<b/>", count: 100_001) + "</a>") == .tooManyElements)
  }

  /// Changes bytes at random: nothing may trap, and what is read is within the bounds.
  @Test func hostileBytesEndInAnAnswerOrAProblem() {
    var generator = Noise(seed: 20_261_128)
    let valid = Array(Self.listing.utf8)
    let pieces = [
      "<", ">", "</", "<![CDATA[", "]]>", "&", ";", "&#x", "'", "\"", "<!--", "-->", "\0",
    ]
    var accepted = 0
    for round in 0..<6000 {
      var bytes = valid
      for _ in 0..<Int.random(in: 1...6, using: &generator) where !bytes.isEmpty {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.removeSubrange(place..<min(bytes.count, place + 9))
        case 2: bytes.insert(contentsOf: pieces.randomElement(using: &generator)!.utf8, at: place)
        default: bytes.removeSubrange(place...)
        }
      }
      do {
        let root = try XMLNode(parsing: bytes)
        accepted += 1
        #expect(depth(root) <= 16, "seed 20261128, round \(round)")
      } catch {
        #expect(error is XMLNode.Problem, "seed 20261128, round \(round): \(error)")
      }
    }
    #expect(accepted > 0)
  }

  private func depth(_ node: XMLNode) -> Int { 1 + (node.children.map(depth).max() ?? 0) }

  /// What is written with entities is read as it was.
  @Test func textSurvives() throws {
    var generator = Noise(seed: 7)
    for _ in 0..<500 {
      let text = String(
        (0..<Int.random(in: 0...40, using: &generator)).map { _ in
          Array("ab<>&\"' é😀;#x]-").randomElement(using: &generator)!
        })
      var escaped = ""
      for character in text {
        switch character {
        case "&": escaped += "&amp;"
        case "<": escaped += "&#60;"
        case ">": escaped += Bool.random(using: &generator) ? ">" : "&#x3e;"
        default: escaped.append(character)
        }
      }
      #expect(try XMLNode(parsing: Array("<a>\(escaped)</a>".utf8)).text == text, "seed 7")
    }
  }
}

/// Numbers that are the same in each run.
struct Noise: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
  }
}
