import FoundationEssentials
import StateStore
import StateStoreEtcd
import Testing

@Suite("An etcd that is shared and secured")
struct SharedClusterTests {
  @Test("users of one etcd do not see each other's records")
  func prefixes() async throws {
    try await EtcdProcess.turns.take {
      let etcd = try await EtcdProcess.start()
      let first = try await etcd.open(prefix: "/first/")
      let second = try await etcd.open(prefix: "/second/")
      let whole = try await etcd.open(prefix: "")
      let stream = try await second.watch(WatchRequest(.all))
      let lease = try await first.grantLease(timeToLive: .seconds(600)).id
      try await first.put("k", bytes(1), lease: lease)
      try await second.put("z", bytes(2), lease: lease)
      #expect(try await first.range(RangeRequest(.all)).items.map(\.key) == ["k"])
      #expect(try await second.range(RangeRequest(.all)).items.map(\.key) == ["z"])
      #expect(try await first.status().keyCount == 1)
      #expect(try await first.leaseStatus(lease)?.keys == ["k"])
      #expect(
        try await whole.range(RangeRequest(.all)).items.map(\.key) == ["/first/k", "/second/z"])
      #expect(try await stream.next()?.events.map(\.record.key) == ["z"])
      let deleted = try await first.transact(Transaction(do: [.delete(DeleteRequest(.all))]))
      #expect(deleted.responses == [.delete(count: 1, previous: [])])
      #expect(try await second.get("z") != nil)
      for store in [first, second, whole] { await store.close() }
    }
  }

  @Test("an empty interval is watched in silence, and progress still comes")
  func emptyInterval() async throws {
    try await EtcdProcess.turns.take {
      let etcd = try await EtcdProcess.start()
      let store = try await etcd.open()
      let stream = try await store.watch(WatchRequest(.interval("b", "a")))
      let revision = try await store.put("b", [])
      try await stream.requestProgress()
      let batch = try #require(try await stream.next())
      #expect(batch.events.isEmpty)
      #expect(batch.revision >= revision)
      await store.close()
    }
  }

  @Test("conditions that see earlier steps hold while others write")
  func contended() async throws {
    try await EtcdProcess.turns.take {
      let etcd = try await EtcdProcess.start()
      let stores = [try await etcd.open(), try await etcd.open()]
      // Moves the one token there is, by steps that see each other, whoever else does.
      let taking = Transaction(
        when: [.exists("free")],
        do: [
          .delete("free"),
          .transaction(Transaction(when: [.missing("free")], do: [.put("taken", [])])),
        ])
      let giving = Transaction(
        when: [.exists("taken")],
        do: [
          .delete("taken"),
          .transaction(Transaction(when: [.missing("taken")], do: [.put("free", [])])),
        ])
      try await stores[0].put("free", [])
      let before = try await stores[0].currentRevision()
      let moves = try await withThrowingTaskGroup(of: Int.self) { group in
        for worker in 0..<6 {
          group.addTask {
            var moves = 0
            for _ in 0..<10 {
              for transaction in [taking, giving] {
                let response = try await stores[worker % 2].transact(transaction)
                guard response.succeeded else { continue }
                moves += 1
                guard case .transaction(let inner)? = response.responses.last else {
                  throw HelperFailure(description: "found \(response)")
                }
                #expect(inner.succeeded)
              }
            }
            return moves
          }
        }
        return try await group.reduce(0, +)
      }
      let records = try await stores[1].range(RangeRequest(.all))
      #expect(records.items.count == 1)
      #expect(records.revision == before + Revision(moves))
      #expect(moves > 0)
      for store in stores { await store.close() }
    }
  }

  @Test("etcd's own limits are told as the store's")
  func limits() async throws {
    try await EtcdProcess.turns.take {
      let etcd = try await EtcdProcess.start()
      let store = try await etcd.open()
      // Within the store's limit; what etcd adds of its own is not.
      let value = [UInt8](repeating: 7, count: Transaction.byteLimit - 10)
      #expect(await failure { try await store.put("k", value) }?.code == .requestTooLarge)
      #expect(try await store.get("k") == nil)
      await store.close()
    }
  }

  @Test("answers of many megabytes are taken")
  func large() async throws {
    try await EtcdProcess.turns.take {
      let etcd = try await EtcdProcess.start()
      let store = try await etcd.open()
      let value = [UInt8](repeating: 7, count: 1_000_000)
      let start = try await store.currentRevision() + 1
      for number in 0..<12 { try await store.put(Key("k/\(number)"), value) }
      let sizes = try await store.list(prefix: "k/").items.map(\.value.count)
      #expect(sizes == Array(repeating: 1_000_000, count: 12))
      // etcd cuts what a watch of history is told into pieces.
      let stream = try await store.watch(
        WatchRequest(.prefix("k/"), from: start, wantsPrevious: true))
      for revision in start..<start + 12 {
        let batch = try #require(try await stream.next())
        #expect(batch.revision == revision)
        #expect(batch.events.map(\.record.value.count) == [1_000_000])
      }
      let both = try await store.transact(
        Transaction(do: (0..<12).map { .range(RangeRequest(.key(Key("k/\($0)")))) }))
      #expect(both.responses.count == 12)
      await store.close()
    }
  }

  @Test("large writes and reads at once keep the connection")
  func largeAtOnce() async throws {
    try await EtcdProcess.turns.take {
      let etcd = try await EtcdProcess.start()
      let store = try await etcd.open()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for worker in 0..<8 {
          group.addTask {
            let key = Key("k\(worker)")
            for round in 0..<6 {
              let value = [UInt8](repeating: UInt8(round), count: 1_000_000)
              try await store.put(key, value)
              let read = try await store.get(key)?.value
              #expect(read == value)
            }
          }
        }
        try await group.waitForAll()
      }
      await store.close()
    }
  }

  @Test("watches of history that nobody reads hold up nobody")
  func unread() async throws {
    try await EtcdProcess.turns.take {
      let etcd = try await EtcdProcess.start()
      let store = try await etcd.open()
      let value = [UInt8](repeating: 7, count: 1_000_000)
      let start = try await store.currentRevision() + 1
      for _ in 0..<30 { try await store.put("k", value) }
      var streams: [WatchStream] = []
      for _ in 0..<4 {
        streams.append(try await store.watch(WatchRequest(.key("k"), from: start)))
      }
      // Long enough for the history to be sent that is not taken.
      for number in 0..<50 {
        try await store.put("other", bytes(number))
        try await Task.sleep(for: .milliseconds(20))
      }
      let large = try await store.get("k")
      #expect(large?.value.count == 1_000_000)
      for stream in streams {
        for revision in start..<start + 30 {
          let batch = try #require(try await stream.next())
          #expect(batch.revision == revision)
        }
      }
      await store.close()
    }
  }

  @Test("connections are secured on both sides")
  func secured() async throws {
    try await EtcdProcess.turns.take {
      let files = try await Certificates.make()
      let etcd = try await EtcdProcess.start(security: [
        "--cert-file", files.path("server.pem"), "--key-file", files.path("server.key"),
        "--trusted-ca-file", files.path("ca.pem"), "--client-cert-auth",
      ])
      let tls = EtcdSettings.TLS(
        authorityFile: files.path("ca.pem"), certificateFile: files.path("client.pem"),
        keyFile: files.path("client.key"), serverName: "etcd.example")
      let store = try await etcd.open { $0.tls = tls }
      // More than the HTTP/2 handler's limit of a server's PINGs.
      for number in 0..<300 { try await store.put("k", bytes(number)) }
      #expect(try await store.get("k")?.version == 300)
      await store.close()
      var stranger = tls
      (stranger.certificateFile, stranger.keyFile) = (nil, nil)
      var believer = tls
      believer.authorityFile = files.path("client.pem")
      var elsewhere = tls
      elsewhere.serverName = "elsewhere.example"
      var unnamed = tls
      unnamed.serverName = nil
      for tls in [stranger, believer, elsewhere, unnamed] {
        let error = await failure {
          try await etcd.open {
            $0.tls = tls
            $0.dialTimeout = .seconds(1)
          }
        }
        #expect(error?.code == .unavailable, "\(tls)")
      }
    }
  }

  @Test("a user who may only use the prefix can do everything there, and nothing elsewhere")
  func limitedUser() async throws {
    try await EtcdProcess.turns.take {
      let etcd = try await EtcdProcess.start()
      try await etcd.enableUsers()
      let store = try await etcd.open { ($0.username, $0.password) = ("limited", "small") }
      let stream = try await store.watch(WatchRequest(.all))
      let lease = try await store.grantLease(timeToLive: .seconds(600)).id
      try await store.put("k", bytes(1), lease: lease)
      #expect(try await stream.next()?.events.map(\.record.key) == ["k"])
      try await store.keepAlive(lease)
      #expect(try await store.leaseStatus(lease)?.keys == ["k"])
      #expect(try await store.status().keyCount == 1)
      try await store.revoke(lease)
      #expect(try await store.range(RangeRequest(.all)).count == 0)
      await store.close()
      let elsewhere = await failure {
        try await etcd.open(prefix: "/other/") { ($0.username, $0.password) = ("limited", "small") }
      }
      #expect(elsewhere?.metadata["etcd"] == "etcdserver: permission denied")
    }
  }

  @Test("a watch that is not permitted says so")
  func unpermittedWatch() async throws {
    try await EtcdProcess.turns.take {
      let etcd = try await EtcdProcess.start()
      let store = try await etcd.open()
      // Opened while everybody may do everything.
      try await etcd.enableUsers()
      let error = await failure { try await store.watch(WatchRequest(.all, from: 1)).next() }
      #expect(error?.code == .unavailable)
      #expect(error?.message == "etcd refuses the user")
      await store.close()
    }
  }

  @Test("a user's token is renewed when etcd forgets it")
  func authenticated() async throws {
    try await EtcdProcess.turns.take {
      let etcd = try await EtcdProcess.start()
      try await etcd.enableUsers()
      let stranger = await failure { try await etcd.open { $0.dialTimeout = .seconds(2) } }
      #expect(stranger?.code == .unavailable)
      let liar = await failure {
        try await etcd.open { ($0.username, $0.password) = ("root", "wrong") }
      }
      #expect(liar?.code == .unavailable)
      let store = try await etcd.open { ($0.username, $0.password) = ("root", "secret") }
      let stream = try await store.watch(WatchRequest(.key("k")))
      try await store.put("k", bytes(1))
      #expect(try await stream.next()?.events.map(\.record.value) == [bytes(1)])
      // Tokens are in the memory of the process.
      etcd.kill()
      try await etcd.startAgain()
      try await eventually("the store writes again") {
        await failure { try await store.put("k", bytes(2)) } == nil
      }
      var seen = try #require(try await stream.next())
      while seen.events.map(\.record.value) != [bytes(2)] {
        seen = try #require(try await stream.next())
      }
      await store.close()
    }
  }
}

extension EtcdProcess {
  /// Makes etcd ask for users: `root`, and `limited`, who may use the default prefix.
  func enableUsers() async throws {
    func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
    let permission = """
      {"permType": "READWRITE", "key": "\(base64("/martlet/"))", \
      "range_end": "\(base64("/martlet0"))"}
      """
    try await post([
      ("user/add", #"{"name": "root", "password": "secret"}"#),
      ("user/grant", #"{"user": "root", "role": "root"}"#),
      ("user/add", #"{"name": "limited", "password": "small"}"#),
      ("role/add", #"{"name": "part"}"#),
      ("role/grant", #"{"name": "part", "perm": \#(permission)}"#),
      ("user/grant", #"{"user": "limited", "role": "part"}"#),
      ("enable", "{}"),
    ])
  }

  /// Asks etcd's JSON gateway for what the store has no calls for.
  private func post(_ requests: [(call: String, body: String)]) async throws {
    let program = """
      import sys, urllib.request
      for call, body in zip(sys.argv[2::2], sys.argv[3::2]):
          request = urllib.request.Request(sys.argv[1] + call, body.encode())
          urllib.request.urlopen(request, timeout=60)
      """
    try await Command.run(
      ["python3", "-c", program, endpoint + "/v3/auth/"] + requests.flatMap { [$0.call, $0.body] },
      output: folder.path + "/post")
  }
}

/// Certificates of an authority of the test's own.
struct Certificates {
  private let folder: TemporaryFolder

  func path(_ name: String) -> String { "\(folder.path)/\(name)" }

  static func make() async throws -> Certificates {
    let files = Certificates(folder: try TemporaryFolder())
    try await files.openssl(
      "req", "-x509", "-keyout", files.path("ca.key"), "-out", files.path("ca.pem"), "-subj",
      "/CN=authority", "-days", "2")
    for (name, extra) in [
      ("server", "subjectAltName=DNS:etcd.example"),
      ("client", "extendedKeyUsage=clientAuth"),
    ] {
      try await files.openssl(
        "req", "-x509", "-CA", files.path("ca.pem"), "-CAkey", files.path("ca.key"), "-keyout",
        files.path("\(name).key"), "-out", files.path("\(name).pem"), "-subj", "/CN=\(name)",
        "-addext", extra, "-addext", "basicConstraints=critical,CA:FALSE", "-days", "2")
    }
    return files
  }

  private func openssl(_ arguments: String...) async throws {
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    try await Command.run(
      ["openssl"] + arguments.prefix(2) + key + arguments.dropFirst(2), output: path("log"))
  }
}
