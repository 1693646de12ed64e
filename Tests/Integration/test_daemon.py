"""The daemon's own flags, configuration file, signals, TLS, and several daemons side by side."""

import os
import re
import signal
import socket
import ssl
import subprocess
import time

import pytest

from conftest import free_port
from engine import BINARY, IS_PEER, Engine, HostState, eventually

pytestmark = pytest.mark.own_daemon


def refuses(engine: Engine) -> str:
    """What a daemon that must not start says before it ends."""
    result = subprocess.run(engine.command(), capture_output=True, text=True, timeout=30)
    assert result.returncode != 0
    return result.stdout + result.stderr


@pytest.fixture
def unstarted(spare_engine):
    return spare_engine(5, start=False)


# daemon.json


def test_settings_of_the_file(spare_engine):
    engine = spare_engine(5, configuration={
        "labels": ["place=here"], "log-driver": "json-file",
        "log-opts": {"max-size": "1m", "max-file": "2"}, "default-shm-size": "8m",
        "default-ulimits": {"nofile": {"Name": "nofile", "Hard": 512, "Soft": 256}}})
    info = engine.get("/info")
    assert info["Labels"] == ["place=here"]
    identifier = engine.out("run", "-d", "--init", "busybox", "sleep", "600")
    host = engine.inspect(identifier)["HostConfig"]
    assert host["LogConfig"]["Config"] == {"max-size": "1m", "max-file": "2"}
    assert host["ShmSize"] == 8 << 20
    assert engine.out("run", "--rm", "busybox", "sh", "-c", "ulimit -n") == "256"


@pytest.mark.martlet_only
@pytest.mark.parametrize("text, word, line", [
    ('{\n  "debug": true,\n  "colour": "red"\n}', "colour", 3),
    ('{\n  "debug": "yes"\n}', "debug", 2),
    ('{\n\n  "max-concurrent-downloads": -1\n}', "max-concurrent-downloads", 3),
    ('{\n  "log-level": "loud"\n}', "log-level", 2),
    ('{\n  "insecure-registries": "all"\n}', "insecure-registries", 2),
    ('{\n  "registry-mirrors": ["ftp://x"]\n}', "registry-mirrors", 2),
    ('{\n  "log-opts": {\n    "max-size": 5\n  }\n}', "max-size", 3),
])
def test_bad_settings_are_named_with_their_line(unstarted, text, word, line):
    unstarted.write_configuration(text)
    said = refuses(unstarted)
    assert word in said and re.search(rf"line:? ?{line}\b|:{line}\b", said), said
    assert not os.path.exists(unstarted.socket)


@pytest.mark.parametrize("text", ['{"debug": tru', "[]", "hello", pytest.param(
    '{"debug": true} more', marks=pytest.mark.newer_than_peer)])
def test_malformed_files_are_refused(unstarted, text):
    unstarted.write_configuration(text)
    assert refuses(unstarted)


def test_empty_and_missing_files(unstarted):
    unstarted.write_configuration("{}")
    unstarted.start()


def test_flag_and_file_must_not_meet(unstarted):
    unstarted.write_configuration({"log-level": "info"})
    said = refuses(unstarted)
    assert "log-level" in said and "flag" in said


@pytest.mark.parametrize("flags", [
    ["--no-such-flag"], ["--log-level", "loud"], ["--host", "nonsense://x"],
    ["--host", "tcp://127.0.0.1:notaport"], ["--insecure-registry"],
])
def test_bad_flags(spare_engine, flags):
    engine = spare_engine(5, start=False, flags=flags)
    assert refuses(engine)


@pytest.mark.parametrize("flags", [["--bip", "10.1.1.1/99"], ["--bip", "nonsense"],
                                   ["--default-address-pool", "base=x,size=24"],
                                   ["--default-address-pool", "nonsense"]])
def test_bad_addresses(unstarted, flags):
    command = unstarted.command()
    for flag in ("--bip", "--default-address-pool"):
        at = command.index(flag)
        del command[at:at + 2]
    result = subprocess.run([*command, *flags], capture_output=True, text=True, timeout=30)
    assert result.returncode != 0 and result.stderr + result.stdout


@pytest.mark.martlet_only
def test_help_and_version():
    help_ = subprocess.run([BINARY, "daemon", "--help"], capture_output=True, text=True)
    assert help_.returncode == 0
    for flag in ("--host", "--data-root", "--exec-root", "--config-file", "--pidfile", "--tlsverify",
                 "--tlscacert", "--tlscert", "--tlskey", "--log-level", "--registry-mirror",
                 "--insecure-registry", "--bip", "--default-address-pool"):
        assert flag in help_.stdout, flag
    assert subprocess.run([BINARY, "--version"], capture_output=True).returncode == 0


# Life


def test_pidfile_and_socket(spare_engine):
    engine = spare_engine(5)
    assert open(engine.folder + "/pid").read().strip() == str(engine.process.pid)
    engine.stop()
    assert not os.path.exists(engine.folder + "/pid")


def test_reload(spare_engine):
    engine = spare_engine(5, configuration={"labels": ["a=1"]})
    engine.write_configuration({"labels": ["b=2"], "max-concurrent-downloads": 7,
                                "insecure-registries": ["registry.test:1"]})
    engine.process.send_signal(signal.SIGHUP)
    eventually(lambda: engine.get("/info")["Labels"] == ["b=2"])
    assert "registry.test:1" in engine.get("/info")["RegistryConfig"]["IndexConfigs"]
    events = engine.out("events", "--since", "1m", "--until", str(time.time()), "--filter",
                        "type=daemon", "--format", "{{.Action}}")
    assert "reload" in events


def test_bad_reload_changes_nothing(spare_engine):
    engine = spare_engine(5, configuration={"labels": ["a=1"]})
    engine.write_configuration('{"labels": ["b=2"], "colour": 1}')
    engine.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)  # nothing is to happen
    assert engine.get("/info")["Labels"] == ["a=1"]


def test_interrupt_ends_it(spare_engine):
    engine = spare_engine(5)
    engine.stop(signal.SIGINT)


def test_stopping_with_clients_connected(spare_engine):
    engine = spare_engine(5)
    name = engine.out("run", "-d", "--init", "busybox", "sleep", "600")
    clients = [engine.popen("events"), engine.popen("logs", "-f", name), engine.popen("wait", name)]
    time.sleep(0.3)
    begun = time.monotonic()
    engine.stop(deadline=20)
    assert time.monotonic() - begun < 12
    for client in clients:
        client.kill()
        client.communicate()


# Hosts


def test_plain_tcp_has_to_be_asked_for(spare_engine):
    """Without TLS, dockerd warns; Martlet does not start unless told so."""
    port = free_port()
    engine = spare_engine(5, start=False, hosts=[f"tcp://127.0.0.1:{port}"])
    if IS_PEER:
        pytest.skip("dockerd starts and warns")
    said = refuses(engine)
    assert re.search("TLS|tls", said), said
    told = spare_engine(6, hosts=[f"tcp://127.0.0.1:{port}"], flags=["--tls=false"])
    assert told.docker("-H", f"tcp://127.0.0.1:{port}", "version", env={"DOCKER_HOST": ""})


def test_several_hosts(spare_engine):
    engine = spare_engine(5, start=False)
    engine.hosts = ["unix://" + engine.folder + "/second.sock"]
    engine.start()
    for path in (engine.socket, engine.folder + "/second.sock"):
        assert engine.docker("-H", "unix://" + path, "version").returncode == 0


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A CA with a server's, a client's and a stranger's certificate."""
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, cwd=folder)

    for ca in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", f"{ca}-key.pem",
                "-out", f"{ca}.pem", "-subj", f"/CN={ca}")
    for role, ca, extension in (
            ("server", "ca", "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth"),
            ("client", "ca", "extendedKeyUsage=clientAuth"),
            ("stranger", "other", "extendedKeyUsage=clientAuth")):
        (folder / f"{role}.ext").write_text(extension + "\n")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{role}-key.pem", "-out",
                f"{role}.csr", "-subj", f"/CN={role}")
        openssl("x509", "-req", "-in", f"{role}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}-key.pem",
                "-CAcreateserial", "-days", "2", "-extfile", f"{role}.ext", "-out", f"{role}.pem")
    return folder


def test_mutual_tls(spare_engine, authority):
    port = free_port()
    engine = spare_engine(5, hosts=[f"tcp://127.0.0.1:{port}"], flags=[
        "--tlsverify", "--tlscacert", str(authority / "ca.pem"), "--tlscert",
        str(authority / "server.pem"), "--tlskey", str(authority / "server-key.pem")])
    base = ["--tlsverify", "-H", f"tcp://127.0.0.1:{port}", "--tlscacert", authority / "ca.pem"]

    def docker(role, *words, **options):
        return engine.docker(*base, "--tlscert", authority / f"{role}.pem", "--tlskey",
                             authority / f"{role}-key.pem", *words, env={"DOCKER_HOST": ""}, **options)

    assert docker("client", "run", "--rm", "busybox", "echo", "over TLS").stdout == "over TLS\n"
    # Half-close has to pass through TLS as well.
    assert docker("client", "run", "--rm", "-i", "busybox", "cat", input="x" * 500_000).stdout == \
        "x" * 500_000
    refused = docker("stranger", "version", check=False)
    assert refused.returncode != 0
    for options in ([], ["--tls"]):
        seen = engine.docker("-H", f"tcp://127.0.0.1:{port}", *options, "version", check=False,
                             env={"DOCKER_HOST": ""})
        assert seen.returncode != 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority / "ca.pem")
    context.load_cert_chain(authority / "client.pem", authority / "client-key.pem")
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", port)) as plain:
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as secured:
            assert secured.version() in ("TLSv1.2", "TLSv1.3")
    assert engine.docker("version").returncode == 0  # the unix socket is there too


def test_old_tls_is_refused(spare_engine, authority):
    port = free_port()
    spare_engine(5, images=(), hosts=[f"tcp://127.0.0.1:{port}"], flags=[
        "--tlsverify", "--tlscacert", str(authority / "ca.pem"), "--tlscert",
        str(authority / "server.pem"), "--tlskey", str(authority / "server-key.pem")])
    seen = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_1",
                           "-cipher", "ALL:@SECLEVEL=0"], input=b"", capture_output=True)
    assert b"Cipher is (NONE)" in seen.stdout or seen.returncode != 0


@pytest.mark.parametrize("missing", ["--tlscert", "--tlskey", "--tlscacert"])
def test_missing_certificates(spare_engine, authority, missing):
    flags = {"--tlscacert": "ca.pem", "--tlscert": "server.pem", "--tlskey": "server-key.pem"}
    words = [w for flag, file in flags.items()
             for w in (flag, "/no/such/file.pem" if flag == missing else str(authority / file))]
    engine = spare_engine(5, start=False, hosts=[f"tcp://127.0.0.1:{free_port()}"],
                          flags=["--tlsverify", *words])
    assert "/no/such/file.pem" in refuses(engine)


# Side by side


@pytest.mark.martlet_only
def test_two_daemons_do_not_meet(spare_engine, name):
    first, second = spare_engine(6), spare_engine(7)
    for engine in (first, second):
        engine.docker("run", "-d", "--init", "--name", name, "-p", "80", "busybox", "sh", "-c",
                      f"mkdir /w; echo {engine.number} > /w/index.html; httpd -f -h /w")
        engine.docker("network", "create", name)
        engine.docker("volume", "create", name)
    from test_networks import fetch

    for engine in (first, second):
        port = int(engine.inspect(name)["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"])
        assert str(engine.number).encode() in eventually(lambda: fetch("127.0.0.1", port))
        assert len(engine.get("/containers/json")) == 1
    addresses = [engine.inspect(name)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
                 for engine in (first, second)]
    assert addresses[0].startswith("10.199.96.") and addresses[1].startswith("10.199.112.")
    first.remove_everything()
    first.stop()
    port = int(second.inspect(name)["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"])
    assert b"7" in fetch("127.0.0.1", port)
    assert second.out("exec", name, "echo", "undisturbed") == "undisturbed"


@pytest.mark.martlet_only
def test_nothing_is_left_after_a_daemon(spare_engine, name):
    """A daemon that is emptied and stopped leaves neither process nor mount nor link nor rule."""
    engine = spare_engine(7, start=False)
    before = HostState(engine)
    engine.start()
    engine.load("busybox")
    engine.docker("network", "create", name)
    engine.docker("run", "-d", "--init", "--name", name, "--network", name, "-p", "80", "busybox",
                  "sleep", "600")
    engine.remove_everything()
    engine.stop()
    after = HostState(engine).extra(before)
    after.pop("links", None)  # the default bridge may stay, as dockerd's does
    after.pop("elements", None)
    assert not after, after
