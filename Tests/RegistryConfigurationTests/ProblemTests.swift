import Testing

@testable import RegistryConfiguration

@Suite("What is wrong with a registry's configuration") struct ProblemTests {
  @Test(
    "each mistake is named with its place",
    arguments: [
      (
        "storage: {filesystem: {rootdir: /x}}",
        "c.yml:2:24: storage.filesystem.rootdir: unknown key (did you mean rootdirectory?)"
      ),
      ("http:\n  Addr: :5000", "c.yml:3:3: http.Addr: unknown key (did you mean addr?)"),
      ("wholly: 1", "c.yml:2:1: wholly: unknown key"),
      ("loglevel: debug", "c.yml:2:1: loglevel: it is not supported: it is log.level"),
      (
        "notifications:\n  endpoints: []",
        "c.yml:2:1: notifications: it is not supported: make webhooks instead"
      ),
      (
        "log: {level: loud}",
        "c.yml:2:14: log.level: expected one of error, warn, info, debug, found \"loud\""
      ),
      (
        "log: {formatter: logstash}",
        "c.yml:2:18: log.formatter: expected one of text, json, found \"logstash\""
      ),
      ("log: {fields: [a]}", "c.yml:2:15: log.fields: expected a mapping, found a list"),
      ("log: {fields: {a: {}}}", "c.yml:2:19: log.fields.a: expected a text, found a mapping"),
      ("log: true", "c.yml:2:6: log: expected a mapping, found \"true\""),
      (
        "storage: {delete: {enabled: \"true\"}}",
        "c.yml:2:29: storage.delete.enabled: expected true or false, found \"true\""
      ),
      (
        "storage: {delete: {enabled: maybe}}",
        "c.yml:2:29: storage.delete.enabled: expected true or false, found \"maybe\""
      ),
      (
        "storage: {filesystem: {rootdirectory: a/b}}",
        "c.yml:2:39: storage.filesystem.rootdirectory: expected an absolute path, found \"a/b\""
      ),
      (
        "storage: {filesystem: {maxthreads: 0}}",
        "c.yml:2:36: storage.filesystem.maxthreads: expected a whole number from 1 to 1024, "
          + "found \"0\""
      ),
      (
        "storage: {azure: {accountname: a}}",
        "c.yml:2:11: storage.azure: it is not supported: only filesystem and s3 are supported"
      ),
      (
        "storage: {cache: {blobdescriptor: redis}}",
        "c.yml:2:35: storage.cache.blobdescriptor: expected one of inmemory, found \"redis\""
      ),
      (
        "storage: {maintenance: {uploadpurging: {age: 7}}}",
        "c.yml:2:46: storage.maintenance.uploadpurging.age: expected a duration from 1m0s on, "
          + "such as 90s, 10m or 168h, found \"7\""
      ),
      (
        "storage: {s3: {bucket: b-1, region: r, v4auth: false}}",
        "c.yml:2:48: storage.s3.v4auth: it can only be true: requests are always signed in "
          + "version 4"
      ),
      (
        "storage: {s3: {bucket: b-1, region: r, chunksize: 1024}}",
        "c.yml:2:51: storage.s3.chunksize: expected a size from 5242880 to 5368709120 bytes, "
          + "such as 67108864 or 64m, found \"1024\""
      ),
      ("storage: {s3: {region: r}}", "c.yml:2:11: storage.s3.bucket: it is missing"),
      ("storage: {s3: {bucket: b-1}}", "c.yml:2:11: storage.s3.region: it is missing"),
      (
        "storage: {s3: {bucket: b-1, region: r, accesskey: a}}",
        "c.yml:2:51: storage.s3.accesskey: it needs secretkey beside it"
      ),
      (
        "storage: {s3: {bucket: B, region: r}}",
        "c.yml:2:24: storage.s3.bucket: expected a bucket's name: 3 to 63 of a-z, 0-9, - and ., "
          + "found \"B\""
      ),
      (
        "storage: {filesystem: {}, s3: {bucket: b-1, region: r}}",
        "c.yml:2:27: storage.s3: there can only be one of filesystem, s3, and filesystem is "
          + "given too"
      ),
      (
        "http: {addr: 5000}",
        "c.yml:2:14: http.addr: expected HOST:PORT or :PORT, found \"5000\""
      ),
      (
        "http: {addr: \"a:65536\"}",
        "c.yml:2:14: http.addr: expected HOST:PORT or :PORT, found \"a:65536\""
      ),
      ("http: {net: unix}", "c.yml:2:13: http.net: it needs the path of a socket in addr"),
      (
        "http: {net: unix, addr: a:1}",
        "c.yml:2:25: http.addr: expected the absolute path of a socket, found \"a:1\""
      ),
      (
        "http: {host: images.example.com}",
        "c.yml:2:14: http.host: expected a URL such as https://example.com:5000, found "
          + "\"images.example.com\""
      ),
      (
        "http: {headers: {\"a b\": [c]}}",
        "c.yml:2:18: http.headers.a b: expected the name of a header that answers may carry"
      ),
      (
        "http: {headers: {Content-Length: [\"1\"]}}",
        "c.yml:2:18: http.headers.Content-Length: expected the name of a header that answers may "
          + "carry"
      ),
      ("http: {headers: {X-A: b}}", "c.yml:2:23: http.headers.X-A: expected a list, found \"b\""),
      (
        "http: {tls: {certificate: /c}}",
        "c.yml:2:27: http.tls.certificate: it needs key beside it"
      ),
      (
        "http: {tls: {clientcas: [/c]}}",
        "c.yml:2:25: http.tls.clientcas: it needs certificate and key beside it"
      ),
      (
        "http: {tls: {certificate: /c, key: /k, minimumtls: tls1.0}}",
        "c.yml:2:52: http.tls.minimumtls: expected one of tls1.2, tls1.3, found \"tls1.0\""
      ),
      (
        "auth: {htpasswd: {realm: r, path: /p}}",
        "c.yml:2:8: auth.htpasswd: it is not supported: accounts are kept by the registry itself; "
          + "make them there"
      ),
      ("auth: everybody", "c.yml:2:7: auth.everybody: unknown key"),
      (
        "auth: {none: {}, token: {}}",
        "c.yml:2:8: auth.none: there can only be one of token, none, and token is given too"
      ),
      ("proxy: {ttl: 1h}", "c.yml:2:1: proxy.remoteurl: it is missing"),
      (
        "proxy: {remoteurl: https://a/b}",
        "c.yml:2:20: proxy.remoteurl: expected a URL such as https://example.com:5000, found "
          + "\"https://a/b\""
      ),
      (
        "martlet: {store: {etcd: {}}}",
        "c.yml:2:19: martlet.store.etcd.endpoints: it is missing"
      ),
      (
        "martlet: {store: {etcd: {endpoints: []}}}",
        "c.yml:2:37: martlet.store.etcd.endpoints: there is none in it"
      ),
      (
        "martlet: {store: {etcd: {endpoints: [\"a:2379\"]}}}",
        "c.yml:2:38: martlet.store.etcd.endpoints: expected a URL such as "
          + "https://example.com:5000, found \"a:2379\""
      ),
      (
        "martlet: {admin: {username: A}}",
        "c.yml:2:29: martlet.admin.username: expected an account's name: a-z, 0-9 with single . "
          + "_ - between, found \"A\""
      ),
      (
        "martlet: {jobs: {capacities: {GC: 1}}}",
        "c.yml:2:31: martlet.jobs.capacities.GC: expected the name of an action, such as gc or "
          + "poll_mirror"
      ),
      (
        "martlet: {garbagecollection: {schedule: daily}}",
        "c.yml:2:41: martlet.garbagecollection.schedule: expected a schedule of six fields "
          + "(second minute hour day month weekday), such as \"0 0 3 * * *\", found \"daily\""
      ),
      ("log: &a {}\nhttp: *a", "c.yml:3:7: aliases are not taken: write the value of *a out"),
      ("log: {}\nlog: {}", "c.yml:3:1: the key \"log\" is given twice, first in line 2"),
      ("log: {level: !!int 5}", "c.yml:2:14: tags other than !!str are not taken"),
      ("? [a]\n: b", "c.yml:2:3: a key was expected: a text"),
      ("---\nlog: {}", "c.yml:2:1: there is a second document"),
      ("log: {level: debug", "c.yml:3:1: this is no YAML: did not find expected ',' or '}'"),
      (
        "log:\n\tlevel: debug",
        "c.yml:3:1: this is no YAML: found character that cannot start any token"
      ),
    ])
  func mistakes(text: String, wanted: String) {
    #expect(problems(text) == [wanted])
  }

  @Test("everything wrong is told at once, in the order of the file")
  func atOnce() {
    let found = problems("log: {level: x}\nstorge: {}\nhttp: {addr: 1, relativeurls: 2}\n")
    #expect(
      found.map { $0.prefix { $0 != " " } }
        == ["c.yml:2:14:", "c.yml:3:1:", "c.yml:4:31:", "c.yml:4:14:"])
  }

  @Test("the version is asked for, and others are refused")
  func version() {
    func problem(_ text: String) -> String? {
      let file = RegistryConfigurationFile(path: "c.yml", contents: Array(text.utf8))
      do {
        _ = try RegistryConfiguration.resolve(file: file)
        return nil
      } catch { return "\(error)" }
    }
    #expect(problem("log: {}\n") == "c.yml:1:1: version: it is missing; write version: 0.1")
    #expect(problem("version: 0.2\n") == "c.yml:1:10: version: expected one of 0.1, found \"0.2\"")
    #expect(problem("version:\n") == "c.yml:1:9: version: expected a text, found nothing")
    #expect(problem("- a\n") == "c.yml:1:1: expected a mapping, found a list")
    #expect(
      problem("version: 0.1\na: \u{1}")
        == "c.yml:2:4: this is no YAML: control characters are not allowed")
  }

  @Test("no message shows a secret")
  func secrets() {
    let text = """
      storage: {s3: {bucket: b-1, region: r, accesskey: [hunter2], secretkey: {hunter2: 1}}}
      proxy: {remoteurl: http://a, username: u, password: [hunter2]}
      """
    let found = problems(text)
    #expect(found.count == 3)
    #expect(!found.joined().contains("hunter2"))
  }

  @Test("a file that cannot be read is named")
  func unreadable() {
    for (path, reason) in [("/nowhere/c.yml", "there is no such file"), ("/", "cannot be read")] {
      let error = #expect(throws: RegistryConfigurationError.self) {
        try RegistryConfiguration.load(file: path, environment: [:])
      }
      #expect(error?.code == .unreadable)
      #expect(error?.description.hasPrefix("\(path): ") == true)
      #expect(error?.description.contains(reason) == true)
    }
  }

  @Test("the usual file may be missing; one that a variable names may not")
  func namedByVariable() {
    #expect(
      RegistryConfiguration.file(named: nil, environment: [:])
        == (RegistryConfiguration.defaultFile, false))
    #expect(throws: RegistryConfigurationError.self) {
      try RegistryConfiguration.load(
        file: nil, environment: ["REGISTRY_CONFIGURATION_PATH": "/nowhere/c.yml"])
    }
  }
}
