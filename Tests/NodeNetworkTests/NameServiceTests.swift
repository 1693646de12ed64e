import NodeNetwork
import Testing

@Suite struct NameServiceTests {
  @Test func namesAreServedOnUserDefinedNetworks() async throws {
    try await withNode(subnet: 9) { node in
      _ = try await node.network.create(NetworkSpecification(name: "net"))
      _ = try await node.network.create(NetworkSpecification(name: "other"))
      let web = try await node.container("Web", on: ["net"]) { $0.aliases = ["www", "shared"] }
      let db = try await node.container("db", on: ["net", "other"]) { $0.aliases = ["shared"] }
      let client = try await node.container("client", on: ["net"]) { $0.links = ["base": "db"] }
      let elsewhere = try await node.container("elsewhere", on: ["other"])

      for name in ["web", "WEB", "www", "web.net", String(web.id.prefix(12))] {
        #expect(try await client.dig(name).output == web.address, "\(name)")
      }
      expect(try await client.dig("+tcp web").output, is: web.address)
      expect(try await client.dig("base").output, is: db.address)
      expect(try await web.dig("db").output, is: db.address)
      expect(try await elsewhere.dig("db").output, is: "\(db.endpoints[1].ipv4Address!)")
      let shared = try await client.dig("shared").output.split(separator: "\n").sorted()
      #expect(shared.map(String.init) == [web.address, db.address].sorted())
      expect(try await client.dig("-x \(web.address)").output, is: "Web.net.")
      let v6 = try await client.run("dig @127.0.0.11 web AAAA").output
      #expect(v6.contains("status: NOERROR") && v6.contains("ANSWER: 0"))

      node.network.rename(containerID: web.id, to: "front")
      expect(try await client.dig("front").output, is: web.address)
      let own = try client.serveUDP("mine", port: 53)
      expect(try await client.dig("db").output, is: db.address)
      await node.network.removeSandbox(containerID: db.id)
      expect(try await client.dig("shared").output, is: web.address)
      withExtendedLifetime(own) {}
    }
  }

  @Test func unknownNamesAreForwarded() async throws {
    try await withNode(subnet: 10) { node in
      _ = try await node.network.create(NetworkSpecification(name: "net"))
      var specification = NetworkSpecification(name: "inside")
      specification.isInternal = true
      _ = try await node.network.create(specification)
      let upstream = try Server(path: "", program: upstreamProgram(address: "127.21.3.10"))
      let dns = DNSSettings(servers: ["127.21.3.99", "127.21.3.10"])
      let client = try await node.container("client", on: ["net"], dns: dns)
      expect(try await client.dig("example.test").output, is: "192.0.2.77")
      expect(try await client.dig("+tcp example.test").output, is: "192.0.2.78")
      // Too much for UDP: the client comes back over TCP.
      expect(try await client.dig("truncated.test").output, is: "192.0.2.78")

      let dead = DNSSettings(servers: ["127.21.3.99"])
      let lonely = try await node.container("lonely", on: ["net"], dns: dead)
      #expect(
        try await lonely.run("dig @127.0.0.11 +tries=1 +time=14 example.test").output
          .contains("status: SERVFAIL"))
      let inside = try await node.container("inside", on: ["inside"], dns: dns)
      #expect(
        try await inside.run("dig @127.0.0.11 example.test").output
          .contains("status: SERVFAIL"))
      withExtendedLifetime(upstream) {}
    }
  }

  /// A name server that knows one address for UDP and another for TCP.
  private func upstreamProgram(address: String) -> String {
    """
    import socket,sys,threading,struct
    def answer(q,last,tc):
      h=q[:2]+(b"\\x83\\x80" if tc else b"\\x81\\x80")
      h+=b"\\0\\1"+(b"\\0\\0" if tc else b"\\0\\1")+b"\\0\\0\\0\\0"
      i=12
      while q[i]: i+=q[i]+1
      r=h+q[12:i+5]
      return r if tc else r+b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\5\\0\\4"+bytes([192,0,2,last])
    u=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); u.bind(("\(address)",53))
    t=socket.socket(); t.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)
    t.bind(("\(address)",53)); t.listen(5)
    def tcp():
      while True:
        c,a=t.accept(); n=struct.unpack(">H",c.recv(2))[0]; r=answer(c.recv(n),78,False)
        c.sendall(struct.pack(">H",len(r))+r); c.close()
    threading.Thread(target=tcp,daemon=True).start()
    sys.stdout.write("ready\\n"); sys.stdout.flush()
    while True:
      q,a=u.recvfrom(4096); u.sendto(answer(q,77,b"truncated" in q),a)
    """
  }
}
