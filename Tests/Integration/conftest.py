"""Fixtures: one daemon for the session, cleaned between tests and checked for leaks."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import uuid

import pytest

from engine import BINARY, IMAGES, IS_PEER, ROOT, Engine, HostState, eventually

sys.path.insert(0, str(ROOT / "scripts"))


def pytest_configure(config):
    config.addinivalue_line("markers", "newer_than_peer: dockerd 20.10 has not got this yet")
    config.addinivalue_line("markers", "martlet_only: about Martlet itself, not the Docker API")
    config.addinivalue_line("markers", "newer_client: uses what Debian 12's own docker client lacks")
    config.addinivalue_line("markers", "own_daemon: brings its own daemons; no leak check")


def client_is_old() -> bool:
    """Whether the docker client speaks less than API 1.45, as Debian 12's own does."""
    seen = subprocess.run(["docker", "--version"], capture_output=True, text=True).stdout
    return int(seen.split("version ")[1].split(".")[0]) < 26


def pytest_collection_modifyitems(config, items):
    if client_is_old():
        for item in items:
            if item.get_closest_marker("newer_client"):
                item.add_marker(pytest.mark.skip(reason="the docker client is too old for it"))
    if not IS_PEER:
        return
    for item in items:
        for marker in ("newer_than_peer", "martlet_only"):
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=f"{marker}, and the peer is dockerd"))


@pytest.fixture(scope="session", autouse=True)
def images():
    """Makes the test images, unless they are there."""
    if not IS_PEER and not os.path.exists(BINARY):
        pytest.exit(f"no daemon at {BINARY}: run `make build` first", 2)
    subprocess.run([ROOT / "scripts/make-test-images", IMAGES], check=True,
                   stdout=subprocess.DEVNULL)
    return IMAGES


@pytest.fixture(scope="session")
def session_engine(images):
    engine = Engine()
    try:
        engine.start()
        engine.load("hello-world", "busybox")
        yield engine
    finally:
        engine.dispose()


@pytest.fixture(scope="module")
def leakproof_engine(session_engine):
    """The session's daemon; when a module is done, the host must look as it did before it."""
    if not session_engine.process or session_engine.process.poll() is not None:
        session_engine.process = None
        session_engine.start()
    session_engine.load("hello-world", "busybox")
    before = HostState(session_engine)
    files = session_engine.open_files()
    yield session_engine
    session_engine.remove_everything()
    end = time.monotonic() + 10
    while extra := HostState(session_engine).extra(before):
        assert time.monotonic() < end, f"left behind on the host: {extra}"
        time.sleep(0.1)
    eventually(lambda: session_engine.open_files() < files + 40, 10,
               f"open files went from {files} to {session_engine.open_files()}")


@pytest.fixture
def engine(leakproof_engine):
    """The daemon, with no container, network or volume but the built-in ones before and after."""
    engine = leakproof_engine
    if engine.process.poll() is not None:
        tail = engine.log_tail()
        engine.process = None
        engine.start()
        engine.remove_everything()
        pytest.fail("the daemon had died in an earlier test:\n" + tail)
    yield engine
    if engine.process is not None and engine.process.poll() is None:
        engine.remove_everything()
    else:
        code = engine.process and engine.process.returncode
        pytest.fail(f"the daemon died in this test ({code}):\n" + engine.log_tail())


@pytest.fixture
def name():
    """A name that nothing else has."""
    return "t" + uuid.uuid4().hex[:10]


@pytest.fixture
def sleeper(engine, name):
    """A running container with an idle process in it."""
    engine.docker("run", "-d", "--init", "--name", name, "busybox", "sleep", "600")
    pid = engine.inspect(name)["State"]["Pid"]
    # A signal that comes before the init has its handlers is lost, on any engine.
    eventually(lambda: open(f"/proc/{pid}/task/{pid}/children").read())
    return name


@pytest.fixture
def spare_engine():
    """Makes further daemons; each is taken down with all that is its own."""
    made = []

    def make(number=1, start=True, images=("busybox",), **options) -> Engine:
        engine = Engine(number, **options)
        made.append(engine)
        if start:
            engine.start()
            engine.load(*images)
        return engine

    yield make
    for engine in made:
        engine.dispose()


def free_port(kind=socket.SOCK_STREAM, address="") -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


@pytest.fixture
def port():
    return free_port()
