import Testing

@testable import DockerAPI

@Suite struct RouteTests {
  @Test func pingNegotiatesTheVersion() async throws {
    try await DoorFixture.run { door in
      for target in ["/_ping", "/v1.24/_ping", "/v1.47/_ping"] {
        let answer = try await door.send("GET", target)
        #expect(answer.status == 200)
        #expect(answer.body == "OK")
        #expect(answer["Api-Version"] == "1.47")
        #expect(answer["Ostype"] == "linux")
        #expect(answer["Docker-Experimental"] == "false")
        #expect(answer["Server"] == "Martlet/test (linux)")
        #expect(answer["Cache-Control"] == "no-cache, no-store, must-revalidate")
        #expect(!answer["Builder-Version"].isEmpty)
      }
      let head = try await door.send("HEAD", "/_ping")
      #expect(head.status == 200)
      #expect(head.body == "")
      #expect(head["Api-Version"] == "1.47")
    }
  }

  @Test(arguments: [
    ("1.99", "client version 1.99 is too new. Maximum supported API version is 1.47"),
    ("2.0", "client version 2.0 is too new. Maximum supported API version is 1.47"),
    (
      "1.12",
      "client version 1.12 is too old. Minimum supported API version is 1.24, please upgrade your "
        + "client to a newer version"
    ),
  ])
  func otherVersionsAreRefused(version: String, message: String) async throws {
    try await DoorFixture.run { door in
      let answer = try await door.send("GET", "/v\(version)/info")
      #expect(answer.status == 400)
      #expect(answer.body == "{\"message\":\"\(message)\"}\n")
      #expect(answer["Api-Version"] == "1.47")
    }
  }

  /// Every kind of answer without a stream: what is asked, its status, and a part of its body.
  @Test(
    arguments: [
      ("GET /nothing", 404, "page not found"), ("GET /", 404, "page not found"),
      ("POST /info", 404, "page not found"), ("PATCH /containers/json", 404, "page not found"),
      ("GET /v1.47/containers/json", 200, "[{\"Id\":\"abc\""), ("OPTIONS /any", 200, ""),
      ("GET /containers/missing/json", 404, "{\"message\":\"No such container: missing\"}\n"),
      ("GET /containers/odd/json", 500, "{\"message\":"),
      ("POST /containers/a/start", 204, ""), ("POST /containers/same/start", 304, ""),
      ("POST /containers/same/stop", 304, ""), ("POST /containers/a/stop?t=x", 400, "integer"),
      ("POST /containers/busy/kill", 409, "in use"), ("POST /containers/a/restart", 204, ""),
      ("POST /containers/a/rename", 400, "Neither old nor new names may be empty"),
      ("POST /containers/a/rename?name=b!", 400, "Invalid container name (b!)"),
      ("POST /containers/a/rename?name=ab", 204, ""),
      ("POST /containers/a/resize?h=1&w=2", 200, ""),
      ("POST /containers/a/resize?h=1", 400, "\\\"w\\\""),
      ("POST /containers/a/resize?h=1&w=70000", 400, "70000"),
      ("POST /containers/a/pause", 204, ""), ("POST /containers/a/unpause", 204, ""),
      ("DELETE /containers/a?v=1&force=true", 204, ""), ("GET /containers/a/top", 200, "Titles"),
      ("GET /containers/a/changes", 200, "[]"), ("POST /containers/prune", 200, "SpaceReclaimed"),
      ("GET /containers/a/logs", 400, "you must choose at least one stream"),
      ("GET /containers/a/logs?stdout=1&since=abc", 400, "since"),
      ("GET /containers/a/stats?one-shot=1", 400, "cannot have stream=true and one-shot=true"),
      ("POST /containers/a/wait?condition=never", 400, "invalid condition"),
      ("GET /containers/a/archive", 400, "path"),
      ("POST /containers/a/attach?detachKeys=ctrl-", 400, "detach"),
      ("GET /containers/a/attach/ws", 400, "WebSocket"),
      ("GET /containers/json?filters=%7Bnonsense", 400, "invalid filters"),
      ("GET /containers/json?filters=%5B%5D", 400, "invalid filters"),
      ("GET /containers/json?limit=many", 400, "limit"),
      ("GET /containers/json?a=%zz", 400, "escape"),
      ("GET /containers/%zz/json", 400, "escape"),
      ("GET /images/json", 200, "[]"), ("GET /images/missing/json", 404, "No such image"),
      ("DELETE /images/busy", 409, "in use"), ("POST /images/a/tag", 400, "repository name"),
      ("POST /images/a/tag?repo=b&tag=c", 201, ""), ("GET /images/get", 400, "names"),
      ("GET /images/search?term=a&limit=1000", 400, "1000"),
      ("POST /images/create", 400, "fromImage"),
      ("POST /images/create?fromImage=secret", 401, "denied"), ("POST /images/prune", 200, "Space"),
      ("GET /distribution/a/b/json", 200, "{"), ("GET /networks", 200, "[]"),
      ("GET /networks/missing", 404, "No such network"),
      ("DELETE /networks/predefined", 403, "predef"),
      ("GET /networks/a?scope=x", 400, "scope"), ("DELETE /networks/a", 204, ""),
      ("POST /networks/prune", 200, "NetworksDeleted"), ("GET /volumes", 200, "Volumes"),
      ("POST /volumes/create", 201, "Mountpoint"), ("DELETE /volumes/busy", 409, "in use"),
      ("DELETE /volumes/a", 204, ""), ("GET /info", 200, "{"), ("GET /version", 200, "{"),
      ("GET /system/df", 200, "LayersSize"), ("GET /system/df?type=soup", 400, "soup"),
      ("GET /events?since=2&until=1", 400, "cannot be after"),
      ("GET /swarm", 503, "This node is not a swarm manager. Use \\\"docker swarm init\\\""),
      ("GET /services", 503, "swarm"), ("POST /secrets/create", 503, "swarm"),
      ("POST /swarm/leave", 503, "not part of a swarm"), ("POST /swarm/init", 501, "swarm"),
      ("GET /plugins", 200, "[]"), ("GET /plugins/x/json", 404, "plugin \\\"x\\\" not found"),
      ("POST /plugins/pull", 501, "plugins"), ("POST /build", 501, "build"),
      ("POST /build/prune", 200, "\"CachesDeleted\":null"),
      ("POST /session", 501, "build"), ("POST /exec/a/resize?h=1&w=1", 200, ""),
      ("GET /exec/missing/json", 404, "No such exec instance"),
    ] as [(String, Int, String)])
  func answers(request: String, status: Int, part: String) async throws {
    try await DoorFixture.run { door in
      let words = request.split(separator: " ").map(String.init)
      let answer = try await door.send(words[0], words[1])
      #expect(answer.status == status)
      if part.isEmpty {
        #expect(answer.body.isEmpty)
      } else {
        #expect(answer.body.contains(part))
        #expect(answer["Content-Type"] == "application/json")
      }
    }
  }

  @Test func bodiesMustBeJSON() async throws {
    try await DoorFixture.run { door in
      let create = "/containers/create?name=web"
      #expect(try await door.post(create, json: #"{"Image":"a"}"#).status == 201)
      #expect(door.recorder.take() == ["name=web image=a platform=-"])
      let plain = try await door.send(
        "POST", create, headers: ["Content-Type: text/plain"], body: Array("{}".utf8))
      #expect(plain.status == 400)
      #expect(plain.body.contains("Content-Type specified (text/plain) must be 'application/json'"))
      #expect(try await door.send("POST", create).body.contains("got EOF"))
      for (json, part) in [
        ("{", "invalid JSON"), (#"{"Image":3}"#, "Image"), ("[]", "invalid JSON"),
        (#"{"Image":"a","HostConfig":{"Memory":"much"}}"#, "HostConfig.Memory"),
        (String(repeating: "[", count: 100_000), "invalid JSON"),
        (#"{"HostConfig":{"Memory":99999999999999999999999}}"#, "invalid JSON"),
      ] {
        let answer = try await door.post(create, json: json)
        #expect(answer.status == 400)
        #expect(answer.body.contains(part), "\(json.prefix(60)): \(answer.body)")
      }
      let large = try await door.send(
        "POST", create, headers: ["Content-Type: application/json", "Content-Length: 999999999"])
      #expect(large.status == 413)
      #expect(try await door.post(create, json: #"{"Image":"missing"}"#).status == 404)
      #expect(
        try await door.post("/containers/a/exec", json: "{}").body.contains("No exec command"))
    }
  }

  @Test func parametersReachTheBackends() async throws {
    try await DoorFixture.run { door in
      func ask(_ method: String, _ target: String) async throws -> [String] {
        _ = try await door.send(method, target)
        return door.recorder.take()
      }
      for filters in [#"{"status":["b","a"]}"#, #"{"status":{"a":true,"b":true}}"#] {
        let escaped = filters.utf8.map { "%" + String($0, radix: 16) }.joined()
        #expect(
          try await ask("GET", "/containers/json?all=True&limit=0&filters=\(escaped)") == [
            "all=true size=false limit=-1 status=[\"a\", \"b\"] names=[\"status\"]"
          ])
      }
      for (text, flag) in [
        ("1", true), ("yes", true), ("0", false), ("no", false), ("none", false),
        ("False", false), ("", false),
      ] {
        let notes = try await ask("GET", "/containers/a/json?size=\(text)")
        #expect(notes == ["container=a size=\(flag)"])
      }
      #expect(
        try await ask("POST", "/containers/a/stop?t=-1&signal=USR1") == ["signal=USR1 timeout=-1"])
      #expect(
        try await ask("GET", "/containers/a/logs?stdout=1&since=12.5&tail=x")
          == ["tail=-1 since=12.500000000 follow=false"])
      #expect(
        try await ask("GET", "/images/registry.example:5000/a/b@sha256:c/json")
          == ["image=registry.example:5000/a/b@sha256:c"])
      #expect(try await ask("GET", "/images/a%2Fb/json") == ["image=a/b"])
      #expect(try await ask("GET", "/images/get?names=a&names=b") == ["images=[\"a\", \"b\"]"])
      #expect(
        try await ask("POST", "/images/h:1/a/push?tag=t") == ["image=h:1/a tag=t"])
      #expect(
        try await ask("POST", "/commit?container=a&changes=CMD+x&changes=USER+y&pause=0")
          == ["changes=[\"CMD x\", \"USER y\"] pause=false"])
      #expect(try await ask("POST", "/v1.41/volumes/prune") == ["all=[\"true\"]"])
      #expect(try await ask("POST", "/v1.42/volumes/prune") == ["all=[]"])
    }
  }

  @Test func credentialsComeInEveryFormOfBase64() async throws {
    try await DoorFixture.run { door in
      // both alphabets, with and without padding
      for header in [
        "eyJ1c2VybmFtZSI6Ij8/Pz4+PiIsInBhc3N3b3JkIjoiIn0=",
        "eyJ1c2VybmFtZSI6Ij8_Pz4-PiIsInBhc3N3b3JkIjoiIn0=",
        "eyJ1c2VybmFtZSI6Ij8/Pz4+PiIsInBhc3N3b3JkIjoiIn0",
        "eyJ1c2VybmFtZSI6Ij8_Pz4-PiIsInBhc3N3b3JkIjoiIn0",
      ] {
        let answer = try await door.send(
          "POST", "/images/create?fromImage=a&tag=b", headers: ["X-Registry-Auth: \(header)"])
        #expect(answer.status == 200)
        #expect(door.recorder.take() == ["image=a tag=b user=???>>>"])
      }
      for header in ["!!!", "bm90IGpzb24"] {
        let answer = try await door.send(
          "POST", "/images/create?fromImage=a", headers: ["X-Registry-Auth: \(header)"])
        #expect(answer.status == 400)
        #expect(answer.body.contains("X-Registry-Auth"))
      }
    }
  }
}
