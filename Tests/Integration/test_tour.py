"""The README's tour, pasted as it stands."""

import os
import re
import signal
import subprocess
import tempfile

import pytest

from engine import ROOT

pytestmark = [pytest.mark.martlet_only, pytest.mark.own_daemon]

# The tour uses the default socket, folders and addresses. In namespaces of its own it cannot meet a
# daemon that this machine may be running.
STAGE = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p "$STAGE/lib" /var/lib/martlet /etc/martlet
mount -t tmpfs tmpfs /etc/martlet
mount --bind "$STAGE/lib" /var/lib/martlet
ip link set lo up
set -x
source "$STAGE/tour"
"""


def tour() -> str:
    text = (ROOT / "README.md").read_text()
    return re.search(r"```sh\n(.*?)```", text, re.S)[1]


@pytest.mark.timeout(400)
def test_tour():
    stage = tempfile.mkdtemp(prefix="martlet-tour-", dir="/var/tmp")
    with open(stage + "/tour", "w") as file:
        file.write(tour())
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "MARTLET_", "REGISTRY_"))}
    try:
        result = subprocess.run(
            ["unshare", "--mount", "--net", "bash", "-c", STAGE], cwd=ROOT, timeout=380, text=True,
            capture_output=True, env=environment | {"STAGE": stage, "DOCKER_CONFIG": stage}, errors="replace")
        said = result.stdout + result.stderr
        assert result.returncode == 0, said
        assert result.stdout.count("<title>Welcome to nginx!</title>") == 2
        assert result.stdout.count("Hello from Martlet!") == 2 and "remember" in result.stdout
        assert "Login Succeeded" in result.stdout and "1: digest: sha256:" in result.stdout
        assert "1 packets received" in result.stdout and "CapEff:\t0000000000000000" in result.stdout
        assert "web: Up" in result.stdout and "db: Up" in result.stdout
        assert "try:    DOCKER_HOST=unix:///run/martlet.sock docker run --rm hello-world" in result.stdout
    finally:
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    mounted = open(f"/proc/{entry}/mountinfo").read()
                except OSError:
                    continue
                if stage in mounted and int(entry) != os.getpid():
                    try:
                        os.kill(int(entry), signal.SIGKILL)
                    except ProcessLookupError:
                        pass
        subprocess.run(["rm", "-rf", stage])


def test_what_the_readme_names_is_there():
    text = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / target).exists(), target
    makefile = (ROOT / "Makefile").read_text()
    for name in ("run", "test", "build", "bench", "format", "lint", "stop"):
        assert re.search(rf"^{name}:", makefile, re.M), name
