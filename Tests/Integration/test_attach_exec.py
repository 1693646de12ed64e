"""attach and exec: streams, terminals, half-close, detach keys, resize, WebSocket."""

import base64
import json
import os
import pty
import re
import select
import socket
import struct
import threading
import time

import pytest

from engine import IS_PEER, eventually


class Stream:
    """A hijacked connection as the docker client opens it."""

    def __init__(self, engine, path, body=None, upgrade=True):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(15)
        self.socket.connect(engine.socket)
        data = b"" if body is None else json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(data)}\r\n"
        if upgrade:
            head += "Connection: Upgrade\r\nUpgrade: tcp\r\n"
        self.socket.sendall(head.encode() + b"\r\n" + data)
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            more = self.socket.recv(65536)
            assert more, f"closed in the head: {self.buffer}"
            self.buffer += more
        self.head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        self.status = int(self.head.split()[1])

    def exactly(self, count) -> bytes:
        while len(self.buffer) < count:
            more = self.socket.recv(65536)
            if not more:
                break
            self.buffer += more
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def until(self, text: bytes) -> bytes:
        while text not in self.buffer:
            more = self.socket.recv(65536)
            assert more, f"ended before {text!r}: {self.buffer!r}"
            self.buffer += more
        index = self.buffer.index(text) + len(text)
        data, self.buffer = self.buffer[:index], self.buffer[index:]
        return data

    def frame(self):
        head = self.exactly(8)
        if not head:
            return None
        return head[0], self.exactly(struct.unpack(">I", head[4:])[0])

    def frames(self) -> dict:
        """All the rest, by stream number."""
        found = {}
        while frame := self.frame():
            found[frame[0]] = found.get(frame[0], b"") + frame[1]
        return found

    def rest(self) -> bytes:
        data = self.buffer
        while more := self.socket.recv(65536):
            data += more
        return data

    def send(self, data: bytes):
        self.socket.sendall(data)

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()


def make_exec(engine, container, command, **options) -> str:
    body = {"AttachStdout": True, "AttachStderr": True, "Cmd": command} | options
    reply = engine.request("POST", f"/containers/{container}/exec", body)
    assert reply.status == 201, reply
    return reply.json()["Id"]


# exec


def test_exec_output_and_status(engine, sleeper):
    result = engine.docker("exec", sleeper, "sh", "-c", "echo out; echo err >&2; exit 9", check=False)
    assert (result.returncode, result.stdout, result.stderr) == (9, "out\n", "err\n")


def test_exec_stdin_half_close(engine, sleeper):
    result = engine.docker("exec", "-i", sleeper, "sh", "-c", "cat; echo done", input="through\n")
    assert result.stdout == "through\ndone\n"


def test_exec_a_megabyte_both_ways(engine, sleeper):
    text = "0123456789abcde\n" * 65536
    result = engine.docker("exec", "-i", sleeper, "cat", input=text)
    assert result.stdout == text


def test_exec_settings(engine, sleeper):
    seen = engine.out("exec", "-e", "A=b", "-w", "/var/spool", "-u", "user", sleeper, "sh", "-c",
                      "echo $A $PWD $(id -un) $HOME")
    assert seen == "b /var/spool user /home/user"


def test_exec_inherits_the_container(engine, name):
    engine.docker("run", "-d", "--init", "--name", name, "-e", "X=1", "-w", "/home", "-u", "1000:33",
                  "busybox", "sleep", "600")
    assert engine.out("exec", name, "sh", "-c", "echo $X $PWD $(id -u):$(id -g)") == "1 /home 1000:33"


def test_exec_capabilities(engine, sleeper):
    def effective(*flags):
        return engine.out("exec", *flags, sleeper, "grep", "CapEff", "/proc/self/status").split()[1]

    assert effective() == "00000000a80425fb"
    assert effective("-u", "user") == "0" * 16


@pytest.mark.newer_than_peer
def test_exec_privileged(engine, sleeper):
    seen = engine.out("exec", "--privileged", sleeper, "grep", "CapEff", "/proc/self/status")
    assert int(seen.split()[1], 16) > 0xa80425fb


def test_exec_is_in_the_containers_cgroup_and_namespaces(engine, sleeper):
    script = "cat /proc/self/cgroup; cd /proc/self/ns; for n in net mnt pid; do readlink $n; done"
    inside = engine.out("exec", sleeper, "sh", "-c", script)
    first = engine.out("exec", sleeper, "sh", "-c",
                       script.replace("self", "1"))
    assert inside == first


def test_exec_command_not_found(engine, sleeper):
    result = engine.docker("exec", sleeper, "no-such-program", check=False)
    assert result.returncode in (126, 127)
    assert "no-such-program" in result.stderr + result.stdout


def test_exec_detached(engine, sleeper):
    engine.docker("exec", "-d", sleeper, "sh", "-c", "echo yes > /made")
    eventually(lambda: engine.docker("exec", sleeper, "cat", "/made", check=False).stdout == "yes\n")


def test_exec_needs_a_running_container(engine, name):
    engine.docker("create", "--name", name, "busybox", "true")
    reply = engine.request("POST", f"/containers/{name}/exec", {"Cmd": ["true"]})
    assert reply.status == 409 and "is not running" in reply.message
    assert engine.request("POST", "/containers/nobody/exec", {"Cmd": ["true"]}).status == 404


def test_exec_needs_a_command(engine, sleeper):
    reply = engine.request("POST", f"/containers/{sleeper}/exec", {})
    assert reply.status == 400 and "No exec command specified" in reply.message


def test_exec_inspect(engine, sleeper):
    identifier = make_exec(engine, sleeper, ["sh", "-c", "exit 3"], User="user", Env=["A=b"])
    detail = engine.get(f"/exec/{identifier}/json")
    assert detail["Running"] is False and detail["ExitCode"] is None
    assert detail["ContainerID"] == engine.inspect(sleeper)["Id"]
    assert detail["ProcessConfig"]["entrypoint"] == "sh"
    assert detail["ProcessConfig"]["arguments"] == ["-c", "exit 3"]
    assert detail["ProcessConfig"]["tty"] is False and detail["ProcessConfig"]["user"] == "user"
    assert identifier in engine.inspect(sleeper)["ExecIDs"]
    stream = Stream(engine, f"/exec/{identifier}/start", {})
    stream.rest()
    eventually(lambda: engine.get(f"/exec/{identifier}/json")["ExitCode"] == 3)
    if not IS_PEER:
        assert engine.request("POST", f"/exec/{identifier}/start", {}).status == 409
    assert engine.request("GET", "/exec/nothing/json").status == 404
    assert engine.request("POST", "/exec/nothing/start", {}).status == 404


def test_exec_running_state_and_pid(engine, sleeper):
    identifier = make_exec(engine, sleeper, ["sleep", "600"])
    assert engine.request("POST", f"/exec/{identifier}/start", {"Detach": True}).status == 200
    detail = engine.get(f"/exec/{identifier}/json")
    assert detail["Running"] is True and os.path.exists(f"/proc/{detail['Pid']}")


def test_exec_upgrade_answer(engine, sleeper):
    identifier = make_exec(engine, sleeper, ["echo", "hello"])
    stream = Stream(engine, f"/exec/{identifier}/start", {})
    assert stream.status == 101 and b"Upgrade: tcp" in stream.head
    assert stream.frames() == {1: b"hello\n"}


def test_exec_without_upgrade(engine, sleeper):
    identifier = make_exec(engine, sleeper, ["echo", "hello"])
    stream = Stream(engine, f"/exec/{identifier}/start", {}, upgrade=False)
    assert stream.status == 200
    assert b"hello\n" in stream.rest()


def test_exec_terminal_and_resize(engine, sleeper):
    identifier = make_exec(engine, sleeper, ["sh"], Tty=True, AttachStdin=True)
    stream = Stream(engine, f"/exec/{identifier}/start", {"Tty": True, "ConsoleSize": [24, 80]})
    stream.send(b"tty; echo mark$((1+1))\n")
    assert b"/dev/pts/" in stream.until(b"mark2")
    assert engine.request("POST", f"/exec/{identifier}/resize?h=33&w=101").status in (200, 201)
    stream.send(b"stty size; echo mark$((2+2))\n")
    assert b"33 101" in stream.until(b"mark4")
    stream.send(b"exit 5\n")
    stream.rest()
    eventually(lambda: engine.get(f"/exec/{identifier}/json")["ExitCode"] == 5)


def test_exec_resize_refusals(engine, sleeper):
    assert engine.request("POST", "/exec/nothing/resize?h=1&w=1").status == 404
    identifier = make_exec(engine, sleeper, ["sh"], Tty=True)
    assert engine.request("POST", f"/exec/{identifier}/resize?h=x&w=1").status == 400


def test_exec_ends_with_its_container(engine, sleeper):
    identifier = make_exec(engine, sleeper, ["sleep", "600"])
    stream = Stream(engine, f"/exec/{identifier}/start", {})
    engine.docker("kill", sleeper)
    stream.rest()
    eventually(lambda: engine.get(f"/exec/{identifier}/json")["Running"] is False
               if engine.request("GET", f"/exec/{identifier}/json").status == 200 else True)


@pytest.mark.newer_than_peer
def test_exec_client_gone_leaves_no_files_open(engine, sleeper):
    files = engine.open_files()
    for _ in range(5):
        identifier = make_exec(engine, sleeper, ["sh", "-c", "sleep 0.5"])
        Stream(engine, f"/exec/{identifier}/start", {}).close()
    eventually(lambda: engine.open_files() <= files + 2, 15)


def test_many_execs_at_once(engine, sleeper):
    results = []

    def one(number):
        results.append(engine.out("exec", sleeper, "sh", "-c", f"echo {number}") == str(number))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 20


# attach


def test_run_with_stdin(engine):
    result = engine.docker("run", "--rm", "-i", "busybox", "sh", "-c", "cat; echo end", input="a\nb\n")
    assert result.stdout == "a\nb\nend\n"


def test_run_moves_a_lot_of_data(engine):
    text = "0123456789abcde\n" * 131072
    result = engine.docker("run", "--rm", "-i", "busybox", "cat", input=text)
    assert result.stdout == text


def test_attach_streams_output(engine, name):
    engine.docker("run", "-d", "--name", name, "busybox", "sh", "-c",
                  "while [ ! -e /go ]; do sleep 0.05; done; echo out; echo err >&2; exit 4")
    process = engine.popen("attach", name)
    time.sleep(0.3)  # attach has no sign of having begun
    engine.let_go(name)
    output, error = process.communicate(timeout=15)
    assert (output, error, process.returncode) == (b"out\n", b"err\n", 4)


def test_attach_with_logs(engine, name):
    engine.docker("run", "-d", "--init", "--name", name, "busybox", "sh", "-c", "echo early; sleep 600")
    eventually(lambda: "early" in engine.out("logs", name))
    stream = Stream(engine, f"/containers/{name}/attach?logs=1&stdout=1&stderr=1")
    assert stream.frames() == {1: b"early\n"}


def test_attach_stdin(engine, name):
    engine.docker("run", "-d", "-i", "--name", name, "busybox", "sh", "-c", "cat; echo closed")
    stream = Stream(engine, f"/containers/{name}/attach?stream=1&stdin=1&stdout=1")
    stream.send(b"one\n")
    assert stream.frame() == (1, b"one\n")
    stream.half_close()
    engine.docker("wait", name) if engine.inspect(name)["Config"]["StdinOnce"] else None
    stream.close()


def test_stdin_once_closes_with_the_first_client(engine, name):
    body = {"Image": "busybox", "Cmd": ["sh", "-c", "cat; echo closed"], "OpenStdin": True,
            "StdinOnce": True, "AttachStdin": True, "AttachStdout": True}
    assert engine.request("POST", f"/containers/create?name={name}", body).status == 201
    stream = Stream(engine, f"/containers/{name}/attach?stream=1&stdin=1&stdout=1")
    engine.docker("start", name)
    stream.send(b"one\n")
    stream.half_close()
    assert stream.frames() == {1: b"one\nclosed\n"}


def test_two_clients_attached(engine, name):
    engine.docker("run", "-d", "-i", "--name", name, "busybox", "cat")
    streams = [Stream(engine, f"/containers/{name}/attach?stream=1&stdin=1&stdout=1")
               for _ in range(2)]
    streams[0].send(b"hello\n")
    assert [stream.frame() for stream in streams] == [(1, b"hello\n")] * 2
    for stream in streams:
        stream.close()
    assert engine.running(name)


def test_attach_to_a_stopped_container(engine, name):
    engine.docker("create", "--name", name, "busybox", "true")
    message = engine.fails("attach", name)
    assert "stopped container" in message
    assert engine.request("POST", "/containers/nobody/attach?stream=1").status == 404


class Terminal:
    """The docker client with a terminal of its own."""

    def __init__(self, engine, *arguments):
        self.master, slave = pty.openpty()
        self.process = engine.popen(*arguments, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        self.seen = b""

    def until(self, text: bytes, deadline=15):
        end = time.monotonic() + deadline
        while text not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            assert ready, f"no {text!r} in {self.seen!r}"
            try:
                data = os.read(self.master, 65536)
            except OSError:
                data = b""
            assert data, f"ended before {text!r}: {self.seen!r}"
            self.seen += data
        self.seen = self.seen[self.seen.index(text) + len(text):]

    def send(self, data: bytes):
        os.write(self.master, data)

    def close(self):
        os.close(self.master)


def test_interactive_terminal(engine, name):
    terminal = Terminal(engine, "run", "-it", "--rm", "--name", name, "busybox", "sh")
    terminal.until(b"# ")
    terminal.send(b"echo $((40+2)) $(tty)\n")
    terminal.until(b"42 /dev/pts/0")
    terminal.send(b"exit 3\n")
    assert terminal.process.wait(15) == 3
    terminal.close()


def test_window_size_follows_the_client(engine, name):
    import fcntl
    import signal
    import termios

    terminal = Terminal(engine, "run", "-it", "--rm", "--name", name, "busybox", "sh")
    terminal.until(b"# ")
    fcntl.ioctl(terminal.master, termios.TIOCSWINSZ, struct.pack("HHHH", 41, 123, 0, 0))
    terminal.process.send_signal(signal.SIGWINCH)

    def resized():
        return engine.out("exec", name, "stty", "-F", "/dev/pts/0", "size") == "41 123"

    eventually(resized, 15)
    terminal.send(b"exit\n")
    terminal.process.wait(15)
    terminal.close()


def test_detach_keys(engine, name):
    engine.docker("run", "-dit", "--name", name, "busybox", "sh")
    terminal = Terminal(engine, "attach", name)
    terminal.send(b"echo m$((1+1))\n")
    terminal.until(b"m2")
    terminal.send(b"\x10\x11")
    assert terminal.process.wait(15) in (0, 1)
    terminal.close()
    assert engine.running(name)


def test_own_detach_keys(engine, name):
    engine.docker("run", "-dit", "--name", name, "busybox", "sh")
    terminal = Terminal(engine, "attach", "--detach-keys", "ctrl-x,y", name)
    terminal.send(b"echo m$((1+1))\n")
    terminal.until(b"m2")
    terminal.send(b"\x18y")
    terminal.process.wait(15)
    terminal.close()
    assert engine.running(name)


def test_bad_detach_keys(engine, sleeper):
    reply = engine.request(
        "POST", f"/containers/{sleeper}/attach?stream=1&stdout=1&detachKeys=nonsense-key")
    assert reply.status in (400, 500)


def test_resize_of_a_container(engine, name):
    engine.docker("run", "-dit", "--name", name, "busybox", "sh")
    assert engine.request("POST", f"/containers/{name}/resize?h=44&w=99").status == 200
    assert engine.out("exec", name, "stty", "-F", "/dev/pts/0", "size") == "44 99"
    assert engine.request("POST", f"/containers/{name}/resize?h=a&w=99").status == 400
    engine.docker("rm", "-f", name)
    engine.docker("create", "--name", name, "busybox")
    assert engine.request("POST", f"/containers/{name}/resize?h=44&w=99").status == 409


def test_kill_while_attached(engine, name):
    process = engine.popen("run", "--name", name, "busybox", "sh", "-c", "echo up; sleep 600")
    assert process.stdout.readline() == b"up\n"
    engine.docker("kill", name)
    assert process.wait(15) == 137


def test_signals_are_proxied(engine, name):
    import signal

    process = engine.popen("run", "--name", name, "busybox", "sh", "-c",
                           "trap 'echo got; exit 8' TERM; echo up; while :; do sleep 0.05; done")
    assert process.stdout.readline() == b"up\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 8
    assert process.stdout.read() == b"got\n"


def test_attach_websocket(engine, name):
    engine.docker("run", "-d", "-i", "--name", name, "busybox", "cat")
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(15)
    connection.connect(engine.socket)
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(
        f"GET /containers/{name}/attach/ws?stream=1&stdin=1&stdout=1 HTTP/1.1\r\n"
        "Host: docker\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: http://docker\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, data = data.split(b"\r\n\r\n", 1)
    assert b" 101 " in head.splitlines()[0]
    text, mask = b"through the socket\n", os.urandom(4)
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(text))
    connection.sendall(bytes([0x81, 0x80 | len(text)]) + mask + masked)
    received = b""
    while len(received) < len(text):
        while len(data) < 2:
            data += connection.recv(65536)
        length = data[1] & 0x7F
        while len(data) < 2 + length:
            data += connection.recv(65536)
        received, data = received + data[2:2 + length], data[2 + length:]
    assert received == text
    connection.close()


def test_python_client_exec_and_attach(engine, name):
    container = engine.client.containers.run("busybox", "sleep 600", name=name, detach=True, init=True)
    code, (out, err) = container.exec_run("sh -c 'echo o; echo e >&2; exit 2'", demux=True)
    assert (code, out, err) == (2, b"o\n", b"e\n")
    _, stream = container.exec_run("sh -c 'echo 1; echo 2'", stream=True)
    assert b"".join(stream) == b"1\n2\n"
    _, raw = container.exec_run("cat", stdin=True, socket=True)
    raw._sock.sendall(b"hi\n")
    assert raw._sock.recv(100)[8:] == b"hi\n"
    raw._sock.close()
