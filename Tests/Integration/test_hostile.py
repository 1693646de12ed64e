"""Bad input at every route: never a 500, never a crash, always a message."""

import http.client
import json
import os
import re
import socket
import time
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import IS_PEER, UnixConnection, eventually

# Every route of the API, with the names of its query parameters.
ROUTES = """
GET /containers/json all limit size filters before since
POST /containers/create name platform
GET /containers/ID/json size
GET /containers/ID/top ps_args
GET /containers/ID/logs follow stdout stderr since until timestamps tail details
GET /containers/ID/changes
GET /containers/ID/export
GET /containers/ID/stats stream one-shot
POST /containers/ID/resize h w
POST /containers/ID/start detachKeys
POST /containers/ID/stop t signal
POST /containers/ID/restart t signal
POST /containers/ID/kill signal
POST /containers/ID/update
POST /containers/ID/rename name
POST /containers/ID/pause
POST /containers/ID/unpause
POST /containers/ID/attach detachKeys logs stream stdin stdout stderr
GET /containers/ID/attach/ws detachKeys logs stream stdin stdout stderr
POST /containers/ID/wait condition
DELETE /containers/ID v force link
HEAD /containers/ID/archive path
GET /containers/ID/archive path
PUT /containers/ID/archive path noOverwriteDirNonDir copyUIDGID
POST /containers/prune filters
POST /containers/ID/exec
POST /exec/ID/start
POST /exec/ID/resize h w
GET /exec/ID/json
GET /images/json all filters shared-size digests
POST /build dockerfile t remote q nocache pull rm memory buildargs platform target
POST /build/prune all filters keep-storage
GET /images/ID/json
GET /images/ID/history
POST /images/ID/push tag
POST /images/ID/tag repo tag
DELETE /images/ID force noprune
GET /images/search term limit filters
POST /images/prune filters
POST /commit container repo tag comment author pause changes
GET /images/ID/get
GET /images/get names
POST /images/load quiet
POST /auth
GET /info
GET /version
GET /_ping
HEAD /_ping
GET /events since until filters
GET /system/df type
GET /volumes filters
POST /volumes/create
GET /volumes/ID
PUT /volumes/ID version
DELETE /volumes/ID force
POST /volumes/prune filters
GET /networks filters
GET /networks/ID verbose scope
DELETE /networks/ID
POST /networks/create
POST /networks/ID/connect
POST /networks/ID/disconnect
POST /networks/prune filters
GET /plugins filters
GET /plugins/privileges remote
POST /plugins/pull remote name
GET /plugins/ID/json
DELETE /plugins/ID force
POST /plugins/ID/enable timeout
POST /plugins/ID/disable force
GET /nodes filters
GET /nodes/ID
DELETE /nodes/ID force
POST /nodes/ID/update version
GET /swarm
POST /swarm/init
POST /swarm/join
POST /swarm/leave force
POST /swarm/update version
GET /swarm/unlockkey
POST /swarm/unlock
GET /services filters status
POST /services/create
GET /services/ID insertDefaults
DELETE /services/ID
POST /services/ID/update version
GET /services/ID/logs follow stdout
GET /tasks filters
GET /tasks/ID
GET /tasks/ID/logs
GET /secrets filters
POST /secrets/create
GET /secrets/ID
DELETE /secrets/ID
GET /configs filters
POST /configs/create
GET /configs/ID
DELETE /configs/ID
GET /distribution/ID/json
POST /session
POST /grpc
""".split("\n")
ROUTES = [line.split() for line in ROUTES if line]

# Bodies of the routes that take one: where hostile values are put into otherwise good requests.
BODIES = {
    "/containers/create": {
        "Image": "busybox", "Cmd": ["true"], "Env": ["A=b"], "Entrypoint": ["x"], "User": "0",
        "WorkingDir": "/", "Hostname": "h", "Domainname": "d", "Tty": False, "OpenStdin": False,
        "Labels": {"a": "b"}, "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/v": {}},
        "StopSignal": "TERM", "StopTimeout": 1, "Shell": ["sh"], "MacAddress": "",
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 1000000000, "Timeout": 1000000000,
                        "Retries": 3, "StartPeriod": 0},
        "HostConfig": {
            "Binds": ["/tmp:/b"], "Memory": 0, "MemorySwap": 0, "MemoryReservation": 0, "CpuShares": 0,
            "NanoCpus": 0, "CpuPeriod": 0, "CpuQuota": 0, "CpusetCpus": "", "CpusetMems": "",
            "PidsLimit": 0, "BlkioWeight": 0, "NetworkMode": "none", "PidMode": "", "IpcMode": "",
            "UTSMode": "", "CgroupnsMode": "", "UsernsMode": "", "ShmSize": 0, "OomScoreAdj": 0,
            "Privileged": False, "ReadonlyRootfs": False, "AutoRemove": False, "CapAdd": [],
            "CapDrop": [], "Dns": [], "DnsOptions": [], "DnsSearch": [], "ExtraHosts": [],
            "GroupAdd": [], "Links": [], "SecurityOpt": [], "Sysctls": {}, "Tmpfs": {}, "Ulimits": [],
            "Devices": [], "DeviceCgroupRules": [], "PortBindings": {}, "PublishAllPorts": False,
            "RestartPolicy": {"Name": "", "MaximumRetryCount": 0}, "LogConfig": {"Type": "", "Config": {}},
            "Mounts": [{"Type": "volume", "Source": "", "Target": "/m"}], "VolumesFrom": [],
            "VolumeDriver": "", "Runtime": "", "CgroupParent": "", "MaskedPaths": [],
            "ReadonlyPaths": [], "ConsoleSize": [0, 0], "Annotations": {}, "Init": False,
        },
        "NetworkingConfig": {"EndpointsConfig": {}},
    },
    "/containers/ID/update": {"Memory": 0, "CpuShares": 0, "PidsLimit": 0, "CpusetCpus": "",
                              "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}},
    "/containers/ID/exec": {"Cmd": ["true"], "User": "", "WorkingDir": "", "Env": [], "Tty": False,
                            "AttachStdout": True, "Privileged": False, "DetachKeys": ""},
    "/exec/ID/start": {"Detach": True, "Tty": False, "ConsoleSize": [1, 1]},
    "/exec/ID/resize": {},
    "/networks/create": {"Name": "hostile", "Driver": "bridge", "Internal": False, "EnableIPv6": False,
                         "IPAM": {"Driver": "default", "Config": [{"Subnet": "10.199.7.0/24",
                                                                   "Gateway": "10.199.7.1"}]},
                         "Options": {}, "Labels": {}, "Attachable": False, "ConfigOnly": False},
    "/networks/ID/connect": {"Container": "x", "EndpointConfig": {"IPAMConfig": {"IPv4Address": ""},
                                                                  "Aliases": [], "MacAddress": ""}},
    "/networks/ID/disconnect": {"Container": "x", "Force": False},
    "/volumes/create": {"Name": "hostile", "Driver": "local", "DriverOpts": {}, "Labels": {}},
    "/auth": {"username": "u", "password": "p", "serveraddress": "127.0.0.1:1"},
    "/commit": {"Cmd": ["x"], "Env": []},
}


def probe(engine, method, path, body=None, headers=None, limit=1 << 20, timeout=20):
    """Status, headers and the beginning of the body; streams are left after a moment."""
    connection = UnixConnection(engine.socket, timeout)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        data = b""
        if answer.status >= 400:
            data = answer.read(limit)
        return answer.status, answer.headers, data
    finally:
        connection.close()


def judge(engine, what, status, headers, data):
    """Whatever was asked, the answer is no server error and every refusal has a message."""
    if not IS_PEER and b"registry" not in data:  # there may be none to be reached
        assert status not in (500, 502, 504), f"{what} gave {status}: {data[:500]!r}"
    if status >= 400 and data:
        try:
            assert json.loads(data)["message"], what
        except (ValueError, KeyError, TypeError):
            if not IS_PEER:
                raise AssertionError(f"{what} gave {status} without an envelope: {data[:300]!r}")


WORDS = st.one_of(
    st.sampled_from([
        "", "0", "-1", "1", "true", "false", "nil", "null", "x" * 300, "../../etc/passwd", "/", "a/b",
        "%00", "\u2603", "99999999999999999999999", "-99999999999999999999", "1e400", "NaN", "{}", "[]",
        '{"label":["a=b"]}', '{"label":{"a=b":true}}', '{"label":"a"}', '{"label":[1]}', "{", '{"":[""]}',
        '{"until":["x"]}', "busybox", "sha256:" + "0" * 64, "sha256:zz", "@", ":", "a:b:c", " ", "\t",
        "SIGKILL", "SIGRTMIN+99", "ctrl-,", "1.5", "2100-01-01T00:00:00Z", "10m", "-10m", "\\", "'", '"',
        "1970-01-01", "0x10", "1_000", "٣", "container:", "container:x", "host", "linux/amd64/v8/v9",
    ]),
    st.text(st.characters(codec="utf-8"), max_size=40))

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2**70, 2**70), st.sampled_from(
        [0, -1, 1, 2**31, 2**32, 2**63 - 1, 2**63, -2**63, 2**64]), WORDS,
        st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=6)


def paths_of(value, prefix=()):
    """Every place inside a JSON value."""
    yield prefix
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths_of(item, (*prefix, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths_of(item, (*prefix, index))


def replaced(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@st.composite
def requests(draw):
    method, path, *names = draw(st.sampled_from(ROUTES))
    body, headers = None, {}
    if path in BODIES:
        body = BODIES[path]
        places = list(paths_of(body))
        for _ in range(draw(st.integers(0, 2))):
            place = draw(st.sampled_from(places))
            try:
                body = replaced(body, place, draw(VALUES))
            except (KeyError, IndexError, TypeError):
                continue
        body = json.dumps(body).encode()
        if draw(st.integers(0, 5)) == 0:
            body = body[: draw(st.integers(0, len(body)))]
        headers["Content-Type"] = draw(st.sampled_from(["application/json"] * 6 + ["text/plain", ""]))
    elif method in ("POST", "PUT"):
        body = draw(st.sampled_from([b"", b"{}", b"[]", b"null", b"\0\xff" * 50, b"{", b'"x"', b"1"]))
        headers["Content-Type"] = draw(st.sampled_from(["application/json", "application/x-tar", ""]))
    query = {name: draw(WORDS) for name in draw(st.lists(st.sampled_from(names), max_size=3))} \
        if names else {}
    if path == "/events":
        query.setdefault("until", "1")
    version = draw(st.sampled_from(["", "", "/v1.24", "/v1.41"] + ([] if IS_PEER else ["/v1.47"])))
    target = "ID"
    if "ID" in path:
        target = draw(st.one_of(st.sampled_from(["TARGET", "TARGET", "TARGET"]), WORDS))
    return method, version + path, target, query, body, headers


@pytest.fixture(scope="module")
def target(leakproof_engine):
    name = "hostile-target"
    leakproof_engine.docker("run", "-d", "--init", "--name", name, "busybox", "sleep", "600")
    return name


@pytest.mark.timeout(300)
@settings(max_examples=int(os.environ.get("MARTLET_TEST_EXAMPLES", "400")), deadline=None,
          derandomize=True, database=None, print_blob=False,
          suppress_health_check=list(HealthCheck))
@given(requests())
def test_generated_requests(leakproof_engine, target, request_):
    check_generated(leakproof_engine, target, request_)


def check_generated(engine, target, request_):
    method, path, word, query, body, headers = request_
    if word == "TARGET":
        word = target
        if path.endswith("/containers/ID") and method == "DELETE":
            word = "nobody"
    if method == "POST" and "/stop" in path or "/restart" in path:
        query["t"] = "0" if query.get("t", "").lstrip("-").isdigit() else query.get("t", "0")
    path = path.replace("ID", quote(word, safe=":@"), 1)
    what = f"{method} {path} {query} {body!r}"
    if query:
        path += "?" + "&".join(f"{key}={quote(value)}" for key, value in query.items())
    try:
        judge(engine, what, *probe(engine, method, path, body, headers))
    except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
        assert engine.process.poll() is None, f"the daemon died of {what}\n{engine.log_tail()}"
        if not IS_PEER:
            raise AssertionError(f"no answer to {what}")
    except TimeoutError:
        if not re.search(r"wait|logs|stats|attach|events|session|grpc|start", path):
            raise AssertionError(f"no answer in time to {what}")
    assert engine.process.poll() is None, f"the daemon died of {what}\n{engine.log_tail()}"


def test_afterwards_all_is_well(engine):
    """Whatever the generated requests made goes away, and containers still run."""
    engine.remove_everything()
    assert engine.out("run", "--rm", "busybox", "echo", "well") == "well"


# What has to be said in each case


@pytest.mark.parametrize("body, status", [
    (b"", 400), (b"{", 400), (b"null", 400), (b"[]", 400), (b'"x"', 400), (b"{}", 400),
    (b'{"Image": 5}', 400), (b'{"Image":"busybox","Cmd":{"a":1}}', 400),
    (b'{"Image":"busybox","HostConfig":[]}', 400), 
    pytest.param(b'{"Image":"busybox"} trailing', 400, marks=pytest.mark.newer_than_peer),
    (b'{"Image":"busybox","HostConfig":{"Memory":"lots"}}', 400),
    (b'{"Image":"busybox","HostConfig":{"Memory":99999999999999999999999}}', 400),
    (b'{"Image":"no-such-image-at-all"}', 404), (b'{"Image":"UPPER"}', 400),
    (b'{"Image":"busybox","Env":["=x"]}', 400), (b'{"Image":"busybox","Env":[""]}', 400),
])
def test_bad_creation(engine, body, status):
    reply = engine.request("POST", "/containers/create", body, {"Content-Type": "application/json"})
    assert reply.status == status or IS_PEER and reply.status >= 400, reply
    assert reply.message


def test_content_type_is_checked(engine):
    reply = engine.request("POST", "/containers/create", b'{"Image":"busybox"}',
                           {"Content-Type": "text/plain"})
    assert reply.status in (400, 415) and "application/json" in reply.message


def test_deep_json(engine):
    body = b'{"Image":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    reply = engine.request("POST", "/containers/create", body, {"Content-Type": "application/json"})
    assert reply.status in (400, 413) or IS_PEER
    assert engine.request("GET", "/_ping").status == 200


def test_huge_body(engine):
    body = b'{"Image":"' + b"x" * (40 << 20) + b'"}'
    try:
        reply = engine.request("POST", "/containers/create", body,
                               {"Content-Type": "application/json"})
        assert reply.status in (400, 413) or IS_PEER
    except (ConnectionError, BrokenPipeError):
        pass  # refused before it was read
    assert engine.request("GET", "/_ping").status == 200
    assert engine.memory() < 600 << 20


def raw(engine, data: bytes, timeout=5, half_close=True) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        connection.connect(engine.socket)
        try:
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        seen = b""
        try:
            while more := connection.recv(65536):
                seen += more
        except OSError:
            pass
        return seen


@pytest.mark.parametrize("data", [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GARBAGE\r\n\r\n", b"GET\r\n\r\n", b"\r\n\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n", b"GET /_ping HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /_ping HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    b"GET /_ping HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 2_000_000 + b"\r\n\r\n",
    b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
    b"POST /containers/create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"POST /containers/create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Length: 5\r\n\r\n0\r\n\r\nGET /secret HTTP/1.1\r\n\r\n",
    b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 100\r\n\r\n{\"Image\"",
    b"GET /\x00_ping HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET //containers//json HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /containers/%2e%2e/json HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /containers/json?filters=%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n",
    b"BREW /_ping HTTP/1.1\r\nHost: x\r\n\r\n", b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
], ids=lambda data: re.sub(rb"[^\w /.*-]+", b"_", data[:50]).decode())
def test_raw_bytes(engine, data):
    seen = raw(engine, data)
    if seen and not IS_PEER:
        assert b"HTTP/1.1 500" not in seen
    assert engine.request("GET", "/_ping").status == 200


def test_slow_clients_do_not_block_others(engine):
    held = []
    for _ in range(50):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(engine.socket)
        connection.sendall(b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        held.append(connection)
    begun = time.monotonic()
    assert engine.request("GET", "/containers/json").status == 200
    assert time.monotonic() - begun < 3
    for connection in held:
        connection.close()


def test_connections_that_are_dropped_in_the_middle(engine):
    files = engine.open_files()
    for cut in range(1, 120, 7):
        data = (b"POST /containers/create?name=x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 50\r\n\r\n{\"Image\":")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(engine.socket)
            connection.sendall(data[:cut])
    eventually(lambda: engine.open_files() <= files + 3)


def test_pipelined_requests(engine):
    seen = raw(engine, b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n" * 3
               + b"GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", half_close=False)
    assert seen.count(b"HTTP/1.1 200 OK") == 4


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/containers/create", 404), ("PATCH", "/containers/json", 404), ("POST", "/info", 404),
    ("DELETE", "/_ping", 404),
])
def test_wrong_methods(engine, method, path, status):
    reply = engine.request(method, path)
    assert reply.status in (status, 405), reply
    assert reply.message


@pytest.mark.parametrize("path", [
    "/containers/json?limit=x", "/containers/TARGET/logs?stdout=1&tail=-5x",
    "/containers/TARGET/stats?stream=maybe",
])
def test_values_of_the_wrong_type(engine, sleeper, path):
    if IS_PEER:
        pytest.skip("dockerd takes them for defaults")
    status, _, _ = probe(engine, "GET", path.replace("TARGET", sleeper))
    assert status in (200, 400)


@pytest.mark.parametrize("path", [
    "/containers/TARGET/stop?t=x", pytest.param(
        "/containers/TARGET/resize?h=99999999999&w=1", marks=pytest.mark.newer_than_peer),
    "/containers/TARGET/kill?signal=99", "/containers/TARGET/rename?name=a%00b",
    "/containers/TARGET/restart?t=-99999999999999999999",
])
def test_bad_values_change_nothing(engine, sleeper, path):
    reply = engine.request("POST", path.replace("TARGET", sleeper))
    assert reply.status == 400 or IS_PEER and reply.status >= 400, reply
    assert engine.running(sleeper)
