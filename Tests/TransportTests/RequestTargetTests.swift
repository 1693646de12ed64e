import Testing
import Transport

@Suite struct RequestTargetTests {
  @Test func paths() {
    let target = RequestTarget("/v2/a%3Ab/c?n=1&last=x%2Fy&n=2&flag&e=&plus=a+b&bad=%zz")
    #expect(target.path == "/v2/a%3Ab/c")
    #expect(target.query["n"] == "1")
    #expect(target.query.all("n") == ["1", "2"])
    #expect(target.query["last"] == "x/y")
    #expect(target.query["flag"] == "" && target.query["e"] == "")
    #expect(target.query["plus"] == "a b")
    #expect(target.query["bad"] == nil && target.query["none"] == nil)
    #expect(RequestTarget("http://host:1/p?q=1").path == "/p")
    #expect(RequestTarget("*").path == "*")
    #expect(RequestTarget("").path == "")
  }

  @Test func escapes() {
    #expect(PercentCoding.decode("a%2fb%41") == "a/bA")
    for bad in ["%", "%4", "%4g", "%ff", "x%c3"] { #expect(PercentCoding.decode(bad) == nil) }
    #expect(PercentCoding.encode("a/b c~é") == "a%2Fb%20c~%C3%A9")
  }

  @Test func whatIsEncodedIsDecoded() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<300 {
      let scalars = (0..<Int.random(in: 0..<20, using: &generator)).map { _ in
        Unicode.Scalar(UInt32.random(in: 0..<0xD800, using: &generator)) ?? " "
      }
      let text = String(String.UnicodeScalarView(scalars))
      #expect(PercentCoding.decode(PercentCoding.encode(text)) == text)
      let query = QueryParameters("k=" + PercentCoding.encode(text))
      #expect(query["k"] == text)
    }
  }

  @Test func anythingCanBeAsked() {
    var generator = SystemRandomNumberGenerator()
    let alphabet = Array("/%&=?+:ab0Ff\u{0}é")
    for _ in 0..<2000 {
      let text = String(
        (0..<Int.random(in: 0..<40)).map { _ in
          alphabet.randomElement(using: &generator)!
        })
      let target = RequestTarget(text)
      #expect(target.path.utf8.count <= text.utf8.count)
    }
  }
}
