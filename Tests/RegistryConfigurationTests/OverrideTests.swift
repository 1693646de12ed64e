import Logging
import Testing

@testable import RegistryConfiguration

@Suite("Variables and flags over the file") struct OverrideTests {
  @Test("variables walk the keys and win over the file")
  func variables() throws {
    let read = try configuration(
      "storage: {filesystem: {rootdirectory: /a}}\nhttp: {addr: \":1\"}\n",
      environment: [
        "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/b", "REGISTRY_HTTP_ADDR": ":2",
        "REGISTRY_LOG_LEVEL": "'debug'", "REGISTRY_STORAGE_DELETE_ENABLED": "false",
        "REGISTRY_LOG_FIELDS_MY_NAME": "x", "REGISTRY_LOG_FIELDS_0": "zero",
        "REGISTRY_HTTP_HEADERS": "{X-A: [b]}", "REGISTRY_MARTLET_JOBS_CAPACITIES_POLL_MIRROR": "3",
        "HOME": "/root", "REGISTRY_AUTH_FILE": "/root/auth.json",
      ])
    #expect(read.storage.driver == .filesystem(root: "/b", threads: nil))
    #expect(read.http.address == .tcp(host: "", port: 2))
    #expect(read.log.level == .debug)
    #expect(!read.storage.allowsDeletion)
    #expect(read.log.fields == ["my_name": "x", "0": "zero"])
    #expect(read.http.headers == ["X-A": ["b"]])
    #expect(read.jobCapacities == ["poll_mirror": 3])
  }

  @Test("variables work without a file, and need no version")
  func withoutFile() throws {
    let read = try RegistryConfiguration.resolve(
      file: nil, environment: ["REGISTRY_AUTH": "none", "REGISTRY_STORAGE": "filesystem"])
    #expect(read.authentication == .none)
  }

  @Test("a section's variable takes the place of the whole section, and others go on from there")
  func sections() throws {
    let read = try configuration(
      "storage: {s3: {bucket: b-1, region: r}}\nauth: {token: {service: s}}\n",
      environment: [
        "REGISTRY_STORAGE": "filesystem", "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/b",
        "REGISTRY_AUTH": "none",
      ])
    #expect(read.storage.driver == .filesystem(root: "/b", threads: nil))
    #expect(read.authentication == .none)
  }

  @Test("lists are YAML, or changed by their numbers")
  func lists() throws {
    let text = "martlet: {store: {etcd: {endpoints: [\"http://a\", \"http://b\"]}}}\n"
    let name = "REGISTRY_MARTLET_STORE_ETCD_ENDPOINTS"
    for (environment, wanted) in [
      ([name: "[http://c]"], ["http://c"]),
      ([name + "_1": "http://c"], ["http://a", "http://c"]),
      ([name + "_2": "http://c"], ["http://a", "http://b", "http://c"]),
    ] {
      guard case .etcd(let etcd) = try configuration(text, environment: environment).store else {
        Issue.record("no etcd")
        continue
      }
      #expect(etcd.endpoints == wanted)
    }
    #expect(
      problems(text, environment: [name + "_4": "http://c"]) == [
        name + "_4: the list is not so long"
      ])
    let made = try RegistryConfiguration.resolve(file: nil, environment: [name + "_0": "http://c"])
    #expect(made.store == .etcd(.init(endpoints: ["http://c"])))
  }

  @Test("a secret needs no quotes in a variable")
  func secrets() throws {
    for text in ["a: b", "#x", "*y", "@z", "{", "- a", "'", "null", "~"] {
      let read = try configuration(
        "proxy: {remoteurl: http://a, username: u, password: p}\n",
        environment: ["REGISTRY_PROXY_PASSWORD": text])
      #expect(read.proxy?.password == text)
    }
  }

  @Test(
    "wrong variables are named",
    arguments: [
      (
        "REGISTRY_HTTP_ADR", ":1",
        "REGISTRY_HTTP_ADR: unknown variable (did you mean REGISTRY_HTTP_ADDR?)"
      ),
      ("REGISTRY_WHOLLY", "1", "REGISTRY_WHOLLY: unknown variable"),
      ("REGISTRY_", "1", "REGISTRY_: unknown variable"),
      (
        "REGISTRY_http_addr", ":1",
        "REGISTRY_http_addr: unknown variable (did you mean REGISTRY_HTTP_ADDR?)"
      ),
      (
        "REGISTRY_HTTP_ADDR_X", "1",
        "REGISTRY_HTTP_ADDR_X: unknown variable (did you mean REGISTRY_HTTP_ADDR?)"
      ),
      (
        "REGISTRY_HTTP_ADDR", "",
        "REGISTRY_HTTP_ADDR: http.addr: expected a text that is not empty, found \"\""
      ),
      (
        "REGISTRY_LOG_LEVEL", "loud",
        "REGISTRY_LOG_LEVEL: log.level: expected one of error, warn, info, debug, found \"loud\""
      ),
      (
        "REGISTRY_NOTIFICATIONS_ENDPOINTS", "x",
        "REGISTRY_NOTIFICATIONS_ENDPOINTS: notifications: it is not supported: make webhooks instead"
      ),
      (
        "REGISTRY_HTTP_HEADERS", "{",
        "REGISTRY_HTTP_HEADERS: this is no YAML: did not find expected node content"
      ),
      ("REGISTRY_PORT", "tcp://10.0.0.1:5000", "REGISTRY_PORT: unknown variable"),
    ])
  func mistakes(name: String, text: String, wanted: String) {
    #expect(problems("", environment: [name: text]) == [wanted])
  }

  @Test("what Kubernetes sets for a service of our name is nothing of ours")
  func serviceLinks() throws {
    let read = try configuration(
      "",
      environment: [
        "REGISTRY_SERVICE_HOST": "10.0.0.1", "REGISTRY_SERVICE_PORT": "5000",
        "REGISTRY_PORT": "tcp://10.0.0.1:5000", "REGISTRY_PORT_5000_TCP_ADDR": "10.0.0.1",
      ])
    #expect(read == RegistryConfiguration())
  }

  @Test("flags win over variables")
  func flags() throws {
    let listen = RegistryFlag("--listen", key: "http.addr", text: ":3")
    let auth = RegistryFlag("--auth", key: "auth", text: "none")
    let read = try configuration(
      "http: {addr: \":1\"}\nauth: {token: {service: s}}\n",
      environment: ["REGISTRY_HTTP_ADDR": ":2"], flags: [listen, auth])
    #expect(read.http.address == .tcp(host: "", port: 3))
    #expect(read.authentication == .none)
    #expect(
      problems("", flags: [RegistryFlag("--listen", key: "http.addr", text: "x")])
        == ["--listen: http.addr: expected HOST:PORT or :PORT, found \"x\""])
    #expect(
      problems(
        "storage: {s3: {bucket: b-1, region: r}}\n",
        flags: [.init("--storage-root", key: "storage.filesystem.rootdirectory", text: "/x")])
        == [
          "c.yml:2:11: storage.s3: there can only be one of filesystem, s3, and filesystem is given too"
        ])
  }
}
