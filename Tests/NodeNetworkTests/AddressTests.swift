import Host
import Testing

@testable import NodeNetwork

@Suite struct AddressTests {
  @Test(arguments: [
    ("10.0.0.1", "10.0.0.1"), ("255.255.255.255", "255.255.255.255"), ("::", "::"),
    ("::1", "::1"), ("fd00:0:0:1::1", "fd00:0:0:1::1"), ("FE80::0001", "fe80::1"),
    ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("::ffff:1.2.3.4", "::ffff:102:304"),
    ("1:0:0:2::", "1:0:0:2::"), ("1:0:2:0:3:0:4:5", "1:0:2:0:3:0:4:5"),
  ])
  func addressesAreReadAndWritten(_ text: String, _ canonical: String) {
    #expect(IPAddress(text)?.description == canonical)
  }

  @Test(arguments: [
    "", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.4 ", "+1.2.3.4", ":", ":::",
    "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "::1%eth0", "g::",
    "1:2:3:4:5:6:7::8",
    "::1.2.3", "-1::",
  ])
  func othersAreRefused(_ text: String) { #expect(IPAddress(text) == nil) }

  @Test func everyAddressSurvivesItsText() {
    for _ in 0..<2000 {
      let mask = UInt128.random(in: .min ... .max) & UInt128.random(in: .min ... .max)
      let six = IPAddress(value: mask & UInt128.random(in: .min ... .max), isIPv6: true)
      #expect(IPAddress(six.description) == six)
      #expect(IPAddress(bytes: six.bytes) == six)
      let four = IPAddress(value: UInt128(UInt32.random(in: .min ... .max)), isIPv6: false)
      #expect(IPAddress(four.description) == four)
    }
  }

  @Test func subnetsKnowTheirLimits() {
    let subnet = Subnet("10.1.2.3/16")
    #expect(subnet?.description == "10.1.0.0/16")
    #expect(subnet?.last == IPAddress(10, 1, 255, 255))
    #expect(Subnet("0.0.0.0/0")?.contains(IPAddress(255, 255, 255, 255)) == true)
    #expect(Subnet("::/0")?.last == IPAddress(value: .max, isIPv6: true))
    #expect(Subnet("10.0.0.0/33") == nil && Subnet("::/129") == nil && Subnet("10.0.0.0/") == nil)
  }

  /// Whatever is asked for and given back: no address is out twice, none is outside, and the pool
  /// is only said to be empty when it is.
  @Test func allocatorsNeverHandOutAnAddressTwice() throws {
    for length in [22, 26, 29, 30, 31, 32] {
      let subnet = Subnet(containing: IPAddress(10, 9, 8, 0), prefixLength: length)
      let gateway = subnet.network.advanced(by: length >= 31 ? 0 : 1)
      var allocator = AddressAllocator(subnet: subnet, reserved: [gateway])
      let room = (length >= 31 ? Int(subnet.lastOffset) + 1 : Int(subnet.lastOffset) - 1) - 1
      var out: [IPAddress] = []
      for _ in 0..<5000 {
        switch Int.random(in: 0..<5) {
        case 0, 1:
          guard let address = allocator.next() else {
            #expect(out.count == room)
            continue
          }
          #expect(!out.contains(address) && subnet.contains(address) && address != gateway)
          out.append(address)
        case 2:
          let wanted = subnet.network.advanced(by: .random(in: 0...(subnet.lastOffset + 2)))
          let isFree = !out.contains(wanted) && wanted != gateway
          do {
            try allocator.claim(wanted)
            #expect(isFree && subnet.contains(wanted))
            out.append(wanted)
          } catch {
            #expect(!isFree || error == .outside)
          }
        default:
          guard !out.isEmpty else { continue }
          allocator.release(out.remove(at: .random(in: 0..<out.count)))
        }
      }
    }
  }

  @Test func releasedAddressesRest() throws {
    var allocator = AddressAllocator(subnet: try #require(Subnet("10.0.0.0/29")))
    let taken = allocator.next()
    let first = try #require(taken)
    allocator.release(first)
    let others = (0..<5).compactMap { _ in allocator.next() }
    #expect(others.count == 5 && !others.contains(first))
    let again = allocator.next()
    #expect(again == first)
  }

  @Test func automaticSubnetsKeepClear() {
    let pools = NodeNetworkConfiguration.AddressPool.defaults
    var taken = [Subnet("172.17.0.0/16"), Subnet("172.18.5.0/24"), Subnet("0.0.0.0/32")]
      .compactMap { $0 }
    var count = 0
    while let next = SubnetAllocator.next(from: pools, isIPv6: false, avoiding: taken) {
      #expect(!taken.contains { $0.overlaps(next) })
      taken.append(next)
      count += 1
    }
    #expect(count == 13 + 16)
    #expect(
      SubnetAllocator.uniqueLocal(from: "0123456789abcdef").description
        == "fd01:2345:6789:abcd::/64")
  }

  @Test func hardwareAddressesAreChecked() {
    #expect(HardwareAddress(for: IPAddress(172, 17, 0, 2)).description == "02:42:ac:11:00:02")
    #expect(HardwareAddress("02-42-AC-11-00-02")?.description == "02:42:ac:11:00:02")
    for text in [
      "", "02:42:ac:11:00", "03:42:ac:11:00:02", "00:00:00:00:00:00", "2:42:ac:11:00:02",
    ] { #expect(HardwareAddress(text) == nil) }
  }

  @Test(arguments: [
    (
      IPAMConfiguration(subnet: "10.0.0.1/24"),
      "invalid subnet 10.0.0.1/24: it should be 10.0.0.0/24"
    ),
    (IPAMConfiguration(subnet: "nonsense"), "invalid subnet nonsense: invalid CIDR block notation"),
    (IPAMConfiguration(gateway: "10.0.0.1"), "no subnet specified"),
    (
      IPAMConfiguration(subnet: "10.0.0.0/24", gateway: "10.0.1.1"),
      "parent subnet 10.0.0.0/24 doesn't contain this address"
    ),
    (
      IPAMConfiguration(subnet: "10.0.0.0/24", range: "10.0.0.0/16"),
      "CIDR block is bigger than its parent subnet 10.0.0.0/24"
    ),
    (
      IPAMConfiguration(subnet: "10.0.0.0/24", auxiliaryAddresses: ["a": "fd00::1"]),
      "parent subnet is an IPv4 block"
    ),
  ])
  func badSubnetsAreNamed(_ configuration: IPAMConfiguration, _ ending: String) async {
    await expectFailure(ending) {
      var specification = NetworkSpecification(name: "net")
      specification.ipam = [configuration]
      return try planner.plan(specification, id: Identifier.random(), now: 0)
    }
  }

  @Test func plansAreCheckedAgainstWhatThereIs() async throws {
    var specification = NetworkSpecification(name: "taken")
    specification.ipam = [IPAMConfiguration(subnet: "10.7.0.0/24")]
    let first = try planner.plan(specification, id: "0123456789abcdef", now: 0).record
    #expect(first.ipam == [IPAMConfiguration(subnet: "10.7.0.0/24", gateway: "10.7.0.1")])
    #expect(first.interface == "mt-0123456789ab")
    let second = NetworkPlanner(
      configuration: NodeNetworkConfiguration(executionRoot: "/x"), existing: [first],
      hostSubnets: [])
    await expectFailure("network with name taken already exists") {
      try second.plan(specification, id: "1", now: 0)
    }
    specification.name = "other"
    await expectFailure("Pool overlaps with other one on this address space") {
      try second.plan(specification, id: "1", now: 0)
    }
    var lan = NetworkSpecification(name: "lan")
    lan.driver = "macvlan"
    lan.options = ["parent": "eth7"]
    let third = NetworkPlanner(
      configuration: second.configuration, existing: [try second.plan(lan, id: "1", now: 0).record],
      hostSubnets: [])
    lan.name = "lan2"
    await expectFailure("network lan is already using parent interface eth7") {
      try third.plan(lan, id: "2", now: 0)
    }
    for name in ["", "-x", "a b", "a/b", "ä"] {
      specification.name = name
      #expect(throws: NodeNetworkError.self) {
        try second.plan(specification, id: "1", now: 0)
      }
    }
  }

  private var planner: NetworkPlanner {
    NetworkPlanner(
      configuration: NodeNetworkConfiguration(executionRoot: "/x"), existing: [], hostSubnets: [])
  }
}
