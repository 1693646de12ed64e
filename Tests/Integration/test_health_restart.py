"""Health checks and restart policies."""

import json
import time

import pytest

from engine import IS_PEER, eventually
from image_archive import Image, LayerWriter


def health(engine, name) -> dict:
    return engine.inspect(name)["State"].get("Health") or {}


def becomes(engine, name, status, deadline=15):
    eventually(lambda: health(engine, name).get("Status") == status, deadline,
               f"{name} becomes {status}, is {health(engine, name)}")


FAST = ["--health-interval", "200ms", "--health-timeout", "2s", "--health-retries", "2"]


def test_healthy(engine, name):
    engine.docker("run", "-d", "--init", "--name", name, "--health-cmd", "echo fine", *FAST,
                  "busybox", "sleep", "600")
    assert health(engine, name)["Status"] in ("starting", "healthy")
    becomes(engine, name, "healthy")
    entry = health(engine, name)["Log"][0]
    assert entry["ExitCode"] == 0 and entry["Output"] == "fine\n"
    assert entry["Start"] <= entry["End"]
    assert health(engine, name)["FailingStreak"] == 0
    status = engine.out("ps", "--filter", f"name={name}", "--format", "{{.Status}}")
    assert status.endswith("(healthy)")
    assert engine.out("ps", "-q", "--filter", "health=healthy") != ""
    assert engine.out("ps", "-q", "--filter", "health=unhealthy") == ""


def test_unhealthy_and_back(engine, name):
    engine.docker("run", "-d", "--init", "--name", name, "--health-cmd", "test -e /well || exit 1",
                  *FAST, "busybox", "sleep", "600")
    becomes(engine, name, "unhealthy")
    assert health(engine, name)["FailingStreak"] >= 2
    engine.docker("exec", name, "touch", "/well")
    becomes(engine, name, "healthy")


def test_start_period(engine, name):
    engine.docker("run", "-d", "--init", "--name", name, "--health-cmd", "exit 1", *FAST,
                  "--health-start-period", "60s", "busybox", "sleep", "600")
    eventually(lambda: len(health(engine, name)["Log"] or []) >= 4)
    assert health(engine, name)["Status"] == "starting"


def test_timeout(engine, name):
    engine.docker("run", "-d", "--init", "--name", name, "--health-cmd", "sleep 60",
                  "--health-interval", "100ms", "--health-timeout", "300ms", "--health-retries", "1",
                  "busybox", "sleep", "600")
    becomes(engine, name, "unhealthy")
    entry = health(engine, name)["Log"][0]
    assert entry["ExitCode"] == -1 and "exceeded timeout" in entry["Output"]


def test_only_five_results_are_kept_and_output_is_cut(engine, name):
    engine.docker("run", "-d", "--init", "--name", name, "--health-cmd",
                  "head -c 20000 /dev/zero | tr '\\0' x", "--health-interval", "100ms", "busybox",
                  "sleep", "600")
    eventually(lambda: len(health(engine, name)["Log"] or []) == 5)
    assert len(health(engine, name)["Log"][0]["Output"]) <= 4096 + 100


def test_health_events(engine, name):
    begun = f"{time.time():.9f}"
    engine.docker("run", "-d", "--init", "--name", name, "--health-cmd", "true", *FAST, "busybox",
                  "sleep", "600")
    becomes(engine, name, "healthy")
    events = engine.out("events", "--since", begun, "--until", f"{time.time():.9f}", "--filter",
                        f"container={name}", "--filter", "event=health_status", "--format",
                        "{{.Action}}")
    assert "health_status: healthy" in events


@pytest.fixture
def checked_image(engine, name):
    """An image with a health check, a user, a volume and an entrypoint of its own."""
    with open("/bin/busybox", "rb") as file:
        program = file.read()
    layer = (LayerWriter().directory("bin").file("bin/busybox", program, 0o755)
             .hardlink("bin/sh", "bin/busybox", 0o755).hardlink("bin/sleep", "bin/busybox", 0o755)
             .hardlink("bin/true", "bin/busybox", 0o755).finish())
    image = Image([layer], {
        "Cmd": ["sleep", "600"], "Env": ["PATH=/bin"],
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 200_000_000, "Retries": 1}})
    assert engine.load_bytes(image.docker_archive([name + ":latest"])).status == 200
    yield name
    engine.remove_everything()
    engine.docker("rmi", "-f", name)


def test_health_check_of_the_image(engine, checked_image, name):
    engine.docker("run", "-d", "--init", "--name", name, checked_image)
    becomes(engine, name, "healthy")


def test_no_health_check(engine, checked_image, name):
    engine.docker("run", "-d", "--init", "--no-healthcheck", "--name", name, checked_image)
    assert health(engine, name) == {} or health(engine, name)["Status"] == "none"


def test_health_stops_with_the_container(engine, name):
    engine.docker("run", "-d", "--init", "--name", name, "--health-cmd", "true", *FAST, "busybox",
                  "sleep", "600")
    becomes(engine, name, "healthy")
    engine.docker("stop", "-t", "5", name)
    assert health(engine, name)["Status"] in ("unhealthy", "healthy", "starting")
    engine.docker("start", name)
    becomes(engine, name, "healthy")


@pytest.mark.newer_than_peer
@pytest.mark.parametrize("check", [
    {"Test": ["WHAT", "true"]}, {"Test": ["CMD", "true"], "Interval": -5},
    {"Test": ["CMD", "true"], "Interval": 5}, {"Test": ["CMD", "true"], "Retries": -1},
])
def test_bad_health_checks(engine, check):
    reply = engine.request("POST", "/containers/create", {"Image": "busybox", "Healthcheck": check})
    assert reply.status == 400, reply


# Restart policies


def test_no_policy(engine, name):
    engine.docker("run", "--name", name, "busybox", "sh", "-c", "exit 3", check=False)
    detail = engine.inspect(name)
    assert detail["RestartCount"] == 0 and detail["State"]["Status"] == "exited"


def test_on_failure_gives_up(engine, name):
    engine.docker("run", "-d", "--name", name, "--restart", "on-failure:2", "busybox", "sh", "-c",
                  "echo run; exit 3")
    eventually(lambda: engine.inspect(name)["RestartCount"] == 2
               and engine.inspect(name)["State"]["Status"] == "exited", 20)
    assert engine.out("logs", name).split() == ["run"] * 3
    assert engine.inspect(name)["State"]["ExitCode"] == 3


def test_on_failure_leaves_success_alone(engine, name):
    engine.docker("run", "-d", "--name", name, "--restart", "on-failure", "busybox", "true")
    engine.docker("wait", name)
    eventually(lambda: engine.inspect(name)["State"]["Status"] == "exited")
    assert engine.inspect(name)["RestartCount"] == 0


def test_always(engine, name):
    engine.docker("run", "-d", "--name", name, "--restart", "always", "busybox", "sh", "-c",
                  "echo run; sleep 0.2")
    eventually(lambda: engine.inspect(name)["RestartCount"] >= 2, 20)
    engine.docker("stop", "-t", "0", name)
    runs = len(engine.out("logs", name).split())
    assert engine.inspect(name)["State"]["Status"] == "exited"
    time.sleep(1)  # a restart that should not come would come within this time
    assert len(engine.out("logs", name).split()) == runs


def test_back_off_doubles(engine, name):
    engine.docker("run", "-d", "--name", name, "--restart", "always", "busybox", "sh", "-c",
                  "cat /proc/uptime; exit 1")
    eventually(lambda: len(engine.out("logs", name).splitlines()) >= 5, 20)
    engine.docker("stop", "-t", "0", name)
    assert engine.inspect(name)["State"]["Restarting"] is False
    times = [float(line.split()[0]) for line in engine.out("logs", name).splitlines()]
    pauses = [later - earlier for earlier, later in zip(times, times[1:])]
    assert pauses[0] >= 0.1 and pauses[1] >= 0.2 and pauses[2] >= 0.4 and pauses[3] >= 0.8, pauses
    assert pauses[3] < 5


def test_restarting_is_a_state(engine, name):
    engine.docker("run", "-d", "--name", name, "--restart", "always", "busybox", "sh", "-c", "exit 1")
    eventually(lambda: engine.inspect(name)["State"]["Status"] == "restarting", 20)
    eventually(lambda: "Restarting (1)" in engine.out("ps", "-a", "--format", "{{.Status}}"), 20)
    engine.docker("rm", "-f", name)


def test_killed_by_the_user_stays_down(engine, name):
    engine.docker("run", "-d", "--init", "--name", name, "--restart", "always", "busybox", "sleep", "600")
    engine.docker("kill", name)
    eventually(lambda: not engine.running(name))
    time.sleep(0.5)  # as above
    assert not engine.running(name)


def test_killed_from_outside_comes_back(engine, name):
    import os
    import signal

    engine.docker("run", "-d", "--name", name, "--restart", "always", "busybox", "sleep", "600")
    first = engine.inspect(name)["State"]["Pid"]
    os.kill(first, signal.SIGKILL)
    eventually(lambda: engine.inspect(name)["State"]["Pid"] not in (0, first), 20)
    assert engine.inspect(name)["RestartCount"] == 1


def test_stop_while_waiting_to_restart(engine, name):
    engine.docker("run", "-d", "--name", name, "--restart", "always", "busybox", "sh", "-c", "exit 1")
    eventually(lambda: engine.inspect(name)["RestartCount"] >= 3, 20)
    engine.docker("stop", name)
    assert engine.inspect(name)["State"]["Status"] == "exited"


def test_rm_works_while_restarting(engine, name):
    engine.docker("run", "-d", "--name", name, "--restart", "always", "busybox", "sh", "-c", "exit 1")
    eventually(lambda: engine.inspect(name)["RestartCount"] >= 2, 20)
    engine.docker("rm", "-f", name)
    assert engine.request("GET", f"/containers/{name}/json").status == 404


def test_policy_over_a_daemon_restart(engine, name):
    for policy in ("always", "unless-stopped", "no"):
        engine.docker("run", "-d", "--init", "--name", f"{name}-{policy}", "--restart", policy,
                      "busybox", "sleep", "600")
        engine.docker("run", "-d", "--init", "--name", f"{name}-{policy}-stopped", "--restart", policy,
                      "busybox", "sleep", "600")
        engine.docker("stop", "-t", "5", f"{name}-{policy}-stopped")
    engine.restart()
    for suffix in ("always", "unless-stopped", "always-stopped"):
        eventually(lambda: engine.running(f"{name}-{suffix}"), 20, suffix)
    for suffix in ("unless-stopped-stopped", "no-stopped"):
        assert not engine.running(f"{name}-{suffix}"), suffix
    # dockerd without live-restore stops all containers with itself; Martlet's outlive it.
    assert engine.running(f"{name}-no") is not IS_PEER
