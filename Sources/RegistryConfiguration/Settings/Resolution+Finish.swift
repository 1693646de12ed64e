import BlobStorage

extension Resolution {
  /// Decides what is chosen, completes it, and checks what settings have to do with one another.
  mutating func finish() {
    finishStorage()
    finishHTTP()
    finishAccess()
    finishStore()
  }

  private func isGiven(_ key: String) -> Bool { draft.given[key] != nil }

  private mutating func complain(_ key: String, _ message: String, about named: String? = nil) {
    let place = draft.given[key].map { "\($0)" } ?? key
    problems.add(message, at: place, key: named ?? key)
  }

  /// The one of these parts that is given, or the first; complains of more than one.
  private mutating func chosen(_ section: String, _ names: [String]) -> String {
    let given = names.filter { isGiven("\(section).\($0)") }
    for extra in given.dropFirst() {
      complain(
        "\(section).\(extra)",
        "there can only be one of \(names.joined(separator: ", ")), and \(given[0]) is given too")
    }
    return given.first ?? names[0]
  }

  /// Complains when one of the two is given without the other.
  private mutating func requireTogether(_ one: String, _ other: String) {
    for (present, missing) in [(one, other), (other, one)]
    where isGiven(present) && !isGiven(missing) {
      let name = missing.split(separator: ".").last ?? ""
      complain(present, "it needs \(name) beside it")
    }
  }

  private mutating func require(_ key: String, in section: String) {
    guard !isGiven(key) else { return }
    complain(section, "it is missing", about: key)
  }

  private mutating func finishStorage() {
    let driver = chosen("storage", ["filesystem", "s3"])
    guard driver == "s3" else {
      draft.configuration.storage.driver = .filesystem(
        root: draft.filesystemRoot, threads: draft.filesystemThreads)
      return
    }
    require("storage.s3.bucket", in: "storage.s3")
    require("storage.s3.region", in: "storage.s3")
    requireTogether("storage.s3.accesskey", "storage.s3.secretkey")
    if isGiven("storage.s3.sessiontoken") && !isGiven("storage.s3.accesskey") {
      complain("storage.s3.sessiontoken", "it needs accesskey and secretkey beside it")
    }
    if isGiven("storage.s3.keyid") && !draft.s3.encrypt {
      complain("storage.s3.keyid", "it is of use only where encrypt is true")
    }
    draft.s3.redirects = draft.configuration.storage.redirects
    draft.configuration.storage.driver = .s3(draft.s3)
  }

  private mutating func finishHTTP() {
    if let text = draft.address {
      if draft.isUnixSocket {
        if text.hasPrefix("/") {
          draft.configuration.http.address = .unix(path: text)
        } else {
          complain("http.addr", "expected the absolute path of a socket, found \"\(text)\"")
        }
      } else if let host = HostText(text), let port = host.port {
        draft.configuration.http.address = .tcp(host: host.host, port: port)
      } else {
        complain("http.addr", "expected HOST:PORT or :PORT, found \"\(text)\"")
      }
    } else if draft.isUnixSocket {
      complain("http.net", "it needs the path of a socket in addr")
    }
    requireTogether("http.tls.certificate", "http.tls.key")
    if isGiven("http.tls.certificate") {
      draft.configuration.http.tls = draft.tls
    } else {
      for key in ["http.tls.clientcas", "http.tls.minimumtls"] where isGiven(key) {
        complain(key, "it needs certificate and key beside it")
      }
    }
  }

  private mutating func finishAccess() {
    draft.configuration.authentication =
      chosen("auth", ["token", "none"]) == "none" ? .none : .tokens(draft.tokenService)
    guard isGiven("proxy") else { return }
    require("proxy.remoteurl", in: "proxy")
    requireTogether("proxy.username", "proxy.password")
    draft.configuration.proxy = draft.proxy
  }

  private mutating func finishStore() {
    guard chosen("martlet.store", ["sqlite", "etcd"]) == "etcd" else {
      draft.configuration.store = .sqlite(path: draft.sqlitePath)
      return
    }
    let section = "martlet.store.etcd"
    require("\(section).endpoints", in: section)
    if draft.etcd.endpoints.isEmpty && isGiven("\(section).endpoints")
      && !draft.wrong.contains("\(section).endpoints")
    {
      complain("\(section).endpoints", "there is none in it")
    }
    requireTogether("\(section).cert", "\(section).key")
    requireTogether("\(section).username", "\(section).password")
    draft.configuration.store = .etcd(draft.etcd)
  }
}
