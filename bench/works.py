"""The works. Each gives seconds (or bytes) of one engine for one repetition."""

from __future__ import annotations

import concurrent.futures
import fcntl
import os
import subprocess
import time

F_SETPIPE_SZ = 1031
LINE = "x" * 99


class Work:
    """One row: what is done, how often, and the ratio to reach."""

    key = ""
    title = ""
    goal: float | None = None
    unit = "s"
    heavy = False

    def __init__(self, size):
        self.size = size

    @property
    def repetitions(self) -> int:
        return self.size.heavy if self.heavy else self.size.runs

    def applies(self, engine) -> bool:
        return True

    def prepare(self, engine):
        """Before all repetitions."""

    def measure(self, engine):
        raise NotImplementedError

    def finish(self, engine):
        """After all repetitions."""

    def several(self, action, names, at_once=4):
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            list(pool.map(action, names))


def seconds(action, *arguments, **options) -> float:
    begun = time.monotonic()
    action(*arguments, **options)
    return time.monotonic() - begun


class RunBridge(Work):
    key, goal = "run", 0.5
    title = "`docker run --rm busybox true`, default bridge"

    def prepare(self, engine):
        self.measure(engine)

    def measure(self, engine):
        return seconds(engine.run, "run", "--rm", "busybox", "true")


class RunNone(RunBridge):
    key, goal = "none", 0.5
    title = "the same, `--network none`"

    def measure(self, engine):
        return seconds(engine.run, "run", "--rm", "--network", "none", "busybox", "true")


class StartMany(Work):
    """Containers that were created before, started by as many clients at once."""

    key, goal, heavy = "many", 0.5, True
    title = "{many} containers started at once, until all run"

    def measure(self, engine):
        names = [f"many-{number}" for number in range(self.size.many)]
        self.several(engine.create, names)
        os.sync()
        with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
            elapsed = seconds(lambda: list(pool.map(engine.begin, names)))
        self.several(engine.remove, names)
        return elapsed


class Exec(Work):
    key, goal = "exec", 0.6
    title = "`docker exec` of `true`"

    def prepare(self, engine):
        engine.create("execs")
        engine.begin("execs")
        self.measure(engine)

    def measure(self, engine):
        return seconds(engine.run, "exec", "execs", "true")

    def finish(self, engine):
        engine.remove("execs")


class Pull(Work):
    key, goal, heavy = "pull", 0.8, True
    title = "pull of a {pull} MB, 8-layer image from a registry on loopback, until runnable"

    def measure(self, engine):
        reference = self.size.registry.reference
        engine.quietly("rmi", "-f", reference)
        os.sync()
        elapsed = seconds(engine.pull, reference)
        engine.run("run", "--rm", "--network", "none", reference, "/bin/true")
        return elapsed

    def finish(self, engine):
        engine.quietly("rmi", "-f", self.size.registry.reference)


class Follow(Work):
    key, goal, heavy = "follow", 1.0, True
    title = "one container writing {log} MB of lines, followed by `docker logs -f`"

    def command(self):
        return ["sh", "-c", f"yes {LINE} | head -c {self.size.log_bytes}"]

    def drain(self, engine, *words):
        """Reads all that a client writes, and looks that it is all."""
        client = subprocess.Popen([*engine.client(), *words], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        fcntl.fcntl(client.stdout, F_SETPIPE_SZ, 1 << 20)
        seen = 0
        while data := os.read(client.stdout.fileno(), 1 << 20):
            seen += len(data)
        client.wait()
        if seen != self.size.log_bytes:
            print(f"bench: {engine.name}: {seen} of {self.size.log_bytes} bytes arrived", flush=True)

    def measure(self, engine):
        engine.create("talker", *self.command())
        os.sync()
        begun = time.monotonic()
        engine.begin("talker")
        self.drain(engine, "logs", "-f", "talker")
        elapsed = time.monotonic() - begun
        engine.remove("talker")
        return elapsed


class Attached(Follow):
    key, goal = "attached", None
    title = "the same from an attached `docker run --rm`"

    def measure(self, engine):
        os.sync()
        return seconds(self.drain, engine, "run", "--rm", "busybox", *self.command())


class List(Work):
    key, goal = "list", 0.5
    title = "`docker ps -a` with {listed} containers"

    def names(self):
        return [f"listed-{number}" for number in range(self.size.listed)]

    def prepare(self, engine):
        self.several(engine.create, self.names())
        os.sync()
        self.measure(engine)

    def measure(self, engine):
        return seconds(engine.run, "ps", "-a")


class IdleMemory(Work):
    key, goal, unit, heavy = "idle", 0.5, "bytes", True
    title = "resident memory, idle"

    def applies(self, engine):
        return engine.name != "podman"

    def prepare(self, engine):
        engine.stop()
        engine.start()
        self.rest()

    def rest(self):
        time.sleep(2 if self.size.quick else 10)  # idle is when the work has settled

    def measure(self, engine):
        time.sleep(0.1)
        return engine.memory()


class LoadedMemory(IdleMemory):
    key, goal = "loaded", 0.5
    title = "resident memory with {loaded} running containers"

    def applies(self, engine):
        return True

    def names(self):
        return [f"loaded-{number}" for number in range(self.size.loaded)]

    def prepare(self, engine):
        for name in self.names():
            engine.create(name)
            engine.begin(name)
        self.rest()

    def finish(self, engine):
        self.several(engine.remove, self.names())


class WorkedMemory(IdleMemory):
    """What a daemon keeps of memory when work has come and gone."""

    key, goal = "worked", None
    title = "resident memory, idle again after all of the above but `ps`"

    def prepare(self, engine):
        self.rest()


# Lists last: its containers go with the run's folder.
WORKS = [RunBridge, RunNone, Exec, StartMany, Follow, Attached, Pull, WorkedMemory, IdleMemory,
         LoadedMemory, List]
