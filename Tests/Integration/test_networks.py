"""Networks: bridges, addresses, name service, published ports, isolation, IPv6, macvlan."""

import ipaddress
import os
import re
import socket
import subprocess
import sys
import threading

import pytest

from conftest import free_port
from engine import IS_PEER, eventually, table_of


def endpoint(engine, name, network="bridge") -> dict:
    return engine.inspect(name)["NetworkSettings"]["Networks"][network]


def address(engine, name, network="bridge") -> str:
    return endpoint(engine, name, network)["IPAddress"]


def idle(engine, name, *arguments):
    engine.docker("run", "-d", "--init", "--name", name, *arguments, "busybox", "sleep", "600")
    return name


def web(engine, name, *arguments, text="hello", port=80):
    """A container that answers HTTP with a text."""
    engine.docker("run", "-d", "--init", "--name", name, *arguments, "busybox", "sh", "-c",
                  f"mkdir /www; echo {text} > /www/index.html; httpd -f -v -p {port} -h /www")
    eventually(lambda: engine.docker("exec", name, "wget", "-qO-", f"http://127.0.0.1:{port}/",
                                     check=False).returncode == 0)
    return name


def reaches(engine, name, target, port=80, timeout=2) -> bool:
    return engine.docker("exec", name, "timeout", timeout, "wget", "-qO-", f"http://{target}:{port}/",
                         check=False).returncode == 0


def fetch(host, port, timeout=3) -> bytes | None:
    try:
        with socket.create_connection((host, port), timeout) as connection:
            connection.settimeout(timeout)
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            data = b""
            while more := connection.recv(65536):
                data += more
            return data
    except OSError:
        return None


# Definitions


def test_built_in_networks(engine):
    networks = {n["Name"]: n for n in engine.get("/networks")}
    assert set(networks) == {"bridge", "host", "none"}
    assert networks["bridge"]["Driver"] == "bridge" and networks["host"]["Driver"] == "host"
    assert networks["none"]["Driver"] == "null"
    assert networks["bridge"]["IPAM"]["Config"][0]["Subnet"] == "10.199.0.0/24"
    assert networks["bridge"]["IPAM"]["Config"][0]["Gateway"] == "10.199.0.1"
    assert networks["bridge"]["Options"]["com.docker.network.bridge.default_bridge"] == "true"
    for name in networks:
        message = engine.fails("network", "rm", name)
        assert "pre-defined" in message


def test_create_inspect_remove(engine, name):
    identifier = engine.out("network", "create", "--subnet", "10.199.4.0/24", "--gateway", "10.199.4.9",
                            "--ip-range", "10.199.4.128/25", "--label", "a=b", "--opt",
                            "com.docker.network.driver.mtu=1400", name)
    detail = engine.get(f"/networks/{name}")
    assert detail["Id"] == identifier and len(identifier) == 64
    assert detail["Driver"] == "bridge" and detail["Scope"] == "local"
    assert detail["IPAM"]["Config"] == [{"Subnet": "10.199.4.0/24", "IPRange": "10.199.4.128/25",
                                         "Gateway": "10.199.4.9"}]
    assert detail["Labels"] == {"a": "b"} and detail["Internal"] is False
    assert detail["Options"]["com.docker.network.driver.mtu"] == "1400"
    assert detail["Containers"] == {} and detail["EnableIPv6"] is False
    assert detail["Attachable"] is False and detail["Ingress"] is False and detail["Created"]
    container = idle(engine, name, "--network", name)
    assert address(engine, container, name).startswith("10.199.4.1")
    assert int(address(engine, container, name).split(".")[3]) >= 128
    assert engine.out("exec", container, "cat", "/sys/class/net/eth0/mtu") == "1400"
    assert "default via 10.199.4.9" in engine.out("exec", container, "ip", "route")
    members = engine.get(f"/networks/{name}")["Containers"]
    (member,) = members.values()
    assert member["Name"] == container and member["IPv4Address"].endswith("/24")
    message = engine.fails("network", "rm", name)
    assert "has active endpoints" in message
    engine.docker("rm", "-f", container)
    engine.docker("network", "rm", name)
    assert engine.request("GET", f"/networks/{name}").status == 404


def test_pool_addresses(engine, name):
    for number in range(3):
        engine.docker("network", "create", f"{name}-{number}")
    subnets = [ipaddress.ip_network(engine.get(f"/networks/{name}-{n}")["IPAM"]["Config"][0]["Subnet"])
               for n in range(3)]
    assert all(s.prefixlen == 26 and s.subnet_of(ipaddress.ip_network("10.199.8.0/21"))
               for s in subnets)
    assert len(set(subnets)) == 3


def test_exhausted_pool(engine, name):
    engine.docker("network", "create", "--subnet", "10.199.5.0/30", name)
    idle(engine, name + "a", "--network", name)
    message = engine.fails("run", "--rm", "--network", name, "busybox", "true")
    assert "no available IPv4 addresses" in message


@pytest.mark.parametrize("arguments, hint", [
    (["--subnet", "10.199.0.0/24"], "overlap|in use"),
    (["--subnet", "10.199.6.0/24", "--gateway", "10.200.0.1"], "gateway|Gateway|subnet|no matching"),
    (["--subnet", "nonsense"], "nonsense|nvalid"),
    (["--subnet", "10.199.6.0/99"], "nvalid"),
    (["--driver", "no-such-driver"], "no-such-driver"),
    (["--ip-range", "10.199.7.0/25"], "no matching subnet|subnet"),
    (["--opt", "com.docker.network.driver.mtu=lots"], "lots|mtu|nvalid"),
])
def test_create_refusals(engine, name, arguments, hint):
    message = engine.fails("network", "create", *arguments, name)
    assert re.search(hint, message), message
    assert len(engine.get("/networks")) == 3


def test_names_are_unique(engine, name):
    engine.docker("network", "create", name)
    message = engine.fails("network", "create", name)
    assert f"network with name {name} already exists" in message
    reply = engine.request("POST", "/networks/create", {"Name": "bridge", "CheckDuplicate": True})
    assert reply.status in (403, 409)
    assert engine.request("POST", "/networks/create", {"Name": ""}).status in (400, 500)


def test_list_filters(engine, name):
    engine.docker("network", "create", "--label", "x=1", name)
    identifier = engine.get(f"/networks/{name}")["Id"]

    def names(*filters):
        words = [w for f in filters for w in ("--filter", f)]
        return set(engine.out("network", "ls", "--format", "{{.Name}}", *words).split())

    assert names("driver=bridge") == {"bridge", name}
    assert names("type=custom") == {name} and names("type=builtin") == {"bridge", "host", "none"}
    assert names(f"name={name}") == {name} and names("label=x=1") == {name} and names("label=y") == set()
    assert names(f"id={identifier[:10]}") == {name}
    assert names("scope=local") == {"bridge", "host", "none", name}
    assert names("dangling=true") == {name}
    assert engine.request("GET", '/networks?filters={"no":["x"]}').status == 400


def test_prune(engine, name):
    engine.docker("network", "create", name + "-used")
    engine.docker("network", "create", name + "-idle")
    idle(engine, name, "--network", name + "-used")
    assert engine.request("POST", "/networks/prune").json()["NetworksDeleted"] == [name + "-idle"]


# Reaching one another


def test_default_bridge(engine, name):
    first, second = web(engine, name + "a"), idle(engine, name + "b")
    assert reaches(engine, second, address(engine, first))
    detail = endpoint(engine, first)
    assert detail["Gateway"] == "10.199.0.1" and detail["IPPrefixLen"] == 24
    mac = engine.out("exec", first, "cat", "/sys/class/net/eth0/address")
    assert mac == detail["MacAddress"]
    assert fetch(address(engine, first), 80)


def test_addresses_are_given_back(engine, name):
    for _ in range(3):
        idle(engine, name)
        last = address(engine, name)
        engine.docker("rm", "-f", name)
    assert ipaddress.ip_address(last) in ipaddress.ip_network("10.199.0.0/24")


def test_name_service(engine, name):
    engine.docker("network", "create", name)
    first = idle(engine, name + "a", "--network", name, "--network-alias", "friend", "-h", "hosty")
    second = idle(engine, name + "b", "--network", name, "--network-alias", "friend")
    target = address(engine, first, name)
    assert "nameserver 127.0.0.11" in engine.out("exec", second, "cat", "/etc/resolv.conf")

    def look_up(text):
        seen = engine.docker("exec", second, "nslookup", text, check=False)
        return re.findall(r"Address:\s+([\d.]+)$", seen.stdout, re.M), seen.stdout

    short = engine.inspect(first)["Id"][:12]
    for text in (first, short, first.upper(), first + "."):
        assert target in look_up(text)[0], text
    assert set(look_up("friend")[0]) >= {target, address(engine, second, name)}
    assert f"{first}.{name}" in look_up(target)[1]
    missing = engine.docker("exec", second, "nslookup", "no-such-name.invalid", check=False)
    assert missing.returncode != 0
    assert engine.docker("exec", second, "ping", "-c", "1", "-W", "2", first).returncode == 0


def test_name_service_follows_changes(engine, name):
    engine.docker("network", "create", name)
    asker = idle(engine, name + "q", "--network", name)

    def known(text):
        return engine.docker("exec", asker, "ping", "-c", "1", "-W", "1", text, check=False).returncode == 0

    idle(engine, name + "a", "--network", name)
    assert known(name + "a")
    engine.docker("rename", name + "a", name + "b")
    assert known(name + "b")
    engine.docker("stop", "-t", "5", name + "b")
    assert not known(name + "b")
    engine.docker("start", name + "b")
    assert known(name + "b")
    engine.docker("rm", "-f", name + "b")
    assert not known(name + "b")


def test_name_service_is_per_network(engine, name):
    engine.docker("network", "create", name + "1")
    engine.docker("network", "create", name + "2")
    idle(engine, name + "a", "--network", name + "1")
    idle(engine, name + "b", "--network", name + "2")
    assert engine.docker("exec", name + "b", "nslookup", name + "a", check=False).returncode != 0


class TinyNameServer(threading.Thread):
    """Answers every question for an A record with 192.0.2.77, on any address of the host."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        self.questions = []

    def run(self):
        while True:
            try:
                data, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            end = data.index(b"\0", 12) + 5
            question = data[12:end]
            self.questions.append(question)
            is_a = question[-4:-2] == b"\0\x01"
            head = data[:2] + b"\x81\x80\0\x01" + (b"\0\x01" if is_a else b"\0\0") + b"\0\0\0\0"
            record = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x4d" if is_a else b""
            self.socket.sendto(head + question + record, peer)


def test_name_service_forwards_the_rest(engine, name):
    engine.docker("network", "create", "--subnet", "10.199.4.0/24", name)
    server = TinyNameServer("10.199.4.1")
    server.start()
    try:
        seen = engine.out("run", "--rm", "--network", name, "--dns", "10.199.4.1", "busybox", "nslookup",
                          "somewhere.example.test")
    finally:
        server.socket.close()
    assert "192.0.2.77" in seen
    assert any(b"somewhere" in question for question in server.questions)


def test_static_address(engine, name):
    engine.docker("network", "create", "--subnet", "10.199.4.0/24", name)
    idle(engine, name + "a", "--network", name, "--ip", "10.199.4.77")
    assert address(engine, name + "a", name) == "10.199.4.77"
    assert "10.199.4.77/24" in engine.out("exec", name + "a", "ip", "addr")
    message = engine.fails("run", "--rm", "--network", name, "--ip", "10.199.4.77", "busybox", "true")
    assert "in use" in message
    message = engine.fails("run", "--rm", "--network", name, "--ip", "10.1.1.1", "busybox", "true")
    assert re.search("subnet|configured", message)
    message = engine.fails("run", "--rm", "--ip", "10.199.0.77", "busybox", "true")
    assert "user" in message and "networks only" in message
    engine.docker("restart", "-t", "5", name + "a")
    assert address(engine, name + "a", name) == "10.199.4.77"


def test_connect_and_disconnect_while_running(engine, name):
    engine.docker("network", "create", name)
    container, other = idle(engine, name + "a"), web(engine, name + "b", "--network", name)
    assert not reaches(engine, container, address(engine, other, name))
    engine.docker("network", "connect", "--alias", "nick", name, container)
    assert "eth1" in engine.out("exec", container, "ls", "/sys/class/net")
    assert reaches(engine, container, other)
    assert "nick" in endpoint(engine, container, name)["Aliases"]
    assert engine.docker("exec", other, "ping", "-c", "1", "nick").returncode == 0
    message = engine.fails("network", "connect", name, container)
    assert "already" in message
    engine.docker("network", "disconnect", name, container)
    assert "eth1" not in engine.out("exec", container, "ls", "/sys/class/net")
    assert name not in engine.inspect(container)["NetworkSettings"]["Networks"]
    message = engine.fails("network", "disconnect", name, container)
    assert "not connected" in message
    engine.docker("network", "disconnect", "bridge", container)
    assert engine.docker("exec", container, "ip", "route").stdout == ""


def test_connect_with_an_address(engine, name):
    engine.docker("network", "create", "--subnet", "10.199.4.0/24", name)
    container = idle(engine, name)
    engine.docker("network", "connect", "--ip", "10.199.4.50", name, container)
    assert "10.199.4.50/24" in engine.out("exec", container, "ip", "addr")


def test_connect_before_the_start(engine, name):
    engine.docker("network", "create", name)
    engine.docker("create", "--init", "--name", name, "busybox", "sleep", "600")
    engine.docker("network", "connect", name, name)
    engine.docker("start", name)
    assert set(engine.inspect(name)["NetworkSettings"]["Networks"]) == {"bridge", name}
    links = engine.out("exec", name, "ls", "/sys/class/net").split()
    assert "eth0" in links and "eth1" in links


def test_connect_refusals(engine, sleeper, name):
    assert engine.request("POST", "/networks/none-such/connect", {"Container": sleeper}).status == 404
    engine.docker("network", "create", name + "n")
    reply = engine.request("POST", f"/networks/{name}n/connect", {"Container": "nobody"})
    assert reply.status == 404
    message = engine.fails("network", "connect", "host", sleeper)
    assert "host" in message


def test_container_on_an_unknown_network(engine, name):
    message = engine.fails("run", "--name", name, "--network", "no-such-net", "busybox", "true")
    assert "network no-such-net not found" in message


def test_isolation_between_bridges(engine, name):
    engine.docker("network", "create", name + "1")
    engine.docker("network", "create", name + "2")
    server = web(engine, name + "a", "--network", name + "1")
    client = idle(engine, name + "b", "--network", name + "2")
    lone = idle(engine, name + "c")
    target = address(engine, server, name + "1")
    assert not reaches(engine, client, target, timeout=1)
    assert not reaches(engine, lone, target, timeout=1)
    engine.docker("network", "connect", name + "2", server)
    assert reaches(engine, client, server)


def test_published_is_reachable_from_another_bridge_and_the_rest_is_not(engine, name):
    engine.docker("network", "create", name)
    public = free_port()
    server = web(engine, name + "a", "-p", f"{public}:80")
    client = idle(engine, name + "b", "--network", name)
    gateway = endpoint(engine, client, name)["Gateway"]
    assert reaches(engine, client, gateway, public)
    assert not reaches(engine, client, address(engine, server), 80, timeout=1)


def test_internal_network(engine, name):
    engine.docker("network", "create", "--internal", name)
    server = web(engine, name + "a", "--network", name)
    client = idle(engine, name + "b", "--network", name)
    assert reaches(engine, client, server)
    if not IS_PEER:
        assert "default" not in engine.out("exec", client, "ip", "route")
    outside = web(engine, name + "c")
    assert not reaches(engine, client, address(engine, outside), timeout=1)


@pytest.fixture
def outside():
    """A machine beside this one: a network namespace joined by a veth pair."""
    import uuid

    tag = uuid.uuid4().hex[:6]
    namespace, here, there = f"mt{tag}", f"mth{tag}", f"mtt{tag}"

    def ip(*words):
        subprocess.run(["ip", *words], check=True, capture_output=True)

    ip("netns", "add", namespace)
    try:
        ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", namespace)
        ip("addr", "add", "10.196.77.1/24", "dev", here)
        ip("link", "set", here, "up")
        ip("-n", namespace, "addr", "add", "10.196.77.2/24", "dev", there)
        ip("-n", namespace, "link", "set", there, "up")
        ip("-n", namespace, "link", "set", "lo", "up")
        ip("-n", namespace, "route", "add", "default", "via", "10.196.77.1")
        yield lambda *command: subprocess.run(
            ["ip", "netns", "exec", namespace, *map(str, command)], capture_output=True, text=True)
    finally:
        subprocess.run(["ip", "link", "del", here], capture_output=True)
        subprocess.run(["ip", "netns", "del", namespace], capture_output=True)


def test_containers_reach_outside_through_the_hosts_address(engine, name, outside):
    """Source addresses are translated on the way out."""
    client = idle(engine, name)
    # A listener on the other machine that tells who called.
    code = ("import socket;s=socket.socket();s.setsockopt(1,2,1);s.bind(('10.196.77.2',8088));s.listen();"
            "c,p=s.accept();c.sendall(p[0].encode());c.close()")
    thread = threading.Thread(target=lambda: outside(sys.executable, "-c", code))
    thread.start()
    seen = eventually(lambda: engine.docker("exec", client, "nc", "-w", "2", "10.196.77.2", "8088",
                                            check=False).stdout)
    thread.join(10)
    assert seen == "10.196.77.1"


# Published ports


def test_publish_reachable_from_everywhere(engine, name, outside):
    public = free_port()
    server = web(engine, name, "-p", f"{public}:80")
    other = idle(engine, name + "b")
    assert b"hello" in eventually(lambda: fetch("127.0.0.1", public))
    assert b"hello" in fetch("10.196.77.1", public)
    assert b"hello" in fetch("10.199.0.1", public)
    assert "hello" in outside("timeout", "3", "busybox", "wget", "-qO-", f"http://10.196.77.1:{public}/").stdout
    assert reaches(engine, other, "10.199.0.1", public)
    assert reaches(engine, server, "10.199.0.1", public)  # back to itself, through the host
    ports = engine.inspect(name)["NetworkSettings"]["Ports"]
    assert {"HostIp": "0.0.0.0", "HostPort": str(public)} in ports["80/tcp"]
    assert f"0.0.0.0:{public}" in engine.out("port", name, "80")


def test_published_port_goes_with_the_container(engine, name):
    public = free_port()
    web(engine, name, "-p", f"{public}:80")
    assert eventually(lambda: fetch("127.0.0.1", public))
    engine.docker("stop", "-t", "5", name)
    assert fetch("127.0.0.1", public) is None
    engine.docker("start", name)
    assert eventually(lambda: fetch("127.0.0.1", public))
    engine.docker("rm", "-f", name)
    assert fetch("127.0.0.1", public) is None


def test_publish_on_one_address(engine, name, outside):
    public = free_port()
    web(engine, name, "-p", f"127.0.0.1:{public}:80")
    assert eventually(lambda: fetch("127.0.0.1", public))
    assert fetch("10.196.77.1", public, 1) is None
    seen = outside("timeout", "2", "busybox", "wget", "-qO-", f"http://10.196.77.1:{public}/")
    assert seen.returncode != 0


def test_publish_on_loopback_is_not_reachable_by_routing(engine, name, outside):
    """A neighbour that routes the container's or the loopback address here gets nothing."""
    public = free_port()
    web(engine, name, "-p", f"127.0.0.1:{public}:80")
    seen = outside("timeout", "1", "busybox", "wget", "-qO-", f"http://127.0.0.1:{public}/")
    assert seen.returncode != 0


@pytest.mark.newer_than_peer
def test_unpublished_ports_are_closed_to_neighbours(engine, name, outside):
    web(engine, name)
    seen = outside("timeout", "1", "busybox", "wget", "-qO-", f"http://{address(engine, name)}/")
    assert seen.returncode != 0


def test_random_ports(engine, name):
    web(engine, name, "-p", "80", "-p", "127.0.0.1::8080")
    ports = engine.inspect(name)["NetworkSettings"]["Ports"]
    first = int(ports["80/tcp"][0]["HostPort"])
    assert eventually(lambda: fetch("127.0.0.1", first))
    assert int(ports["8080/tcp"][0]["HostPort"]) != first
    assert ports["8080/tcp"][0]["HostIp"] == "127.0.0.1"


def test_publish_all(engine, name):
    web(engine, name, "-P", "--expose", "80", "--expose", "81/udp")
    ports = engine.inspect(name)["NetworkSettings"]["Ports"]
    assert ports["80/tcp"][0]["HostPort"] and ports["81/udp"][0]["HostPort"]
    assert eventually(lambda: fetch("127.0.0.1", int(ports["80/tcp"][0]["HostPort"])))


def test_exposed_but_not_published(engine, name):
    idle(engine, name, "--expose", "80")
    assert engine.inspect(name)["NetworkSettings"]["Ports"] == {"80/tcp": None}


def test_port_range(engine, name):
    base = 41200
    engine.docker("run", "-d", "--init", "--name", name, "-p", f"127.0.0.1:{base}-{base + 2}:7000-7002",
                  "busybox", "sh", "-c", "mkdir /w; echo x > /w/index.html; for p in 7000 7001 7002; do"
                  " httpd -p $p -h /w; done; sleep 600")
    for offset in range(3):
        assert eventually(lambda: fetch("127.0.0.1", base + offset))


def test_one_of_a_range(engine, name):
    span = "41210-41212"
    for number in range(3):
        idle(engine, f"{name}{number}", "-p", f"127.0.0.1:{span}:80")
    used = {engine.inspect(f"{name}{n}")["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"]
            for n in range(3)}
    assert used == {"41210", "41211", "41212"}
    message = engine.fails("run", "--rm", "-p", f"127.0.0.1:{span}:80", "busybox", "true")
    assert "allocated" in message or "in use" in message


def test_udp(engine, name):
    public = free_port(socket.SOCK_DGRAM)
    engine.load("debian")
    engine.docker("run", "-d", "--init", "--name", name, "-p", f"{public}:5000/udp", "debian:12", "perl",
                  "-MSocket", "-e", "socket(S,AF_INET,SOCK_DGRAM,0); bind(S,sockaddr_in(5000,INADDR_ANY));"
                  "while ($p = recv(S,$b,100,0)) { send(S,'pong',0,$p) }")

    def asked():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.5)
            probe.connect(("127.0.0.1", public))
            try:
                probe.send(b"ping\n")
                return probe.recv(100)
            except OSError:
                return None

    assert eventually(asked, 15) == b"pong"


def test_port_taken_by_another_container(engine, name):
    public = free_port()
    idle(engine, name + "a", "-p", f"{public}:80")
    message = engine.fails("run", "--name", name + "b", "-p", f"{public}:80", "busybox", "true")
    assert "port is already allocated" in message
    assert engine.inspect(name + "b")["State"]["Status"] == "created"
    engine.docker("rm", "-f", name + "a")
    engine.docker("start", name + "b")


def test_port_taken_by_a_program_of_the_host(engine, name):
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        message = engine.fails("run", "--rm", "-p", f"{taken.getsockname()[1]}:80", "busybox", "true")
    assert "address already in use" in message


def test_published_port_is_held_on_the_host(engine, name):
    public = free_port()
    idle(engine, name, "-p", f"{public}:80")
    with socket.socket() as probe:
        with pytest.raises(OSError):
            probe.bind(("0.0.0.0", public))
            probe.listen()


def test_published_on_a_user_network(engine, name):
    engine.docker("network", "create", name)
    public = free_port()
    web(engine, name, "--network", name, "-p", f"{public}:80")
    assert eventually(lambda: fetch("127.0.0.1", public))


@pytest.mark.parametrize("publish", ["80:80:80:80", "99999:80", "a:b", "1.2.3:80:80"])
def test_bad_publish(engine, publish):
    engine.fails("create", "-p", publish, "busybox")


@pytest.mark.parametrize("bindings", [
    {"80": [{"HostPort": "x"}]}, {"99999/tcp": [{"HostPort": "80"}]},
    pytest.param({"80/nonsense": [{}]}, marks=pytest.mark.newer_than_peer),
    pytest.param({"80/tcp": [{"HostIp": "not-an-address", "HostPort": "80"}]},
                 marks=pytest.mark.newer_than_peer),
    {"80/tcp": [{"HostPort": "70000"}]},
])
def test_bad_bindings(engine, bindings):
    reply = engine.request("POST", "/containers/create", {
        "Image": "busybox", "HostConfig": {"PortBindings": bindings}})
    if reply.status == 201:  # dockerd leaves some of them to the start
        reply = engine.request("POST", f"/containers/{reply.json()['Id']}/start")
    assert 400 <= reply.status < (600 if IS_PEER else 500), reply


def test_client_addresses_are_kept(engine, name, outside):
    public = free_port()
    web(engine, name, "-p", f"{public}:80")
    assert "hello" in outside("timeout", "3", "busybox", "wget", "-qO-",
                              f"http://10.196.77.1:{public}/").stdout
    eventually(lambda: "10.196.77.2" in engine.docker("logs", name).stderr)


# IPv6


@pytest.fixture
def six(engine, name):
    result = engine.docker("network", "create", "--ipv6", "--subnet", "fd00:199::/64", "--subnet",
                           "10.199.4.0/24", name, check=False)
    if result.returncode != 0 and not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("this kernel has no IPv6")
    assert result.returncode == 0, result.stderr
    return name


def test_ipv6_network(engine, six, name):
    first = web(engine, name + "a", "--network", six)
    second = idle(engine, name + "b", "--network", six)
    detail = endpoint(engine, first, six)
    assert detail["GlobalIPv6Address"].startswith("fd00:199::") and detail["GlobalIPv6PrefixLen"] == 64
    assert detail["IPv6Gateway"] == "fd00:199::1"
    assert detail["GlobalIPv6Address"] in engine.out("exec", first, "ip", "-6", "addr")
    assert engine.docker("exec", second, "ping6", "-c", "1", "-W", "3",
                         detail["GlobalIPv6Address"]).returncode == 0
    assert detail["GlobalIPv6Address"] in engine.out("exec", second, "nslookup", first)
    assert engine.get(f"/networks/{six}")["EnableIPv6"] is True


def test_ipv6_static_address(engine, six, name):
    idle(engine, name + "a", "--network", six, "--ip6", "fd00:199::77")
    assert "fd00:199::77" in engine.out("exec", name + "a", "ip", "-6", "addr")


@pytest.mark.newer_than_peer
def test_ipv6_published(engine, six, name):
    public = free_port()
    web(engine, name + "a", "--network", six, "-p", f"[::1]:{public}:80")
    assert eventually(lambda: fetch("::1", public))


# macvlan, host and none


@pytest.fixture
def parent():
    import uuid

    link = "mvp" + uuid.uuid4().hex[:6]
    subprocess.run(["ip", "link", "add", link, "type", "veth", "peer", "name", link + "p"], check=True)
    subprocess.run(["ip", "link", "set", link + "p", "up"], check=True)
    subprocess.run(["ip", "link", "set", link, "up"], check=True)
    yield link
    subprocess.run(["ip", "link", "del", link], check=True)


def test_macvlan(engine, name, parent):
    engine.docker("network", "create", "-d", "macvlan", "--subnet", "10.199.5.0/24", "--gateway",
                  "10.199.5.254", "-o", f"parent={parent}", name)
    first = web(engine, name + "a", "--network", name)
    second = idle(engine, name + "b", "--network", name, "--ip", "10.199.5.9")
    assert address(engine, second, name) == "10.199.5.9"
    assert reaches(engine, second, address(engine, first, name))
    assert "default via 10.199.5.254" in engine.out("exec", second, "ip", "route")
    engine.docker("rm", "-f", first, second)
    engine.docker("network", "rm", name)


def test_macvlan_with_unknown_parent(engine, name):
    reply = engine.docker("network", "create", "-d", "macvlan", "--subnet", "10.199.5.0/24", "-o",
                          "parent=no-such0", name, check=False)
    assert reply.returncode != 0 and "no-such0" in reply.stderr


def test_network_none_and_host_listing(engine, name):
    idle(engine, name + "n", "--network", "none")
    idle(engine, name + "h", "--network", "host")
    assert set(engine.inspect(name + "n")["NetworkSettings"]["Networks"]) == {"none"}
    assert set(engine.inspect(name + "h")["NetworkSettings"]["Networks"]) == {"host"}
    assert engine.get("/networks/none")["Containers"] != {}


def test_links(engine, name):
    web(engine, name + "a")
    seen = engine.out("run", "--rm", "--link", f"{name}a:db", "busybox", "sh", "-c",
                      "cat /etc/hosts; timeout 3 wget -qO- http://db/")
    assert "db" in seen and seen.endswith("hello")


def test_python_client_networks(engine, name):
    network = engine.client.networks.create(name, driver="bridge", labels={"a": "b"})
    container = engine.client.containers.run("busybox", "sleep 600", detach=True, init=True, name=name,
                                             network=name)
    network.reload()
    assert [c.name for c in network.containers] == [name]
    network.disconnect(container)
    network.connect(container, aliases=["other"])
    container.remove(force=True)
    network.remove()
    assert engine.client.networks.list(names=[name]) == []


def test_many_networks_at_once(engine, name):
    threads = [threading.Thread(target=engine.docker, args=("network", "create", f"{name}{n}"))
               for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    mine = [n for n in engine.get("/networks") if n["Name"].startswith(name)]
    assert len(mine) == 10
    assert len({n["IPAM"]["Config"][0]["Subnet"] for n in mine}) == 10


@pytest.mark.martlet_only
def test_published_ports_are_map_elements(engine, name):
    """One element for each port, not one rule: the rules do not grow with the ports."""
    def ruleset():
        return subprocess.run(["nft", "list", "table", "inet", table_of(engine.folder)],
                              capture_output=True, text=True, check=True).stdout

    def rules():
        return sum(1 for line in ruleset().splitlines() if re.search(r"\b(accept|drop|dnat|snat|jump)\b", line)
                   and " : " not in line)

    idle(engine, name + "a", "-p", "41301:80")
    before = rules()
    assert "41301" in ruleset()
    for number in range(2, 6):
        idle(engine, f"{name}{number}", "-p", f"4130{number}:80")
    assert rules() == before
    assert all(f"4130{number}" in ruleset() for number in range(1, 6))
    for number in range(2, 6):
        engine.docker("rm", "-f", f"{name}{number}")
    assert "41303" not in ruleset()


def test_name_service_takes_garbage(engine, name):
    """Random packets to 127.0.0.11 do not disturb it."""
    engine.load("debian")
    engine.docker("network", "create", name)
    idle(engine, name + "a", "--network", name)
    script = ("use Socket; srand(5); socket(S,AF_INET,SOCK_DGRAM,0);"
              "my $to = sockaddr_in(53,inet_aton('127.0.0.11'));"
              "for (1..2000) { my $n = int(rand(600)); my $p = join('', map { chr(int(rand(256))) } 1..$n);"
              "  $p = pack('n6',$_,0x0100,1,0,0,0).$p if $_ % 2; send(S,$p,0,$to); }"
              "for my $q (pack('n6',1,256,1,0,0,0).\"\\xc0\\x0c\\0\\1\\0\\1\","
              "           pack('n6',1,256,65535,0,0,0), pack('n6',1,256,1,0,0,0).(\"\\x3f\".('a'x63))x9)"
              "  { send(S,$q,0,$to) }"
              f"exec 'getent', 'hosts', '{name}a'")
    seen = engine.out("run", "--rm", "--network", name, "debian:12", "perl", "-e", script)
    assert address(engine, name + "a", name) in seen


def test_name_service_over_tcp_and_for_other_types(engine, name):
    engine.load("debian")
    engine.docker("network", "create", name)
    idle(engine, name + "a", "--network", name)
    script = ("use Socket; my $q = pack('n6',7,0x0100,1,0,0,0).join('', map { chr(length).$_ } '" + name
              + "a').\"\\0\".pack('n2',$ARGV[0],1); socket(S,AF_INET,SOCK_STREAM,0);"
              "connect(S,sockaddr_in(53,inet_aton('127.0.0.11'))) or die $!;"
              "syswrite(S,pack('n',length $q).$q); sysread(S,my $l,2); sysread(S,my $r,unpack('n',$l));"
              "my @h = unpack('n6',$r); print join(' ', $h[0], $h[1] & 15, $h[3]), qq(\\n)")

    def ask(kind):
        return engine.out("run", "--rm", "--network", name, "debian:12", "perl", "-e", script, kind)

    assert ask(1) == "7 0 1"   # A: one answer
    assert ask(28) == "7 0 0"  # AAAA: the name exists, and has none


def test_nothing_grows_over_many_runs(engine, name):
    """A hundred containers later the daemon holds neither more files nor much more memory."""
    def cycle():
        reply = engine.request("POST", "/containers/create", {"Image": "busybox", "Cmd": ["true"]})
        identifier = reply.json()["Id"]
        assert engine.request("POST", f"/containers/{identifier}/start").status == 204
        engine.request("POST", f"/containers/{identifier}/wait")
        assert engine.request("DELETE", f"/containers/{identifier}").status == 204

    for _ in range(20):
        cycle()
    files, memory = engine.open_files(), engine.memory()
    for _ in range(100):
        cycle()
    eventually(lambda: engine.open_files() <= files + 4, 10, f"{files} open files before")
    assert engine.memory() < memory + (24 << 20)
