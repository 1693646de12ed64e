"""Namespaces of its own for a run, so that it meets nothing on the machine and leaves nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

MARK = "MARTLET_BENCH_ISOLATED"
CGROUPS = "/sys/fs/cgroup"


def isolate():
    """Runs this program again with a network, mounts and processes of its own.

    Bridges, firewall rules and mounts end with the run, and so does every process that it started,
    whatever happens. tini, which the engines need anyway, collects orphans.
    """
    if os.environ.get(MARK):
        settle()
        return
    init = next((path for path in map(shutil.which, ("tini", "docker-init")) if path), None)
    os.execvpe("unshare", [
        "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
        "--propagation", "private", *([init, "--"] if init else []), sys.executable, *sys.argv,
    ], os.environ | {MARK: "1"})


def settle():
    """Lets /sys show our network, keeping the control groups where they are; brings up lo."""
    shelter = "/run/martlet-bench-cgroup"
    os.makedirs(shelter, exist_ok=True)
    for command in (["mount", "--rbind", CGROUPS, shelter], ["mount", "-t", "sysfs", "sysfs", "/sys"],
                    ["mount", "--rbind", shelter, CGROUPS], ["umount", "-l", shelter],
                    ["ip", "link", "set", "lo", "up"]):
        subprocess.run(command, check=True)
    os.rmdir(shelter)
