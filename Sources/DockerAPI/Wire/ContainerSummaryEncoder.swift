import DockerModel
import NIOCore
import Transport

/// Encodes container lists straight to bytes: with a thousand containers Foundation's encoder would
/// take most of the time of `docker ps`.
enum ContainerSummaryEncoder {
  static func encode(_ containers: [ContainerSummary]) -> ByteBuffer {
    var json = ByteBuffer()
    json.reserveCapacity(containers.count * 1024 + 4)
    json.writeArray(containers) { $0.write($1) }
    json.writeStaticString("\n")
    return json
  }
}

extension ByteBuffer {
  fileprivate mutating func write(_ container: ContainerSummary) {
    writeStaticString("{\"Id\":")
    writeJSONString(container.id)
    writeStaticString(",\"Names\":")
    writeArray(container.names) { $0.writeJSONString($1) }
    writeStaticString(",\"Image\":")
    writeJSONString(container.image)
    writeStaticString(",\"ImageID\":")
    writeJSONString(container.imageID)
    writeStaticString(",\"Command\":")
    writeJSONString(container.command)
    writeStaticString(",\"Created\":")
    writeDecimal(container.created)
    writeStaticString(",\"Ports\":")
    writeArray(container.ports) { $0.write($1) }
    if container.sizeRw != 0 {
      writeStaticString(",\"SizeRw\":")
      writeDecimal(container.sizeRw)
    }
    if container.sizeRootFs != 0 {
      writeStaticString(",\"SizeRootFs\":")
      writeDecimal(container.sizeRootFs)
    }
    writeStaticString(",\"Labels\":")
    writeObject(container.labels) { $0.writeJSONString($1) }
    writeStaticString(",\"State\":")
    writeJSONString(container.state)
    writeStaticString(",\"Status\":")
    writeJSONString(container.status)
    writeStaticString(",\"HostConfig\":{\"NetworkMode\":")
    writeJSONString(container.hostConfig.networkMode)
    if let annotations = container.hostConfig.annotations {
      writeStaticString(",\"Annotations\":")
      writeObject(annotations) { $0.writeJSONString($1) }
    }
    writeStaticString("},\"NetworkSettings\":{\"Networks\":")
    writeObject(container.networkSettings.networks) { $0.write($1) }
    writeStaticString("},\"Mounts\":")
    writeArray(container.mounts) { $0.write($1) }
    writeStaticString("}")
  }

  private mutating func write(_ port: Port) {
    writeStaticString("{")
    if !port.ip.isEmpty {
      writeStaticString("\"IP\":")
      writeJSONString(port.ip)
      writeStaticString(",")
    }
    writeStaticString("\"PrivatePort\":")
    writeDecimal(Int64(port.privatePort))
    if port.publicPort != 0 {
      writeStaticString(",\"PublicPort\":")
      writeDecimal(Int64(port.publicPort))
    }
    writeStaticString(",\"Type\":")
    writeJSONString(port.type)
    writeStaticString("}")
  }

  /// An endpoint that was never used: that of most containers which do not run.
  private static let unused = EndpointSettings()

  private mutating func write(_ endpoint: EndpointSettings) {
    if endpoint == Self.unused {
      writeStaticString(
        """
        {"IPAMConfig":null,"Links":null,"Aliases":null,"MacAddress":"","DriverOpts":null,\
        "NetworkID":"","EndpointID":"","Gateway":"","IPAddress":"","IPPrefixLen":0,\
        "IPv6Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,"DNSNames":null}
        """)
      return
    }
    writeStaticString("{\"IPAMConfig\":")
    if let configuration = endpoint.ipamConfig { write(configuration) } else { writeNull() }
    writeStaticString(",\"Links\":")
    writeStrings(endpoint.links)
    writeStaticString(",\"Aliases\":")
    writeStrings(endpoint.aliases)
    writeMember(",\"MacAddress\":", endpoint.macAddress)
    writeStaticString(",\"DriverOpts\":")
    if let options = endpoint.driverOpts {
      writeObject(options) { $0.writeJSONString($1) }
    } else {
      writeNull()
    }
    if endpoint.gwPriority != 0 {
      writeStaticString(",\"GwPriority\":")
      writeDecimal(Int64(endpoint.gwPriority))
    }
    writeMember(",\"NetworkID\":", endpoint.networkID)
    writeMember(",\"EndpointID\":", endpoint.endpointID)
    writeMember(",\"Gateway\":", endpoint.gateway)
    writeMember(",\"IPAddress\":", endpoint.ipAddress)
    writeStaticString(",\"IPPrefixLen\":")
    writeDecimal(Int64(endpoint.ipPrefixLen))
    writeMember(",\"IPv6Gateway\":", endpoint.ipv6Gateway)
    writeMember(",\"GlobalIPv6Address\":", endpoint.globalIPv6Address)
    writeStaticString(",\"GlobalIPv6PrefixLen\":")
    writeDecimal(Int64(endpoint.globalIPv6PrefixLen))
    writeStaticString(",\"DNSNames\":")
    writeStrings(endpoint.dnsNames)
    writeStaticString("}")
  }

  private mutating func write(_ configuration: EndpointIPAMConfig) {
    writeStaticString("{")
    var isFirst = true
    func comma(_ buffer: inout ByteBuffer) {
      if !isFirst { buffer.writeStaticString(",") }
      isFirst = false
    }
    if !configuration.ipv4Address.isEmpty {
      comma(&self)
      writeMember("\"IPv4Address\":", configuration.ipv4Address)
    }
    if !configuration.ipv6Address.isEmpty {
      comma(&self)
      writeMember("\"IPv6Address\":", configuration.ipv6Address)
    }
    if let addresses = configuration.linkLocalIPs {
      comma(&self)
      writeStaticString("\"LinkLocalIPs\":")
      writeStrings(addresses)
    }
    writeStaticString("}")
  }

  private mutating func write(_ mount: MountPoint) {
    writeMember("{\"Type\":", mount.type)
    if !mount.name.isEmpty { writeMember(",\"Name\":", mount.name) }
    writeMember(",\"Source\":", mount.source)
    writeMember(",\"Destination\":", mount.destination)
    if !mount.driver.isEmpty { writeMember(",\"Driver\":", mount.driver) }
    writeMember(",\"Mode\":", mount.mode)
    writeStaticString(mount.isWritable ? ",\"RW\":true" : ",\"RW\":false")
    writeMember(",\"Propagation\":", mount.propagation)
    writeStaticString("}")
  }

  private mutating func writeMember(_ name: StaticString, _ value: String) {
    writeStaticString(name)
    writeJSONString(value)
  }

  private mutating func writeNull() { writeStaticString("null") }

  private mutating func writeStrings(_ strings: [String]?) {
    guard let strings else { return writeNull() }
    writeArray(strings) { $0.writeJSONString($1) }
  }

  fileprivate mutating func writeArray<Element>(
    _ elements: [Element], _ write: (inout ByteBuffer, Element) -> Void
  ) {
    writeStaticString("[")
    var isFirst = true
    for element in elements {
      if !isFirst { writeStaticString(",") }
      isFirst = false
      write(&self, element)
    }
    writeStaticString("]")
  }

  private mutating func writeObject<Value>(
    _ members: [String: Value], _ write: (inout ByteBuffer, Value) -> Void
  ) {
    writeStaticString("{")
    var isFirst = true
    for (name, value) in members {
      if !isFirst { writeStaticString(",") }
      isFirst = false
      writeJSONString(name)
      writeStaticString(":")
      write(&self, value)
    }
    writeStaticString("}")
  }

  private mutating func writeDecimal(_ number: Int64) { writeString(String(number)) }
}
