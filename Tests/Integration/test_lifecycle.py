"""Create, start, stop, restart, kill, pause, wait, rename, update, remove, prune, list, inspect."""

import threading
import time

import pytest

from engine import eventually


def wait_for_text(engine, name, text):
    eventually(lambda: text in engine.out("logs", name), 10, f"{text!r} in the log of {name}")


def test_hello_world(engine):
    assert "Hello from Martlet!" in engine.out("run", "--rm", "hello-world")


def test_run_gives_output_and_status(engine):
    result = engine.docker("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7",
                           check=False)
    assert (result.returncode, result.stdout, result.stderr) == (7, "out\n", "err\n")


def test_run_removes_when_told(engine, name):
    engine.docker("run", "--rm", "--name", name, "busybox", "true")
    eventually(lambda: engine.request("GET", f"/containers/{name}/json").status == 404)


def test_command_not_found_gives_127(engine, name):
    result = engine.docker("run", "--name", name, "busybox", "no-such-program", check=False)
    assert result.returncode == 127
    assert "no-such-program" in result.stderr
    state = engine.inspect(name)["State"]
    assert state["Status"] == "created" and state["ExitCode"] == 127
    assert "no-such-program" in state["Error"]


def test_command_not_executable_gives_126(engine):
    result = engine.docker("run", "--rm", "busybox", "/etc/passwd", check=False)
    assert result.returncode == 126


def test_unknown_image(engine):
    message = engine.fails("create", "--pull", "never", "no-such-image:nowhere")
    assert "No such image: no-such-image:nowhere" in message


def test_create_then_start(engine, name):
    identifier = engine.out("create", "--name", name, "busybox", "sleep", "600")
    assert len(identifier) == 64
    state = engine.inspect(name)["State"]
    assert state["Status"] == "created" and not state["Running"] and state["Pid"] == 0
    assert state["StartedAt"] == "0001-01-01T00:00:00Z"
    assert engine.out("start", name) == name
    state = engine.inspect(name)["State"]
    assert state["Status"] == "running" and state["Pid"] > 0
    assert state["StartedAt"] > "2020"


def test_start_twice_is_not_modified(engine, sleeper):
    assert engine.request("POST", f"/containers/{sleeper}/start").status == 304


def test_stop_twice_is_not_modified(engine, sleeper):
    assert engine.request("POST", f"/containers/{sleeper}/stop?t=5").status == 204
    assert engine.request("POST", f"/containers/{sleeper}/stop").status == 304
    state = engine.inspect(sleeper)["State"]
    assert state["Status"] == "exited" and state["ExitCode"] == 143
    assert state["FinishedAt"] >= state["StartedAt"]


def test_stop_kills_after_the_timeout(engine, name):
    engine.docker("run", "-d", "--name", name, "busybox", "sleep", "600")  # pid 1 ignores TERM
    begun = time.monotonic()
    engine.docker("stop", "-t", "1", name)
    assert 0.8 < time.monotonic() - begun < 6
    assert engine.inspect(name)["State"]["ExitCode"] == 137


def test_stop_signal(engine, name):
    script = "trap 'echo usr1; exit 3' USR1; echo ready; while :; do sleep 0.05; done"
    engine.docker("run", "-d", "--name", name, "--stop-signal", "USR1", "busybox", "sh", "-c",
                  script)
    wait_for_text(engine, name, "ready")
    engine.docker("stop", "-t", "10", name)
    assert engine.inspect(name)["State"]["ExitCode"] == 3
    assert "usr1" in engine.out("logs", name)


def test_stop_timeout_of_the_container(engine, name):
    engine.docker("run", "-d", "--name", name, "--stop-timeout", "1", "busybox", "sleep", "600")
    begun = time.monotonic()
    engine.docker("stop", name)
    assert time.monotonic() - begun < 6


def test_kill_with_signal_names_and_numbers(engine, name):
    script = "trap 'echo hup' HUP; trap 'echo int' INT; echo ready; while :; do sleep 0.05; done"
    engine.docker("run", "-d", "--name", name, "busybox", "sh", "-c", script)
    wait_for_text(engine, name, "ready")
    engine.docker("kill", "-s", "SIGHUP", name)
    wait_for_text(engine, name, "hup")
    engine.docker("kill", "-s", "2", name)
    wait_for_text(engine, name, "int")
    engine.docker("kill", name)
    eventually(lambda: not engine.running(name))
    assert engine.inspect(name)["State"]["ExitCode"] == 137


def test_kill_refusals(engine, sleeper, name):
    reply = engine.request("POST", f"/containers/{sleeper}/kill?signal=NOSUCH")
    assert reply.status == 400
    engine.docker("stop", "-t", "5", sleeper)
    assert engine.request("POST", f"/containers/{sleeper}/kill").status == 409
    assert engine.request("POST", "/containers/nobody/kill").status == 404


def test_restart(engine, sleeper):
    before = engine.inspect(sleeper)["State"]
    engine.docker("restart", "-t", "5", sleeper)
    after = engine.inspect(sleeper)["State"]
    assert after["Running"] and after["Pid"] != before["Pid"]
    assert after["StartedAt"] > before["StartedAt"]
    engine.docker("stop", "-t", "5", sleeper)
    engine.docker("restart", sleeper)
    assert engine.running(sleeper)


def test_filesystem_survives_restart(engine, name):
    engine.docker("run", "--name", name, "busybox", "sh", "-c", "echo once >> /mark; cat /mark")
    assert engine.out("start", "-a", name) == "once\nonce"


def test_pause_and_unpause(engine, sleeper):
    engine.docker("pause", sleeper)
    state = engine.inspect(sleeper)["State"]
    assert state["Paused"] and state["Running"] and state["Status"] == "paused"
    assert "(Paused)" in engine.out("ps", "--format", "{{.Status}}", "--filter", f"name={sleeper}")
    assert engine.request("POST", f"/containers/{sleeper}/pause").status == 409
    message = engine.fails("exec", sleeper, "true")
    assert "paused" in message
    engine.docker("unpause", sleeper)
    assert engine.out("exec", sleeper, "echo", "back") == "back"
    assert engine.request("POST", f"/containers/{sleeper}/unpause").status in (409, 500)


def test_pause_of_a_stopped_container(engine, name):
    engine.docker("create", "--name", name, "busybox", "true")
    assert engine.request("POST", f"/containers/{name}/pause").status == 409


def test_remove_while_paused(engine, sleeper):
    engine.docker("pause", sleeper)
    engine.docker("rm", "-f", sleeper)
    assert engine.request("GET", f"/containers/{sleeper}/json").status == 404


@pytest.mark.parametrize("condition", ["", "not-running", "next-exit"])
def test_wait(engine, name, condition):
    engine.docker("run", "-d", "--name", name, "busybox", "sh", "-c",
                  "while [ ! -e /go ]; do sleep 0.05; done; exit 5")
    answers = []

    def wait():
        answers.append(engine.request("POST", f"/containers/{name}/wait?condition={condition}"))

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.2)  # gives a wait that wrongly returns at once the chance to do so
    assert not answers
    engine.let_go(name)
    thread.join(10)
    assert answers[0].status == 200 and answers[0].json()["StatusCode"] == 5


def test_wait_for_removal(engine, name):
    engine.docker("run", "-d", "--rm", "--name", name, "busybox", "sh", "-c",
                  "while [ ! -e /go ]; do sleep 0.05; done; exit 6")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(
        engine.request("POST", f"/containers/{name}/wait?condition=removed")))
    thread.start()
    engine.let_go(name)
    thread.join(10)
    assert answers[0].json()["StatusCode"] == 6
    assert engine.request("GET", f"/containers/{name}/json").status == 404


def test_wait_of_a_stopped_container_returns_at_once(engine, name):
    engine.docker("run", "--name", name, "busybox", "sh", "-c", "exit 4", check=False)
    assert engine.out("wait", name) == "4"


@pytest.mark.newer_than_peer
def test_wait_refuses_unknown_conditions(engine, sleeper):
    assert engine.request("POST", f"/containers/{sleeper}/wait?condition=never").status == 400


def test_rename(engine, sleeper, name):
    engine.docker("rename", sleeper, name + "-b")
    assert engine.inspect(name + "-b")["Name"] == f"/{name}-b"
    assert engine.request("GET", f"/containers/{name}/json").status == 404
    engine.docker("create", "--name", name, "busybox", "true")
    message = engine.fails("rename", name + "-b", name)
    assert "already in use" in message
    assert engine.request("POST", f"/containers/{name}/rename?name=").status in (400, 500)
    assert engine.request("POST", f"/containers/{name}/rename?name=%2F%2Fbad%20").status == 400


def test_names_are_checked(engine, name):
    engine.docker("create", "--name", name, "busybox", "true")
    message = engine.fails("create", "--name", name, "busybox", "true")
    assert "is already in use by container" in message and name in message
    message = engine.fails("create", "--name", "-bad-", "busybox", "true")
    assert "Invalid container name (-bad-)" in message


def test_containers_without_a_name_get_one(engine):
    identifier = engine.out("create", "busybox", "true")
    made = engine.inspect(identifier)["Name"]
    assert made.startswith("/") and "_" in made


def test_identifier_prefixes(engine, sleeper):
    identifier = engine.inspect(sleeper)["Id"]
    assert engine.inspect(identifier[:12])["Id"] == identifier
    assert engine.out("inspect", "-f", "{{.Name}}", identifier[:6]) == "/" + sleeper


def test_remove_refuses_running_containers(engine, sleeper):
    reply = engine.request("DELETE", f"/containers/{sleeper}")
    assert reply.status == 409
    assert "running" in reply.message
    engine.docker("rm", "-f", sleeper)


def test_remove_of_an_unknown_container(engine):
    reply = engine.request("DELETE", "/containers/nobody")
    assert reply.status == 404 and reply.message == "No such container: nobody"


def test_remove_takes_anonymous_volumes_on_demand(engine, name):
    engine.docker("create", "--name", name, "-v", "/data", "-v", f"{name}v:/kept", "busybox", "true")
    mounts = {m["Destination"]: m["Name"] for m in engine.inspect(name)["Mounts"]}
    engine.docker("rm", "-v", name)
    left = {v["Name"] for v in engine.get("/volumes")["Volumes"] or []}
    assert mounts["/data"] not in left and mounts["/kept"] in left


def test_remove_leaves_anonymous_volumes_otherwise(engine, name):
    engine.docker("create", "--name", name, "-v", "/data", "busybox", "true")
    volume = engine.inspect(name)["Mounts"][0]["Name"]
    engine.docker("rm", name)
    assert volume in {v["Name"] for v in engine.get("/volumes")["Volumes"] or []}


def test_auto_remove_takes_anonymous_volumes(engine, name):
    engine.docker("run", "--rm", "-v", "/data", "--name", name, "busybox", "true")
    eventually(lambda: not engine.get("/volumes")["Volumes"])


def test_container_prune(engine, sleeper, name):
    engine.docker("create", "--name", name + "-a", "busybox", "true")
    engine.docker("create", "--name", name + "-b", "--label", "keep=1", "busybox", "true")
    engine.docker("container", "prune", "-f", "--filter", "label!=keep")
    left = engine.out("ps", "-a", "--format", "{{.Names}}").split()
    assert sorted(left) == sorted([sleeper, name + "-b"])
    reply = engine.request("POST", "/containers/prune")
    assert len(reply.json()["ContainersDeleted"]) == 1
    assert isinstance(reply.json()["SpaceReclaimed"], int)


def test_update_limits(engine, sleeper):
    engine.docker("update", "--memory", "64m", "--memory-swap", "128m", "--cpus", "0.5",
                  "--pids-limit", "50", sleeper)
    host = engine.inspect(sleeper)["HostConfig"]
    assert host["Memory"] == 64 << 20 and host["PidsLimit"] == 50
    assert host["NanoCpus"] == 500_000_000
    seen = engine.out("exec", sleeper, "sh", "-c",
                      "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max"
                      " 2>/dev/null; true")
    assert str(64 << 20) in seen


def test_update_restart_policy(engine, sleeper):
    engine.docker("update", "--restart", "on-failure:3", sleeper)
    policy = engine.inspect(sleeper)["HostConfig"]["RestartPolicy"]
    assert policy == {"Name": "on-failure", "MaximumRetryCount": 3}


def test_list_shows_what_clients_read(engine, name):
    engine.docker("run", "-d", "--init", "--name", name, "--label", "a=b", "-v", f"{name}v:/data",
                  "-p", "127.0.0.1::80", "busybox", "sleep", "600")
    (item,) = engine.get("/containers/json")
    assert item["Names"] == ["/" + name]
    assert item["Image"] == "busybox" and item["ImageID"].startswith("sha256:")
    assert item["Command"] == "sleep 600"
    assert item["State"] == "running" and item["Status"].startswith("Up ")
    assert item["Labels"] == {"a": "b"}
    assert abs(item["Created"] - time.time()) < 60
    assert item["Ports"][0]["PrivatePort"] == 80 and item["Ports"][0]["PublicPort"] > 0
    assert item["Ports"][0]["IP"] == "127.0.0.1" and item["Ports"][0]["Type"] == "tcp"
    assert item["Mounts"][0]["Destination"] == "/data" and item["Mounts"][0]["Type"] == "volume"
    assert item["NetworkSettings"]["Networks"]["bridge"]["IPAddress"].startswith("10.199.")
    assert item["HostConfig"]["NetworkMode"] in ("default", "bridge")


def test_list_sizes(engine, name):
    engine.docker("run", "--name", name, "busybox", "dd", "if=/dev/zero", "of=/big", "bs=1M",
                  "count=3")
    (item,) = engine.get("/containers/json?all=1&size=1")
    assert 3 << 20 <= item["SizeRw"] < 4 << 20
    assert item["SizeRootFs"] > item["SizeRw"]
    detail = engine.get(f"/containers/{name}/json?size=1")
    assert 3 << 20 <= detail["SizeRw"] < 4 << 20


@pytest.fixture
def population(engine, name):
    engine.docker("run", "-d", "--init", "--name", name + "-run", "--label", "kind=run",
                  "-v", f"{name}vol:/data", "-p", "127.0.0.1::8080", "busybox", "sleep", "600")
    engine.docker("run", "--name", name + "-done", "--label", "kind=done", "--label", "x", "busybox",
                  "sh", "-c", "exit 9", check=False)
    engine.docker("create", "--name", name + "-new", "--expose", "99/udp", "busybox", "true")
    return name


FILTERS = [
    (["status=running"], {"run"}),
    (["status=exited"], {"done"}),
    (["status=created"], {"new"}),
    (["status=exited", "status=created"], {"done", "new"}),
    (["exited=9"], {"done"}),
    (["label=kind"], {"run", "done"}),
    (["label=kind=done"], {"done"}),
    (["label=kind=done", "label=x"], {"done"}),
    (["label=kind=run", "label=x"], set()),
    (["name=NAME-r"], {"run"}),
    (["name=^/NAME-new$"], {"new"}),
    (["ancestor=busybox"], {"run", "done", "new"}),
    (["ancestor=busybox:latest"], {"run", "done", "new"}),
    (["ancestor=hello-world"], set()),
    (["volume=/data"], {"run"}),
    (["volume=NAMEvol"], {"run"}),
    (["network=bridge", "status=running"], {"run"}),
    (["publish=PUBLIC"], {"run"}),
    (["publish=1"], set()),
    (["expose=8080/tcp"], {"run"}),
    (["before=NAME-new"], {"run", "done"}),
    (["since=NAME-run"], {"done", "new"}),
    (["health=none"], {"run", "done", "new"}),
    (["is-task=false"], {"run", "done", "new"}),
]


def test_list_filters(engine, population):
    public = engine.inspect(population + "-run")["NetworkSettings"]["Ports"]["8080/tcp"][0]["HostPort"]
    wrong = []
    for filters, expected in FILTERS:
        words = []
        for text in filters:
            words += ["--filter", text.replace("NAME", population).replace("PUBLIC", public)]
        result = engine.docker("ps", "-a", "--format", "{{.Names}}", *words, check=False)
        seen = {line.rpartition("-")[2] for line in result.stdout.split()}
        if seen != expected or result.returncode != 0:
            wrong.append(f"{filters}: {sorted(seen)}, not {sorted(expected)} {result.stderr}")
    assert not wrong, "\n".join(wrong)


def test_list_limit_and_order(engine, population):
    seen = engine.out("ps", "-n", "2", "--format", "{{.Names}}").split()
    assert seen == [f"{population}-new", f"{population}-done"]
    identifier = engine.inspect(population + "-done")["Id"]
    assert engine.out("ps", "-aq", "--no-trunc", "--filter", f"id={identifier[:10]}") == identifier


def test_list_refuses_unknown_filters(engine):
    reply = engine.request("GET", '/containers/json?filters={"colour":["red"]}')
    assert reply.status == 400 and "colour" in reply.message
    assert engine.request("GET", '/containers/json?filters={"status":["asleep"]}').status == 400


@pytest.mark.newer_than_peer
def test_list_refuses_malformed_filters(engine):
    assert engine.request("GET", "/containers/json?filters=%7Bbad").status == 400


def test_inspect_has_every_field_clients_read(engine, sleeper):
    detail = engine.inspect(sleeper)
    for field in ("AppArmorProfile", "Args", "Config", "Created", "Driver", "ExecIDs", "GraphDriver",
                  "HostConfig", "HostnamePath", "HostsPath", "Id", "Image", "LogPath", "MountLabel",
                  "Mounts", "Name", "NetworkSettings", "Path", "Platform", "ProcessLabel",
                  "ResolvConfPath", "RestartCount", "State"):
        assert field in detail, field
    assert detail["Path"] == "sleep" and detail["Args"] == ["600"]
    assert detail["Driver"] == "overlay2" and detail["Platform"] == "linux"
    for field in ("MergedDir", "UpperDir", "WorkDir", "LowerDir"):
        assert detail["GraphDriver"]["Data"][field]
    for field in ("Status", "Running", "Paused", "Restarting", "OOMKilled", "Dead", "Pid",
                  "ExitCode", "Error", "StartedAt", "FinishedAt"):
        assert field in detail["State"], field
    settings = detail["NetworkSettings"]
    for field in ("Networks", "Ports", "SandboxID", "SandboxKey"):
        assert field in settings, field
    network = settings["Networks"]["bridge"]
    for field in ("IPAddress", "IPPrefixLen", "Gateway", "MacAddress", "NetworkID", "EndpointID",
                  "Aliases", "Links", "IPAMConfig", "DriverOpts", "GlobalIPv6Address",
                  "GlobalIPv6PrefixLen", "IPv6Gateway"):
        assert field in network, field
    host = detail["HostConfig"]
    for field in ("Binds", "CapAdd", "CapDrop", "CgroupnsMode", "Dns", "ExtraHosts", "IpcMode",
                  "LogConfig", "MaskedPaths", "Memory", "NetworkMode", "PidMode", "PortBindings",
                  "Privileged", "ReadonlyPaths", "ReadonlyRootfs", "RestartPolicy", "SecurityOpt",
                  "ShmSize", "UTSMode", "Ulimits", "UsernsMode", "AutoRemove"):
        assert field in host, field
    assert host["ShmSize"] == 64 << 20
    assert host["LogConfig"]["Type"] == "json-file"
    config = detail["Config"]
    for field in ("Hostname", "Domainname", "User", "AttachStdin", "AttachStdout", "AttachStderr",
                  "Tty", "OpenStdin", "StdinOnce", "Env", "Cmd", "Image", "Volumes", "WorkingDir",
                  "Entrypoint", "Labels"):
        assert field in config, field
    assert config["Hostname"] == detail["Id"][:12]


def test_oom_kill_is_seen(engine, name):
    result = engine.docker("run", "--name", name, "--memory", "16m", "--memory-swap", "16m",
                           "busybox", "sh", "-c", "tail /dev/zero", check=False)
    assert result.returncode == 137
    assert engine.inspect(name)["State"]["OOMKilled"] is True


def test_many_at_once(engine, name):
    """Fifty starts in parallel all succeed, with an address of their own each."""
    def one(number):
        engine.docker("run", "-d", "--init", "--name", f"{name}-{number}", "busybox", "sleep", "600")

    threads = [threading.Thread(target=one, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    listed = engine.get("/containers/json")
    assert len(listed) == 20
    addresses = {c["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] for c in listed}
    assert len(addresses) == 20


def test_python_client_lifecycle(engine, name):
    container = engine.client.containers.run("busybox", ["sleep", "600"], name=name, detach=True,
                                             init=True, labels={"a": "b"})
    assert container.status == "created" or container.status == "running"
    container.reload()
    assert container.status == "running" and container.labels == {"a": "b"}
    assert container.exec_run("echo hi").output == b"hi\n"
    container.stop(timeout=5)
    assert container.wait()["StatusCode"] == 143
    container.remove()
    assert engine.client.containers.list(all=True) == []
    output = engine.client.containers.run("busybox", "echo hello", remove=True)
    assert output == b"hello\n"
