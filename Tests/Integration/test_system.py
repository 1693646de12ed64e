"""info, version, df, ping, versions of the API, errors, and what an engine without swarm says."""

import json
import os
import re
import subprocess

import pytest

from engine import IS_PEER, eventually


def test_ping(engine):
    reply = engine.request("GET", "/_ping")
    assert reply.status == 200 and reply.body == b"OK"
    assert reply.headers["Content-Type"].startswith("text/plain")
    assert re.fullmatch(r"1\.\d\d", reply.headers["Api-Version"])
    assert reply.headers["Ostype"] == "linux" and reply.headers["Docker-Experimental"] == "false"
    assert reply.headers["Cache-Control"] == "no-cache, no-store, must-revalidate"
    assert "Server" in reply.headers
    reply = engine.request("HEAD", "/_ping")
    assert reply.status == 200 and reply.body == b"" and reply.headers["Api-Version"]


def test_version(engine):
    version = engine.get("/version")
    for field in ("Version", "ApiVersion", "MinAPIVersion", "GitCommit", "Os", "Arch", "KernelVersion",
                  "BuildTime", "Components", "Platform"):
        assert field in version, field
    assert version["Os"] == "linux" and version["Arch"] == "amd64"
    assert version["KernelVersion"] == os.uname().release
    assert "Server:" in engine.out("version") and engine.out("version", "-f", "{{.Server.Version}}")


@pytest.mark.newer_than_peer
def test_version_range(engine):
    version = engine.get("/version")
    assert version["MinAPIVersion"] == "1.24"
    assert tuple(map(int, version["ApiVersion"].split("."))) >= (1, 47)


@pytest.mark.parametrize("number", range(24, 42))
def test_every_version_answers(engine, number):
    assert engine.get(f"/v1.{number}/version")["ApiVersion"]
    assert engine.get(f"/v1.{number}/containers/json") == []


@pytest.mark.newer_than_peer
@pytest.mark.parametrize("number", range(42, 48))
def test_newer_versions_answer(engine, number):
    assert engine.get(f"/v1.{number}/containers/json") == []


def test_versions_out_of_range(engine):
    reply = engine.request("GET", "/v1.99/version")
    assert reply.status == 400 and "is too new" in reply.message


@pytest.mark.newer_than_peer
def test_versions_too_old(engine):
    reply = engine.request("GET", "/v1.23/version")
    assert reply.status == 400 and "is too old" in reply.message


def test_client_negotiates(engine):
    older = engine.docker("version", "-f", "{{.Client.APIVersion}}", env={"DOCKER_API_VERSION": "1.30"})
    assert older.stdout.strip() == "1.30"
    assert engine.docker("ps", env={"DOCKER_API_VERSION": "1.24"}).returncode == 0


def test_unknown_pages(engine):
    reply = engine.request("GET", "/no/such/page")
    assert reply.status == 404 and reply.message == "page not found"
    assert reply.headers["Content-Type"].startswith("application/json")
    reply = engine.request("GET", "/v1.41/no/such/page")
    assert reply.status == 404 and reply.message


def test_error_envelope(engine):
    reply = engine.request("GET", "/containers/nobody/json")
    assert reply.status == 404 and reply.json() == {"message": "No such container: nobody"}
    assert reply.headers["Content-Type"] == "application/json"


def test_info(engine, name):
    engine.docker("run", "-d", "--init", "--name", name, "busybox", "sleep", "600")
    engine.docker("create", "busybox")
    info = engine.get("/info")
    assert (info["Containers"], info["ContainersRunning"], info["ContainersStopped"],
            info["ContainersPaused"]) == (2, 1, 1, 0)
    assert info["Images"] >= 2 and info["Driver"] == "overlay2" and info["OSType"] == "linux"
    assert info["NCPU"] == os.cpu_count() and info["MemTotal"] > 1 << 28
    assert info["DockerRootDir"].startswith(engine.folder)
    assert info["LoggingDriver"] == "json-file" and info["Name"] == os.uname().nodename
    assert info["CgroupDriver"] == "cgroupfs" and info["CgroupVersion"] in ("1", "2")
    assert info["Swarm"]["LocalNodeState"] == "inactive"
    assert set(info["Plugins"]["Log"]) >= {"json-file", "local"} and "local" in info["Plugins"]["Volume"]
    assert set(info["Plugins"]["Network"]) >= {"bridge", "host", "null", "macvlan"}
    assert info["DefaultRuntime"] in info["Runtimes"]
    assert any("seccomp" in option for option in info["SecurityOptions"])
    for field in ("ID", "SystemTime", "ServerVersion", "OperatingSystem", "Architecture", "Labels",
                  "ExperimentalBuild", "LiveRestoreEnabled", "InitBinary", "RegistryConfig", "Warnings",
                  "IndexServerAddress", "MemoryLimit", "SwapLimit", "CpuCfsQuota", "PidsLimit",
                  "IPv4Forwarding", "Debug", "NFd", "NGoroutines", "DriverStatus", "HttpProxy"):
        assert field in info, field
    assert "Server Version:" in engine.out("info")


def test_identity_is_kept(engine):
    before = engine.get("/info")["ID"]
    engine.restart()
    assert engine.get("/info")["ID"] == before


def test_system_df(engine, name):
    engine.docker("run", "--name", name, "busybox", "dd", "if=/dev/zero", "of=/f", "bs=1M", "count=1")
    usage = engine.get("/system/df")
    assert usage["LayersSize"] > 1_000_000
    image = next(i for i in usage["Images"] if "busybox:latest" in (i["RepoTags"] or []))
    assert image["Containers"] == 1 and image["Size"] > 1_000_000
    assert usage["Containers"][0]["SizeRw"] >= 1 << 20
    assert usage["Volumes"] == [] or usage["Volumes"] is None
    table = engine.out("system", "df")
    assert "Images" in table and "Local Volumes" in table and "Build Cache" in table
    assert engine.docker("system", "df", "-v").returncode == 0


def test_system_prune(engine, name):
    engine.docker("create", "--name", name, "busybox")
    engine.docker("network", "create", name)
    output = engine.out("system", "prune", "-f")
    assert "Deleted Containers" in output and "Deleted Networks" in output


@pytest.mark.parametrize("path", ["/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs"])
def test_no_swarm(engine, path):
    reply = engine.request("GET", path)
    assert reply.status == 503 and "not a swarm manager" in reply.message


def test_swarm_commands_are_sensible(engine):
    assert "not a swarm manager" in engine.fails("service", "ls")
    assert "not part of a swarm" in engine.fails("swarm", "leave")


def test_no_plugins(engine):
    assert engine.get("/plugins") == []
    assert engine.request("GET", "/plugins/no-such/json").status == 404
    assert "ID" in engine.out("plugin", "ls")


def test_python_client(engine):
    assert engine.client.ping() is True
    assert engine.client.version()["Os"] == "linux"
    assert engine.client.info()["Driver"] == "overlay2"
    assert engine.client.df()["Images"]


def test_unix_socket_is_private(engine):
    mode = os.stat(engine.socket)
    assert mode.st_mode & 0o007 == 0 and mode.st_uid == 0


def test_request_ids_do_not_disturb(engine):
    reply = engine.request("GET", "/_ping", headers={"X-Request-Id": "abc" * 100})
    assert reply.status == 200


def test_memory_stays_flat(engine):
    for _ in range(200):
        engine.request("GET", "/containers/json")
    before = engine.memory()
    for _ in range(2000):
        engine.request("GET", "/containers/json?all=1")
    assert engine.memory() < before + (32 << 20)


@pytest.mark.martlet_only
def test_building_says_that_it_is_not_there(engine, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM busybox\n")
    message = engine.fails("build", tmp_path, env={"DOCKER_BUILDKIT": "0"})
    assert re.search("not (supported|implemented|available)|build", message, re.I), message
    reply = engine.request("POST", "/build", b"", {"Content-Type": "application/x-tar"})
    assert reply.status in (404, 501, 503) and reply.message


def test_checkpoints_are_refused(engine, name):
    engine.docker("create", "--name", name, "busybox")
    reply = engine.request("POST", f"/containers/{name}/checkpoints", {"CheckpointID": "x"})
    assert reply.status in (400, 404, 500, 501) and reply.message


@pytest.mark.martlet_only
def test_socket_belongs_to_the_docker_group(engine):
    import grp

    try:
        group = grp.getgrnam("docker").gr_gid
    except KeyError:
        pytest.skip("this machine has no group docker")
    status = os.stat(engine.socket)
    assert status.st_gid == group and status.st_mode & 0o777 == 0o660
