"""The log endpoint and the log drivers."""

import os
import re
import subprocess
import threading
import time

import pytest

from engine import eventually

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"


def run_to_end(engine, name, script, *arguments):
    engine.docker("run", "-d", "--name", name, *arguments, "busybox", "sh", "-c", script)
    engine.docker("wait", name)


def test_both_streams(engine, name):
    run_to_end(engine, name, "echo out; echo err >&2")
    result = engine.docker("logs", name)
    assert result.stdout == "out\n" and result.stderr == "err\n"


def test_frames(engine, name):
    run_to_end(engine, name, "echo out; sleep 0.1; echo err >&2")
    reply = engine.request("GET", f"/containers/{name}/logs?stdout=1&stderr=1")
    assert reply.body == b"\x01\0\0\0\0\0\0\x04out\n" b"\x02\0\0\0\0\0\0\x04err\n"
    reply = engine.request("GET", f"/containers/{name}/logs?stderr=1")
    assert reply.body == b"\x02\0\0\0\0\0\0\x04err\n"


@pytest.mark.newer_than_peer
def test_content_types(engine, name):
    run_to_end(engine, name, "echo out")
    reply = engine.request("GET", f"/v1.47/containers/{name}/logs?stdout=1")
    assert reply.headers["Content-Type"] == "application/vnd.docker.multiplexed-stream"
    run_to_end(engine, name + "-t", "echo out", "-t")
    reply = engine.request("GET", f"/v1.47/containers/{name}-t/logs?stdout=1")
    assert reply.headers["Content-Type"] == "application/vnd.docker.raw-stream"


def test_terminal_logs_are_raw(engine, name):
    run_to_end(engine, name, "echo out; echo err >&2", "-t")
    reply = engine.request("GET", f"/containers/{name}/logs?stdout=1&stderr=1")
    assert reply.body == b"out\r\nerr\r\n"


def test_one_stream_has_to_be_chosen(engine, sleeper):
    reply = engine.request("GET", f"/containers/{sleeper}/logs")
    assert reply.status == 400 and "stream" in reply.message


def test_unknown_container(engine):
    assert engine.request("GET", "/containers/nobody/logs?stdout=1").status == 404


@pytest.mark.parametrize("tail, expected", [
    ("0", []), ("1", ["9"]), ("3", ["7", "8", "9"]), ("99", [str(n) for n in range(10)]),
    ("all", [str(n) for n in range(10)]),
])
def test_tail(engine, name, tail, expected):
    run_to_end(engine, name, "for i in 0 1 2 3 4 5 6 7 8 9; do echo $i; done")
    assert engine.out("logs", "--tail", tail, name).split() == expected


def test_timestamps(engine, name):
    run_to_end(engine, name, "echo a; sleep 0.2; echo b")
    lines = engine.out("logs", "-t", name).splitlines()
    stamps = [re.fullmatch(f"({STAMP}) [ab]", line)[1] for line in lines]
    assert stamps[0] < stamps[1]


def test_since_and_until(engine, name):
    run_to_end(engine, name, "echo a; sleep 0.3; echo b; sleep 0.3; echo c")
    stamps = [line.split()[0] for line in engine.out("logs", "-t", name).splitlines()]
    assert engine.out("logs", "--since", stamps[1], name).split() == ["b", "c"]
    assert engine.out("logs", "--until", stamps[1], name).split() in (["a"], ["a", "b"])
    assert engine.out("logs", "--since", "10m", name).split() == ["a", "b", "c"]
    assert engine.out("logs", "--until", "10m", name) == ""


def test_bad_times(engine, sleeper):
    reply = engine.request("GET", f"/containers/{sleeper}/logs?stdout=1&since=yesterday")
    assert reply.status >= 400


@pytest.mark.newer_than_peer
def test_bad_times_are_the_callers_fault(engine, sleeper):
    reply = engine.request("GET", f"/containers/{sleeper}/logs?stdout=1&since=yesterday")
    assert reply.status == 400


def test_follow_until_the_end(engine, name):
    engine.docker("run", "-d", "--name", name, "busybox", "sh", "-c",
                  "for i in 1 2 3; do echo $i; sleep 0.2; done; echo err >&2")
    result = engine.docker("logs", "-f", name)
    assert result.stdout.split() == ["1", "2", "3"] and result.stderr == "err\n"


def test_follow_sees_lines_as_they_come(engine, name):
    engine.docker("run", "-d", "--name", name, "busybox", "sh", "-c",
                  "echo first; while [ ! -e /go ]; do sleep 0.05; done; echo second")
    follower = engine.popen("logs", "-f", name)
    assert follower.stdout.readline() == b"first\n"
    engine.let_go(name)
    assert follower.stdout.readline() == b"second\n"
    assert follower.wait(10) == 0


def test_follow_with_tail(engine, name):
    engine.docker("run", "-d", "--name", name, "busybox", "sh", "-c",
                  "echo 1; echo 2; echo 3; while [ ! -e /go ]; do sleep 0.05; done; echo 4")
    eventually(lambda: "3" in engine.out("logs", name))
    follower = engine.popen("logs", "-f", "--tail", "1", name)
    assert follower.stdout.readline() == b"3\n"
    engine.let_go(name)
    assert follower.stdout.read() == b"4\n"


def test_follow_stops_when_the_client_goes(engine, sleeper):
    files = engine.open_files()
    followers = [engine.popen("logs", "-f", sleeper) for _ in range(10)]
    eventually(lambda: engine.open_files() > files + 5)
    for follower in followers:
        follower.kill()
        follower.wait()
    eventually(lambda: engine.open_files() <= files + 2, 15)


def test_follow_goes_on_over_a_restart(engine, name):
    engine.docker("run", "-d", "--init", "--name", name, "busybox", "sh", "-c",
                  "echo begin; sleep 600")
    eventually(lambda: "begin" in engine.out("logs", name))
    engine.docker("restart", "-t", "5", name)
    eventually(lambda: engine.out("logs", name).split() == ["begin", "begin"])


def test_long_lines_come_out_whole(engine, name):
    run_to_end(engine, name, "head -c 100000 /dev/zero | tr '\\0' x; echo; echo end")
    assert engine.out("logs", name).splitlines() == ["x" * 100000, "end"]


def test_last_line_without_newline(engine, name):
    run_to_end(engine, name, "printf 'no newline'")
    assert engine.docker("logs", name).stdout == "no newline"


def test_bytes_that_are_no_text(engine, name):
    run_to_end(engine, name, "printf 'caf\\303\\251 \"quoted\" \\\\ tab\\there\\n'")
    assert engine.docker("logs", name).stdout == 'café "quoted" \\ tab\there\n'


def test_a_lot_of_output(engine, name):
    run_to_end(engine, name, "seq 1 200000")
    output = engine.docker("logs", name).stdout
    assert output == "".join(f"{n}\n" for n in range(1, 200001))


@pytest.mark.martlet_only
def test_log_on_disk(engine, name):
    """The file is the one that inspect names, in conmon's form (docs/architecture.md says why)."""
    run_to_end(engine, name, "echo out; sleep 0.1; echo err >&2", "--log-driver", "json-file")
    lines = open(engine.inspect(name)["LogPath"]).read().splitlines()
    entries = [line.split(" ", 3) for line in lines]
    assert [entry[1:] for entry in entries] == [["stdout", "F", "out"], ["stderr", "F", "err"]]
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$", entry[0])
               for entry in entries)


def counting(thousands):
    """Counts at a pace: the daemon turns files over while the container writes."""
    return (f"i=0; while [ $i -lt {thousands} ]; do seq $((i*1000+1)) $((i*1000+1000)); "
            "i=$((i+1)); sleep 0.1; done")


def rotated_files(engine, name):
    path = engine.inspect(name)["LogPath"]
    if path:
        folder, base = os.path.split(path)
        return {f: os.path.getsize(f"{folder}/{f}") for f in os.listdir(folder) if f.startswith(base)}
    return None


def test_rotation(engine, name):
    run_to_end(engine, name, counting(20), "--log-driver", "json-file", "--log-opt", "max-size=200k",
               "--log-opt", "max-file=3")
    files = rotated_files(engine, name)
    assert len(files) == 3
    assert all(size < 450_000 for size in files.values()), files
    numbers = [int(line) for line in engine.out("logs", name).split()]
    assert numbers[-1] == 20000
    assert numbers == list(range(numbers[0], 20001))  # the newest, with no gap


def test_rotation_to_one_file(engine, name):
    # With one file a turn-over leaves nothing of what was before it: the last line comes after it.
    run_to_end(engine, name, counting(20) + "; sleep 1; echo 20001",
               "--log-opt", "max-size=100k", "--log-opt", "max-file=1")
    assert sum(rotated_files(engine, name).values()) < 300_000
    numbers = [int(line) for line in engine.out("logs", name).split()]
    assert numbers[-1] == 20001 and len(numbers) < 12000


@pytest.mark.newer_than_peer
def test_following_over_rotations_loses_nothing(engine, name):
    engine.docker("create", "--name", name, "--log-opt", "max-size=500k", "--log-opt", "max-file=10",
                  "busybox", "sh", "-c", "for i in $(seq 1 40); do seq 1 1000; sleep 0.02; done")
    engine.docker("start", name)
    seen = engine.docker("logs", "-f", name).stdout.split()
    assert seen == [str(n) for _ in range(40) for n in range(1, 1001)]


def test_local_driver(engine, name):
    run_to_end(engine, name, "echo out; echo err >&2", "--log-driver", "local")
    result = engine.docker("logs", name)
    assert result.stdout == "out\n" and result.stderr == "err\n"
    assert engine.inspect(name)["HostConfig"]["LogConfig"]["Type"] == "local"
    lines = engine.docker("logs", "-t", name)
    assert re.match(STAMP, lines.stdout) and re.match(STAMP, lines.stderr)


def test_local_driver_rotates(engine, name):
    run_to_end(engine, name, counting(60), "--log-driver", "local", "--log-opt", "max-size=100k",
               "--log-opt", "max-file=3")
    numbers = [int(line) for line in engine.out("logs", name).split()]
    assert numbers[-1] == 60000 and numbers == list(range(numbers[0], 60001))


def test_driver_none(engine, name):
    assert engine.out("run", "--name", name, "--log-driver", "none", "busybox", "echo", "seen") == "seen"
    message = engine.fails("logs", name)
    assert "does not support reading" in message
    assert not engine.inspect(name)["LogPath"]


def test_labels_and_env_go_into_the_log(engine, name):
    run_to_end(engine, name, "echo x", "--label", "shade=red", "-e", "CITY=paris", "--log-opt",
               "labels=shade", "--log-opt", "env=CITY")
    lines = engine.out("logs", "--details", name)
    assert "shade=red" in lines and "CITY=paris" in lines


def test_exec_output_stays_out_of_the_log(engine, sleeper):
    engine.docker("exec", sleeper, "echo", "from exec")
    assert engine.out("logs", sleeper) == ""


def test_removed_while_followed(engine, sleeper):
    follower = engine.popen("logs", "-f", sleeper)
    time.sleep(0.2)
    engine.docker("rm", "-f", sleeper)
    follower.wait(10)


def test_followers_side_by_side(engine, name):
    engine.docker("run", "-d", "--name", name, "busybox", "sh", "-c",
                  "while [ ! -e /go ]; do sleep 0.05; done; seq 1 5000")
    followers = [engine.popen("logs", "-f", name) for _ in range(4)]
    outputs = [None] * 4

    def read(number):
        outputs[number] = followers[number].communicate()[0].split()

    threads = [threading.Thread(target=read, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    engine.let_go(name)
    for thread in threads:
        thread.join(30)
    for output in outputs:
        assert output == [str(n).encode() for n in range(1, 5001)]
